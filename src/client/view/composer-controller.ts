/** The hand at the field: what is written, kept, sent. The field keeps its own text, so a busy room redraws none of it. */
import { effect, type Signal, untracked } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo } from 'preact/hooks';
import { type ChatEvent, LIMITS } from '../../shared/protocol.js';
import { t } from '../i18n.js';
import { markMilestone } from '../render/scheduler.js';
import { type ComposerState, composerStateOf } from '../room/composer.js';
import type { RoomSession } from '../room/session.js';
import { containsShortcodeStart, replaceShortcodes } from '../text/emoji.js';
import type { Completion } from './completion.js';
import { loadEmojiIndex, loadedEmojiIndex } from './emoji-loader.js';

/** From here on it is said how much room is left. */
const warnAtChars = LIMITS.textCodePoints - 500;

interface ComposerControllerDeps {
  readonly place: RoomSession;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly completion: Completion;
  readonly hint: Signal<string>;
}

export class ComposerController {
  readonly state: ComposerState;
  readonly #deps: ComposerControllerDeps;

  constructor(parts: ComposerControllerDeps) {
    this.#deps = parts;
    this.state = composerStateOf(parts.place);
  }

  get field(): HTMLTextAreaElement | null {
    return this.#deps.field.current;
  }

  get isEmpty(): boolean {
    return this.field?.value === '';
  }

  /** Shows what is being written here: another room, or another thing to write. */
  loadText(): void {
    this.#setText(this.state.readText());
    this.#deps.completion.close();
    const { field } = this;
    if (field && document.activeElement === field)
      field.setSelectionRange(field.value.length, field.value.length);
  }

  onInput(): void {
    const { field } = this;
    if (!field) return;
    this.#syncMirror(field);
    this.state.setText(field.value);
    if (field.value !== '' && this.state.mode.peek().kind !== 'edit') this.#deps.place.notifyTyping();
    this.#deps.completion.update(field);
  }

  onCaretMove(): void {
    if (this.field && this.#deps.completion.open) this.#deps.completion.update(this.field);
  }

  send(): void {
    const whole = this.state.prepare(withShortcodesReplaced(this.field?.value ?? ''));
    this.#deps.completion.close();
    this.field?.focus();
    if (!whole.ok) {
      if (whole.problem.code !== 'empty_text') this.#deps.hint.value = t.peek().problems[whole.problem.code];
      else if (this.state.mode.peek().kind === 'edit') this.#deps.hint.value = t.peek().composer.emptyEdit;
      return;
    }
    this.#submit(whole.value);
  }

  cancel(): void {
    this.state.reset();
    this.field?.focus();
  }

  editLast(): boolean {
    const message = lastOwnMessage(this.#deps.place);
    if (message) this.state.edit(message);
    return message !== undefined;
  }

  #submit(text: string): void {
    const edits = this.state.mode.peek().kind === 'edit';
    this.state.send(text);
    if (!edits) this.#scrollToLatest();
    this.#setText(this.state.readText());
  }

  /** One wants to see what one has said. */
  #scrollToLatest(): void {
    void this.#deps.place.room.toLatest();
  }

  #setText(text: string): void {
    const { field } = this;
    if (!field) return;
    field.value = text;
    this.#syncMirror(field);
  }

  /** The mirror behind the field takes the text and makes it as tall as it needs (composer.css). */
  #syncMirror(field: HTMLTextAreaElement): void {
    if (field.parentElement) field.parentElement.dataset['mirror'] = field.value;
    this.#deps.hint.value = remainingHint(field.value);
    if (containsShortcodeStart(field.value)) void loadEmojiIndex().catch(() => {}); // will be wanted when it is sent
  }
}

export function useComposerController(
  place: RoomSession,
  field: RefObject<HTMLTextAreaElement | null>,
  completion: Completion,
  hint: Signal<string>,
): ComposerController {
  const pen = useMemo(() => new ComposerController({ place, field, completion, hint }), [place, completion]);
  // At once, not with the next drawing: the next letter may be quicker.
  useLayoutEffect(
    () =>
      effect(() => {
        void pen.state.mode.value;
        untracked(() => pen.loadText());
        markMilestone('writable');
      }),
    [pen],
  );
  return pen;
}

function remainingHint(text: string): string {
  if (text.length <= warnAtChars) return '';
  const left = LIMITS.textCodePoints - [...text].length;
  const { left: some, tooMany } = t.peek().composer;
  return left > LIMITS.textCodePoints - warnAtChars ? '' : left < 0 ? tooMany(-left) : some(left);
}

/** With its emoji, if their names are here by now. Nothing waits for them: it would be lost with the tab. */
function withShortcodesReplaced(text: string): string {
  const book = loadedEmojiIndex();
  return book ? replaceShortcodes(text, book) : text;
}

/** The message that the Up-arrow in an empty field means. */

export function lastOwnMessage({ room }: RoomSession): ChatEvent | undefined {
  const me = room.me.peek()?.id;
  return room.transcript
    .peek()
    .events.findLast(
      (event): event is ChatEvent =>
        event.type === 'chat' && event.user.id === me && event.deleted === undefined,
    );
}
