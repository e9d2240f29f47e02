/** The hand at the field: what is written, kept, sent. The field keeps its own text, so a busy room redraws none of it. */
import { effect, type Signal, untracked } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo } from 'preact/hooks';
import { LIMITS } from '../../shared/protocol.js';
import { reach } from '../milestones.js';
import type { Place } from '../place.js';
import { beginsShortcode, withEmoji } from '../state/emoji.js';
import { type Writing, writingIn } from '../state/writing.js';
import { words } from '../words.js';
import type { Completion } from './completion.js';
import { emojiBook, loadedBook } from './emoji.js';
import { lastOfMine } from './mine.js';

/** From here on it is said how much room is left. */
const WARN_AT = LIMITS.textCodePoints - 500;

interface PenParts {
  readonly place: Place;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly completion: Completion;
  readonly hint: Signal<string>;
}

export class Pen {
  readonly writing: Writing;
  readonly #parts: PenParts;

  constructor(parts: PenParts) {
    this.#parts = parts;
    this.writing = writingIn(parts.place);
  }

  get field(): HTMLTextAreaElement | null {
    return this.#parts.field.current;
  }

  get empty(): boolean {
    return this.field?.value === '';
  }

  /** Shows what is being written here: another room, or another thing to write. */
  load(): void {
    this.#write(this.writing.read());
    this.#parts.completion.close();
    const { field } = this;
    if (field && document.activeElement === field)
      field.setSelectionRange(field.value.length, field.value.length);
  }

  changed(): void {
    const { field } = this;
    if (!field) return;
    this.#mirror(field);
    this.writing.keep(field.value);
    if (field.value !== '' && this.writing.mode.peek().kind !== 'edit') this.#parts.place.typing();
    this.#parts.completion.look(field);
  }

  caretMoved(): void {
    if (this.field && this.#parts.completion.open) this.#parts.completion.look(this.field);
  }

  send(): void {
    const whole = this.writing.whole(named(this.field?.value ?? ''));
    this.#parts.completion.close();
    this.field?.focus();
    if (!whole.ok) {
      if (whole.problem.code !== 'empty_text')
        this.#parts.hint.value = words.peek().problems[whole.problem.code];
      else if (this.writing.mode.peek().kind === 'edit')
        this.#parts.hint.value = words.peek().composer.emptyEdit;
      return;
    }
    this.#say(whole.value);
  }

  leave(): void {
    this.writing.leave();
    this.field?.focus();
  }

  editLast(): boolean {
    const message = lastOfMine(this.#parts.place);
    if (message) this.writing.edit(message);
    return message !== undefined;
  }

  #say(text: string): void {
    const edits = this.writing.mode.peek().kind === 'edit';
    this.writing.send(text);
    if (!edits) this.#follow();
    this.#write(this.writing.read());
  }

  /** One wants to see what one has said. */
  #follow(): void {
    void this.#parts.place.room.toLatest();
  }

  #write(text: string): void {
    const { field } = this;
    if (!field) return;
    field.value = text;
    this.#mirror(field);
  }

  /** The mirror behind the field takes the text and makes it as tall as it needs (composer.css). */
  #mirror(field: HTMLTextAreaElement): void {
    if (field.parentElement) field.parentElement.dataset['mirror'] = field.value;
    this.#parts.hint.value = roomLeft(field.value);
    if (beginsShortcode(field.value)) void emojiBook().catch(() => {}); // will be wanted when it is sent
  }
}

export function usePen(
  place: Place,
  field: RefObject<HTMLTextAreaElement | null>,
  completion: Completion,
  hint: Signal<string>,
): Pen {
  const pen = useMemo(() => new Pen({ place, field, completion, hint }), [place, completion]);
  // At once, not with the next drawing: the next letter may be quicker.
  useLayoutEffect(
    () =>
      effect(() => {
        void pen.writing.mode.value;
        untracked(() => pen.load());
        reach('writable');
      }),
    [pen],
  );
  return pen;
}

function roomLeft(text: string): string {
  if (text.length <= WARN_AT) return '';
  const left = LIMITS.textCodePoints - [...text].length;
  const { left: some, tooMany } = words.peek().composer;
  return left > LIMITS.textCodePoints - WARN_AT ? '' : left < 0 ? tooMany(-left) : some(left);
}

/** With its emoji, if their names are here by now. Nothing waits for them: it would be lost with the tab. */
function named(text: string): string {
  const book = loadedBook();
  return book ? withEmoji(text, book) : text;
}
