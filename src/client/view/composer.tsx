/**
 * The composer. It is never disabled, because the outbox takes messages at any time. Enter sends, Shift+Enter
 * adds a line.
 */

import { effect, type Signal, untracked, useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { parseText } from '../../shared/parse.js';
import { type ChatEvent, LIMITS } from '../../shared/protocol.js';
import { isGone } from '../../shared/reducer.js';
import { excerpt } from '../../shared/text.js';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import { applyPendingChanges } from '../render/rows.js';
import { markMilestone, renderNow } from '../render/scheduler.js';
import type { ComposerState } from '../room/composer.js';
import type { RoomSession } from '../room/session.js';
import { containsShortcodeStart, replaceShortcodes } from '../text/emoji.js';
import { parseMessage, plainText } from '../text/markdown.js';
import { Completion, CompletionList, completionListId, optionId } from './completion.js';
import { loadEmojiIndex, loadedEmojiIndex, pickEmoji } from './emoji-loader.js';
import { CloseIcon, EditIcon, EmojiIcon, IconButton, ReplyIcon, SendIcon } from './icons.js';
import { handleComposerKey, insertText } from './keyboard.js';
import { touchOnly } from './layout.js';

interface ComposerProps {
  readonly session: RoomSession;
  /** completes absent users */
  readonly app: Pick<App, 'people'>;
}

export function Composer({ session, app }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const hint = useSignal('');
  const completion = useMemo(
    () =>
      new Completion({
        peopleHere: () => session.room.people.peek().users,
        searchPeople: (query) => app.people(query),
      }),
    [session, app],
  );
  const controller = useComposerController({ session, field, completion, hint });
  const labels = t.value.composer;
  const kind = controller.state.kind.value;
  return (
    <form
      class={`composer ${kind}`}
      onSubmit={(event) => {
        event.preventDefault();
        controller.send();
      }}
    >
      <ModeLine
        composer={controller.state}
        onCancel={() => controller.cancel()}
        onShow={(id) => void session.goTo(id)}
      />
      <CompletionList completion={completion} field={() => field.current} />
      <Field session={session} controller={controller} completion={completion} field={field} />
      <button class="send" type="submit" aria-label={kind === 'edit' ? labels.save : labels.send}>
        <SendIcon />
      </button>
      <p class="hint" role="alert">
        {hint}
      </p>
    </form>
  );
}

interface FieldProps {
  readonly session: RoomSession;
  readonly controller: ComposerController;
  readonly completion: Completion;
  readonly field: { current: HTMLTextAreaElement | null };
}

function Field({ session, controller, completion, field }: FieldProps) {
  const labels = t.value.composer;
  const open = completion.open;
  const pick = async (opener: Element) => {
    const emoji = await pickEmoji(opener);
    if (emoji !== undefined && field.current) insertText(field.current, emoji);
    field.current?.focus();
  };
  return (
    <div class="field">
      <textarea
        ref={field}
        rows={1}
        name="text"
        aria-label={labels.label}
        placeholder={labels.placeholder(session.name)}
        aria-autocomplete="list"
        aria-controls={open ? completionListId : undefined}
        aria-activedescendant={open ? optionId(completion.selected.value) : undefined}
        autocomplete="off"
        enterkeyhint="send"
        dir="auto"
        onInput={() => controller.onInput()}
        onKeyDown={(event) => handleComposerKey(event, controller, completion)}
        onSelect={() => controller.onCaretMove()}
        onBlur={() => completion.close()}
      />
      <IconButton
        label={labels.emoji}
        aria-haspopup="dialog"
        onClick={({ currentTarget }) => void pick(currentTarget)}
      >
        <EmojiIcon />
      </IconButton>
    </div>
  );
}

interface ModeLineProps {
  readonly composer: ComposerState;
  readonly onCancel: () => void;
  readonly onShow: (id: number) => void;
}

const maxTargetChars = 200;

/** Shows which message is edited or replied to. */
function ModeLine({ composer: state, onCancel, onShow }: ModeLineProps) {
  const { editing, replying, cancel: cancelLabel } = t.value.composer;
  const isEdit = state.kind.value === 'edit';
  const message = state.target.value;
  if (!message) return null;
  const { id, user } = message;
  const text = isGone(message)
    ? t.value.message.deleted
    : excerpt(plainText(parseMessage(message)), maxTargetChars);
  return (
    <div class="mode">
      {isEdit ? <EditIcon /> : <ReplyIcon />}
      <button class="target" type="button" onClick={() => onShow(id)}>
        <span>{isEdit ? editing(id) : replying(user.name, id)}</span> <bdi>{text}</bdi>
      </button>
      <IconButton label={cancelLabel} onClick={onCancel}>
        <CloseIcon />
      </IconButton>
    </div>
  );
}

/** The remaining length is shown from here on. */
const warnAtChars = LIMITS.textCodePoints - 500;

interface ComposerControllerDeps {
  readonly session: RoomSession;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly completion: Completion;
  readonly hint: Signal<string>;
}

/** Connects the field with the composer's state. The field is uncontrolled, so a busy room never renders it. */
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

  /** Renders at once, because the next key may move the focus to what goes away. */
  cancel(): void {
    renderNow(() => this.state.reset());
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

function useComposerController(deps: ComposerControllerDeps): ComposerController {
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

/**
 * The message that ArrowUp edits in an empty field, as it is shown. None while a later one has no number yet: the text would
 * replace that of the message before it.
 */
function lastOwnMessage({ room, pending, isPosting }: RoomSession): ChatEvent | undefined {
  if (isPosting) return undefined;
  const me = room.me.peek();
  const own = room.timeline
    .peek()
    .events.filter((event): event is ChatEvent => event.type === 'chat' && event.user.id === me?.id)
    .map((event) => applyPendingChanges(event, pending.peek(), me));
  return own.findLast((event) => !isGone(event));
}
