/**
 * Completion of users after @ and of emoji after a colon. The focus stays in the field, which names the
 * option by aria-activedescendant. ARIA allows comboboxes a single line only, so the field stays a textbox.
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
import { Avatar } from './icons.js';
import { insertText } from './keyboard.js';

interface Choice {
  readonly key: string;
  /** the text to insert */
  readonly text: string;
  readonly label: string;
  readonly user?: User;
  readonly emoji?: string;
}

interface CompletionDeps {
  readonly peopleHere: () => readonly User[];
  readonly searchPeople: (query: string) => Promise<readonly User[]>;
}

type ShowChoices = (choices: readonly Choice[], selected?: Choice) => void;

const maxEmojiChoices = 8;

export class Completion {
  readonly #deps: CompletionDeps;
  readonly #choices = signal<readonly Choice[]>([]);
  readonly #selected = signal(0);
  readonly choices: ReadonlySignal<readonly Choice[]> = this.#choices;
  readonly selected: ReadonlySignal<number> = this.#selected;
  #query: CompletionQuery | undefined;
  #request = 0;
  /** a query that the server knows nobody for, and so for none that goes on from it */
  #unmatched: string | undefined;

  constructor(deps: CompletionDeps) {
    this.#deps = deps;
  }

  get open(): boolean {
    return this.#choices.value.length > 0;
  }

  /** The selected option is typed in full already. */
  get isExact(): boolean {
    const user = this.#choices.peek()[this.#selected.peek()]?.user;
    return user !== undefined && isExactMatch(this.#query?.query ?? '', user.name);
  }

  /** The text or the caret changed. */
  update(field: HTMLTextAreaElement): void {
    const isCaret = field.selectionStart === field.selectionEnd;
    const query = isCaret ? completionAt(field.value, field.selectionStart) : undefined;
    this.#query = query;
    const request = ++this.#request;
    if (!query) {
      this.#unmatched = undefined;
      this.close();
      return;
    }
    const show: ShowChoices = (choices, selected) => {
      if (request === this.#request) this.#show(choices, selected);
    };
    if (query.kind === 'person') void this.#people(query.query, show);
    else void emojiChoices(query.query).then(show, () => {});
  }

  close(): void {
    this.#request++;
    this.#show([]);
  }

  move(step: number): void {
    const count = this.#choices.peek().length;
    this.#selected.value = (this.#selected.peek() + step + count) % count;
  }

  choose(field: HTMLTextAreaElement, choice = this.#choices.peek()[this.#selected.peek()]): void {
    const query = this.#query;
    this.close();
    if (!choice || !query) return;
    const { text, caret } = applyCompletion(field.value, query, choice.text);
    const rest = field.value.length - query.to;
    insertText(field, text.slice(query.from, text.length - rest), query.from, query.to);
    field.setSelectionRange(caret, caret);
    this.close(); // the inserted text looks like a new query
  }

  /** Shows present users at once, others when the server answers. A user that was moved to stays selected. */
  async #people(query: string, show: ShowChoices): Promise<void> {
    const here = this.#deps.peopleHere();
    show(rankCandidates(query, here, []).map(userChoice));
    if (query === '' || (this.#unmatched !== undefined && query.startsWith(this.#unmatched))) return;
    await new Promise((resolve) => setTimeout(resolve, 120)); // debounce
    if (this.#query?.query !== query) return;
    const found = await this.#deps.searchPeople(query);
    if (found.length === 0) this.#unmatched = query;
    const moved = this.#selected.peek() > 0 ? this.#choices.peek()[this.#selected.peek()] : undefined;
    show(rankCandidates(query, here, found).map(userChoice), moved);
  }

  #show(choices: readonly Choice[], selected?: Choice): void {
    batch(() => {
      this.#choices.value = choices;
      this.#selected.value = Math.max(
        0,
        choices.findIndex(({ key }) => key === selected?.key),
      );
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

/** Prefers the shortcode that matches the query. */
function labelOf(codes: readonly string[], label: string, query: string): string {
  const code = codes.find((name) => name.startsWith(query.toLowerCase())) ?? codes[0];
  return code === undefined ? label : `:${code}:`;
}

export const completionListId = 'completion';

export function optionId(index: number): string {
  return `${completionListId}-${index}`;
}

interface CompletionListProps {
  readonly completion: Completion;
  readonly field: () => HTMLTextAreaElement | null;
}

export function CompletionList({ completion, field }: CompletionListProps) {
  const choices = completion.choices.value;
  const selected = completion.selected.value;
  const { suggestions, suggested } = t.value.composer;
  const choose = (choice: Choice) => {
    const element = field();
    if (element) completion.choose(element, choice); // by itself, for the list may have changed since it was drawn
  };
  return (
    <>
      <p class="visually-hidden" role="status">
        {choices.length > 0 ? suggested(choices.length) : ''}
      </p>
      {choices.length > 0 && (
        <div class="choices" id={completionListId} role="listbox" aria-label={suggestions}>
          {choices.map((choice, index) => (
            <CompletionOption
              key={choice.key}
              choice={choice}
              index={index}
              isSelected={index === selected}
              onChoose={() => choose(choice)}
            />
          ))}
        </div>
      )}
    </>
  );
}

interface CompletionOptionProps {
  readonly choice: Choice;
  readonly index: number;
  readonly isSelected: boolean;
  readonly onChoose: () => void;
}

/** Pointer events are prevented, because the field must keep the focus. */
function CompletionOption({ choice, index, isSelected, onChoose }: CompletionOptionProps) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the field, which keeps the focus, handles the keys
    <div
      id={optionId(index)}
      role="option"
      tabIndex={-1}
      aria-selected={isSelected}
      onPointerDown={(event) => event.preventDefault()}
      onMouseDown={(event) => event.preventDefault()}
      onClick={onChoose}
    >
      {choice.user ? <Avatar user={choice.user} /> : <span class="emoji">{choice.emoji}</span>}
      <bdi>{choice.label}</bdi>
    </div>
  );
}
