/**
 * What can be completed at the caret: people after @, emoji after a colon. The focus stays in the field, which names the
 * choice by aria-activedescendant. (It stays a textbox: a combobox has one line only, says ARIA.)
 */
import { batch, type ReadonlySignal, signal } from '@preact/signals';
import type { User } from '../../shared/protocol.js';
import { type Begun, begunAt, candidates, completed, isWhole } from '../state/complete.js';
import { findEmoji } from '../state/emoji.js';
import { words } from '../words.js';
import { Avatar } from './avatar.js';
import { emojiBook } from './emoji.js';
import { insert } from './field.js';

export interface Choice {
  readonly key: string;
  /** what is put into the text */
  readonly text: string;
  readonly label: string;
  readonly user?: User;
  readonly emoji?: string;
}

export interface CompletionParts {
  readonly here: () => readonly User[];
  readonly people: (query: string) => Promise<readonly User[]>;
}

const MOST = 8;

export class Completion {
  readonly #parts: CompletionParts;
  readonly #choices = signal<readonly Choice[]>([]);
  readonly #at = signal(0);
  #begun: Begun | undefined;
  #asked = 0;

  constructor(parts: CompletionParts) {
    this.#parts = parts;
  }

  get choices(): ReadonlySignal<readonly Choice[]> {
    return this.#choices;
  }
  get at(): ReadonlySignal<number> {
    return this.#at;
  }
  get open(): boolean {
    return this.#choices.value.length > 0;
  }

  /** What is chosen stands there already. */
  get whole(): boolean {
    const user = this.#choices.peek()[this.#at.peek()]?.user;
    return user !== undefined && isWhole(this.#begun?.query ?? '', user.name);
  }

  /** The text or the caret has changed. */
  look(field: HTMLTextAreaElement): void {
    const one = field.selectionStart === field.selectionEnd;
    const begun = one ? begunAt(field.value, field.selectionStart) : undefined;
    this.#begun = begun;
    const asked = ++this.#asked;
    if (!begun) {
      this.close();
      return;
    }
    const show = (choices: readonly Choice[]) => {
      if (asked === this.#asked) this.#show(choices);
    };
    if (begun.kind === 'person') void this.#people(begun.query, show);
    else void emojis(begun.query).then(show, () => {});
  }

  close(): void {
    this.#asked++;
    this.#show([]);
  }

  move(step: number): void {
    const count = this.#choices.peek().length;
    this.#at.value = (this.#at.peek() + step + count) % count;
  }

  choose(field: HTMLTextAreaElement, index = this.#at.peek()): void {
    const choice = this.#choices.peek()[index];
    const begun = this.#begun;
    this.close();
    if (!choice || !begun) return;
    const { text, caret } = completed(field.value, begun, choice.text);
    const rest = field.value.length - begun.to;
    insert(field, text.slice(begun.from, text.length - rest), begun.from, begun.to);
    field.setSelectionRange(caret, caret);
    this.close(); // what was put in looks like a beginning again
  }

  /** Those here at once, the others when the server has said who they are. */
  async #people(query: string, show: (choices: readonly Choice[]) => void): Promise<void> {
    const here = this.#parts.here();
    show(candidates(query, here, []).map(ofUser));
    if (query === '') return;
    await new Promise((resolve) => setTimeout(resolve, 120)); // not at each stroke
    if (this.#begun?.query !== query) return;
    show(candidates(query, here, await this.#parts.people(query)).map(ofUser));
  }

  #show(choices: readonly Choice[]): void {
    batch(() => {
      this.#choices.value = choices;
      this.#at.value = 0;
    });
  }
}

function ofUser(user: User): Choice {
  return { key: user.id, text: `@${user.name}`, label: user.name, user };
}

async function emojis(query: string): Promise<readonly Choice[]> {
  return findEmoji(await emojiBook(), query, MOST).map(({ char, label, codes }) => ({
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

export const LIST_ID = 'completion';

export function optionId(index: number): string {
  return `${LIST_ID}-${index}`;
}

/** The list above the field. A click must not take the focus from the field. */
export function Choices({
  completion,
  field,
}: {
  completion: Completion;
  field: () => HTMLTextAreaElement | null;
}) {
  const choices = completion.choices.value;
  const at = completion.at.value;
  const { suggestions, suggested } = words.value.composer;
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
        <div class="choices" id={LIST_ID} role="listbox" aria-label={suggestions}>
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
