/**
 * What can be completed at the caret: people after @, emoji after a colon. The focus stays in the field, which names the
 * choice by aria-activedescendant. (It stays a textbox: a combobox has one line only, says ARIA.)
 */
import { batch, type ReadonlySignal, signal } from '@preact/signals';
import type { User } from '../../shared/protocol.js';
import { t } from '../i18n.js';
import {
  applyCompletion,
  type CompletionQuery,
  completionAt,
  isExactMatch,
  rankCandidates,
} from '../text/completion.js';
import { findEmoji } from '../text/emoji.js';
import { loadEmojiIndex } from './emoji-loader.js';
import { insertText } from './keyboard.js';
import { Avatar } from './people.js';

export interface Choice {
  readonly key: string;
  /** what is put into the text */
  readonly text: string;
  readonly label: string;
  readonly user?: User;
  readonly emoji?: string;
}

export interface CompletionDeps {
  readonly peopleHere: () => readonly User[];
  readonly searchPeople: (query: string) => Promise<readonly User[]>;
}

const maxEmojiChoices = 8;

export class Completion {
  readonly #deps: CompletionDeps;
  readonly #choices = signal<readonly Choice[]>([]);
  readonly #selected = signal(0);
  #query: CompletionQuery | undefined;
  #request = 0;

  constructor(parts: CompletionDeps) {
    this.#deps = parts;
  }

  get choices(): ReadonlySignal<readonly Choice[]> {
    return this.#choices;
  }
  get selected(): ReadonlySignal<number> {
    return this.#selected;
  }
  get open(): boolean {
    return this.#choices.value.length > 0;
  }

  /** What is chosen stands there already. */
  get isExact(): boolean {
    const user = this.#choices.peek()[this.#selected.peek()]?.user;
    return user !== undefined && isExactMatch(this.#query?.query ?? '', user.name);
  }

  /** The text or the caret has changed. */
  update(field: HTMLTextAreaElement): void {
    const one = field.selectionStart === field.selectionEnd;
    const begun = one ? completionAt(field.value, field.selectionStart) : undefined;
    this.#query = begun;
    const asked = ++this.#request;
    if (!begun) {
      this.close();
      return;
    }
    const show = (choices: readonly Choice[]) => {
      if (asked === this.#request) this.#show(choices);
    };
    if (begun.kind === 'person') void this.#people(begun.query, show);
    else void emojiChoices(begun.query).then(show, () => {});
  }

  close(): void {
    this.#request++;
    this.#show([]);
  }

  move(step: number): void {
    const count = this.#choices.peek().length;
    this.#selected.value = (this.#selected.peek() + step + count) % count;
  }

  choose(field: HTMLTextAreaElement, index = this.#selected.peek()): void {
    const choice = this.#choices.peek()[index];
    const begun = this.#query;
    this.close();
    if (!choice || !begun) return;
    const { text, caret } = applyCompletion(field.value, begun, choice.text);
    const rest = field.value.length - begun.to;
    insertText(field, text.slice(begun.from, text.length - rest), begun.from, begun.to);
    field.setSelectionRange(caret, caret);
    this.close(); // what was put in looks like a beginning again
  }

  /** Those here at once, the others when the server has said who they are. */
  async #people(query: string, show: (choices: readonly Choice[]) => void): Promise<void> {
    const here = this.#deps.peopleHere();
    show(rankCandidates(query, here, []).map(userChoice));
    if (query === '') return;
    await new Promise((resolve) => setTimeout(resolve, 120)); // not at each stroke
    if (this.#query?.query !== query) return;
    show(rankCandidates(query, here, await this.#deps.searchPeople(query)).map(userChoice));
  }

  #show(choices: readonly Choice[]): void {
    batch(() => {
      this.#choices.value = choices;
      this.#selected.value = 0;
    });
  }
}

function userChoice(user: User): Choice {
  return { key: user.id, text: `@${user.name}`, label: user.name, user };
}

async function emojiChoices(query: string): Promise<readonly Choice[]> {
  return findEmoji(await loadEmojiIndex(), query, maxEmojiChoices).map(({ char, label, codes }) => ({
    key: char,
    text: char,
    label: labelOf(codes, label, query),
    emoji: char,
  }));
}

/** By the name that was begun, where it has several. */
function labelOf(codes: readonly string[], label: string, query: string): string {
  const code = codes.find((one) => one.startsWith(query.toLowerCase())) ?? codes[0];
  return code === undefined ? label : `:${code}:`;
}

export const completionListId = 'completion';

export function optionId(index: number): string {
  return `${completionListId}-${index}`;
}

/** The list above the field. A click must not take the focus from the field. */
export function CompletionList({
  completion,
  field,
}: {
  completion: Completion;
  field: () => HTMLTextAreaElement | null;
}) {
  const choices = completion.choices.value;
  const at = completion.selected.value;
  const { suggestions, suggested } = t.value.composer;
  const take = (index: number) => {
    const element = field();
    if (element) completion.choose(element, index);
  };
  return (
    <>
      <p class="unseen" role="status">
        {choices.length > 0 ? suggested(choices.length) : ''}
      </p>
      {choices.length > 0 && (
        <div class="choices" id={completionListId} role="listbox" aria-label={suggestions}>
          {choices.map((choice, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the field's, which keeps the focus
            <div
              key={choice.key}
              id={optionId(index)}
              role="option"
              tabIndex={-1}
              aria-selected={index === at}
              onPointerDown={(event) => event.preventDefault()}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => take(index)}
            >
              {choice.user ? <Avatar user={choice.user} /> : <span class="emoji">{choice.emoji}</span>}
              <bdi>{choice.label}</bdi>
            </div>
          ))}
        </div>
      )}
    </>
  );
}
