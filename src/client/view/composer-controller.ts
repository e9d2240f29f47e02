/**
 * Connects the input field with the composer's state. The field is uncontrolled, so a busy room never renders
 * it.
 */

import { effect, type Signal, untracked } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo } from 'preact/hooks';
import { parseText } from '../../shared/parse.js';
import { type ChatEvent, LIMITS } from '../../shared/protocol.js';
import { isGone } from '../../shared/reducer.js';
import { t } from '../i18n.js';
import { applyPendingChanges } from '../render/rows.js';
import { markMilestone } from '../render/scheduler.js';
import type { ComposerState } from '../room/composer.js';
import type { RoomSession } from '../room/session.js';
import { containsShortcodeStart, replaceShortcodes } from '../text/emoji.js';
import type { Completion } from './completion.js';
import { loadEmojiIndex, loadedEmojiIndex } from './emoji-loader.js';
import { touchOnly } from './layout.js';

/** The remaining length is shown from here on. */
const warnAtChars = LIMITS.textCodePoints - 500;

interface ComposerControllerDeps {
  readonly session: RoomSession;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly completion: Completion;
  readonly hint: Signal<string>;
}

export class ComposerController {
  readonly state: ComposerState;
  readonly #deps: ComposerControllerDeps;

  constructor(deps: ComposerControllerDeps) {
    this.#deps = deps;
    this.state = deps.session.composer;
  }

  get field(): HTMLTextAreaElement | null {
    return this.#deps.field.current;
  }

  /** The room was opened: typing goes to its composer, unless that would open an on-screen keyboard. */
  focusIfFree(): void {
    const { activeElement } = document;
    const isFree = activeElement === document.body || activeElement?.closest('.rooms') !== null;
    if (isFree && !touchOnly.peek()) this.field?.focus({ preventScroll: true });
  }

  get isEmpty(): boolean {
    return this.field?.value === '';
  }

  /** The room or the mode changed. */
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
    if (field.value !== '' && this.state.kind.peek() !== 'edit') this.#deps.session.notifyTyping();
    this.#deps.completion.update(field);
  }

  onCaretMove(): void {
    if (this.field && this.#deps.completion.open) this.#deps.completion.update(this.field);
  }

  send(): void {
    const prepared = parseText(withShortcodesReplaced(this.field?.value ?? ''));
    this.#deps.completion.close();
    this.field?.focus();
    if (!prepared.ok) {
      if (prepared.problem.code !== 'empty_text')
        this.#deps.hint.value = t.peek().problems[prepared.problem.code];
      else if (this.state.kind.peek() === 'edit') this.#deps.hint.value = t.peek().composer.emptyEdit;
      return;
    }
    this.#submit(prepared.value);
  }

  cancel(): void {
    this.state.reset();
    this.field?.focus();
  }

  editLast(): boolean {
    const message = lastOwnMessage(this.#deps.session);
    if (message) this.state.edit(message);
    return message !== undefined;
  }

  #submit(text: string): void {
    const isEdit = this.state.kind.peek() === 'edit';
    this.state.send(text);
    if (!isEdit) void this.#deps.session.room.toLatest();
    this.#setText(this.state.readText());
  }

  #setText(text: string): void {
    const { field } = this;
    if (!field) return;
    field.value = text;
    this.#syncMirror(field);
  }

  /** Sizes the field: the element behind it has the same text (composer.css). */
  #syncMirror(field: HTMLTextAreaElement): void {
    if (field.parentElement) field.parentElement.dataset['mirror'] = field.value;
    this.#deps.hint.value = remainingHint(field.value);
    if (containsShortcodeStart(field.value)) void loadEmojiIndex().catch(() => {}); // needed when the text is sent
  }
}

export function useComposerController(deps: ComposerControllerDeps): ComposerController {
  const controller = useMemo(() => new ComposerController(deps), [deps.session, deps.completion]);
  useLayoutEffect(() => controller.focusIfFree(), [controller]);
  // Synchronous, because the next keystroke may come before the next rendering.
  useLayoutEffect(
    () =>
      effect(() => {
        void controller.state.mode.value;
        untracked(() => controller.loadText());
        markMilestone('writable');
      }),
    [controller],
  );
  return controller;
}

function remainingHint(text: string): string {
  if (text.length <= warnAtChars) return '';
  const left = LIMITS.textCodePoints - [...text].length;
  const { left: some, tooMany } = t.peek().composer;
  return left > LIMITS.textCodePoints - warnAtChars ? '' : left < 0 ? tooMany(-left) : some(left);
}

/** Does not wait for the emoji data, because closing the tab would lose the message. */
function withShortcodesReplaced(text: string): string {
  const emojiIndex = loadedEmojiIndex();
  return emojiIndex ? replaceShortcodes(text, emojiIndex) : text;
}

/** The message that ArrowUp edits in an empty field, as it is shown. */
function lastOwnMessage({ room, pending }: RoomSession): ChatEvent | undefined {
  const me = room.me.peek();
  const own = room.timeline
    .peek()
    .events.filter((event): event is ChatEvent => event.type === 'chat' && event.user.id === me?.id)
    .map((event) => applyPendingChanges(event, pending.peek(), me));
  return own.findLast((event) => !isGone(event));
}
