/** Actions on messages, and which message is active, by keyboard, mouse and touch. One instance for all rows of a room. */

import { computed, signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { ChatEvent, User } from '../../shared/protocol.js';
import { isGone } from '../../shared/reducer.js';
import { addressPath } from '../address.js';
import { t } from '../i18n.js';
import type { PendingMessage } from '../outbox/outbox.js';
import { applyPendingChanges } from '../render/rows.js';
import { renderNow } from '../render/scheduler.js';
import type { ComposerState } from '../room/composer.js';
import type { RoomSession } from '../room/session.js';
import { findMessage } from '../room/timeline.js';
import type { Settings } from '../settings.js';
import { recentEmoji } from '../storage.js';
import { pickEmoji } from './emoji-loader.js';
import { IconButton, MoreIcon, ReactIcon, ReplyIcon } from './icons.js';
import { copyText } from './invitation.js';
import { focusComposer, idOf, rowOf } from './keyboard.js';
import { touchOnly } from './layout.js';
import { PopoverMenu } from './menu.js';
import type { ShownPerson } from './people.js';
import { Dates } from './timestamp.js';

/** Controls in a row are tab stops only while it is the current row. */
export interface RowContext {
  readonly actions: MessageActions;
  readonly tabIndex: 0 | -1;
}

export class MessageActions {
  readonly tabbable: RowContext = { actions: this, tabIndex: 0 };
  readonly untabbable: RowContext = { actions: this, tabIndex: -1 };
  readonly session: RoomSession;
  readonly settings: Settings;
  readonly composer: ComposerState;
  /** the focus came to its row by keyboard, so single keys are meant for it */
  focusedByKey = false;
  /** under the mouse; containing the focus; the tab stop */
  readonly hovered = signal<number | undefined>(undefined);
  readonly focused = signal<number | undefined>(undefined);
  readonly current = signal<number | undefined>(undefined);
  /** the mouse moved after the last focus change */
  readonly pointerActive = signal(true);
  /** the message that shows its toolbar */
  readonly active = computed(() => {
    const [hovered, focused] = [this.hovered.value, this.focused.value];
    return this.pointerActive.value ? (hovered ?? focused) : (focused ?? hovered);
  });
  readonly confirmingDelete = signal<number | undefined>(undefined);
  /** just revealed */
  readonly highlighted = signal<number | undefined>(undefined);
  /** whose card is open */
  readonly shownPerson = signal<ShownPerson | undefined>(undefined);
  /** for screen readers */
  readonly announcement = signal('');

  constructor(session: RoomSession, settings: Settings) {
    this.session = session;
    this.settings = settings;
    this.composer = session.composer;
  }

  clearFocus(): void {
    this.focused.value = undefined;
  }

  focusLast(): void {
    const rows = document.querySelectorAll<HTMLElement>('.message[data-id]');
    rows[rows.length - 1]?.focus({ preventScroll: true });
  }

  isMine(event: ChatEvent): boolean {
    return event.user.id === this.session.room.me.value?.id;
  }

  reply(event: ChatEvent): void {
    this.composer.reply(event);
    focusComposer();
  }

  edit(event: ChatEvent): void {
    if (!this.isMine(event)) return;
    this.composer.edit(event);
    focusComposer();
  }

  /** Renders at once, because the next key answers the question. */
  confirmDelete(event: ChatEvent): void {
    if (this.isMine(event))
      renderNow(() => {
        this.confirmingDelete.value = event.id;
      });
  }

  remove(event: ChatEvent): void {
    if (this.confirmingDelete.peek() !== event.id) return; // the second click of two
    this.confirmingDelete.value = undefined;
    this.session.remove(event.id);
    this.announce(t.peek().message.deleted);
    focusRow(event.id);
  }

  undoDelete({ cid, posting }: PendingMessage): void {
    this.session.discard(cid);
    if (posting.type !== 'chat') focusRow(posting.target);
  }

  cancelDelete(event: ChatEvent): void {
    this.confirmingDelete.value = undefined;
    focusRow(event.id);
  }

  toggleReaction(event: ChatEvent, emoji: string): void {
    const myId = this.session.room.me.peek()?.id;
    const { reactions } = shownMessage(this.session, event.id) ?? event; // a click may come before the last one is rendered
    const isGiven = reactions?.some(({ user, data }) => user.id === myId && data === emoji);
    if (isGiven) this.session.unreact(event.id, emoji);
    else this.session.react(event.id, emoji);
  }

  async pickReaction(event: ChatEvent, opener: Element): Promise<void> {
    this.focusedByKey = false; // letters typed while the picker loads are meant for it
    const emoji = await pickEmoji(opener);
    if (emoji !== undefined) this.session.react(event.id, emoji);
    focusRow(event.id);
    if (emoji !== undefined && touchOnly.peek()) this.clearFocus();
  }

  showPerson(user: User, opener: Element): void {
    this.shownPerson.value = { user, opener };
  }

  async copy(text: string): Promise<boolean> {
    const isCopied = await copyText(text);
    const { copied, notCopied } = t.peek().message;
    this.announce(isCopied ? copied : notCopied);
    return isCopied;
  }

  announce(text: string): void {
    this.announcement.value = text;
    setTimeout(() => {
      this.announcement.value = '';
    }, announcementMs);
  }

  linkTo(id: number): string {
    return addressPath({ room: this.session.name, id });
  }
}

/** A loaded message with the changes that still wait. */
export function shownMessage({ room, pending }: RoomSession, id: number): ChatEvent | undefined {
  const stored = findMessage(room.timeline.peek(), id);
  return stored && applyPendingChanges(stored, pending.peek(), room.me.peek());
}

export function focusRow(id: number): void {
  document.querySelector<HTMLElement>(`.message[data-id="${id}"]`)?.focus({ preventScroll: true });
}

interface ToolbarProps {
  readonly event: ChatEvent;
  readonly mine: boolean;
  readonly actions: MessageActions;
}

const announcementMs = 2_000;
const quickReactionCount = 3;
/** Unique, because one message is active. */
export const datesId = 'dates';

/** Sticky in a rail as high as the row, so that it stays visible in long messages (message.css). */
export function Toolbar({ editedAt, ...rest }: ToolbarProps & { readonly editedAt: number | undefined }) {
  const { at } = rest.event;
  return (
    <div class={editedAt === undefined ? 'toolbar-rail' : 'toolbar-rail two-lines'}>
      <div class="toolbar">
        <Dates id={datesId} at={at} edited={editedAt}>
          <NumberLink id={rest.event.id} actions={rest.actions} />
        </Dates>
        {!isGone(rest.event) && <ToolbarButtons {...rest} />}
      </div>
    </div>
  );
}

/** A link to a message. Its title explains why numbers are skipped. */
export function NumberLink({ id, actions }: { id: number; actions: MessageActions }) {
  const { number, numberHow } = t.value.message;
  return (
    <a class="number" href={actions.linkTo(id)} tabIndex={-1} aria-label={number(id)} title={numberHow(id)}>
      {`#${id}`}
    </a>
  );
}

function ToolbarButtons({ event, mine, actions }: ToolbarProps) {
  const { actions: label, react, reactWith, reply } = t.value.message;
  return (
    <div class="buttons" role="toolbar" aria-label={label}>
      {recentEmoji()
        .slice(0, quickReactionCount)
        .map((emoji) => (
          <IconButton
            class="tool emoji"
            key={emoji}
            label={reactWith(emoji)}
            onClick={() => actions.toggleReaction(event, emoji)}
            children={emoji}
          />
        ))}
      <IconButton
        class="tool pick"
        label={react}
        aria-haspopup="dialog"
        onClick={({ currentTarget }) => void actions.pickReaction(event, currentTarget)}
      >
        <ReactIcon />
      </IconButton>
      <IconButton label={reply} onClick={() => actions.reply(event)}>
        <ReplyIcon />
      </IconButton>
      <MoreMenu event={event} mine={mine} actions={actions} />
    </div>
  );
}

function MoreMenu({ event, mine, actions }: ToolbarProps) {
  const opener = useRef<HTMLButtonElement>(null);
  const label = t.value.message.moreActions;
  const id = `more-${event.id}`;
  const items = menuItems(event, mine, actions).map(([text, work]) => {
    const act = () => {
      focusRow(event.id);
      work();
    };
    return { text, act };
  });
  return (
    <>
      <IconButton label={label} ref={opener} popovertarget={id} aria-haspopup="menu">
        <MoreIcon />
      </IconButton>
      <PopoverMenu id={id} label={label} items={items} opener={() => opener.current} />
    </>
  );
}

type MessageMenuItem = readonly [text: string, action: () => void];

function menuItems(event: ChatEvent, isMine: boolean, actions: MessageActions): readonly MessageMenuItem[] {
  const { edit, remove, copyText, copyLink } = t.value.message;
  const url = new URL(actions.linkTo(event.id), location.href).href;
  const copyItems: readonly MessageMenuItem[] = [
    [copyText, () => void actions.copy(event.data)],
    [copyLink, () => void actions.copy(url)],
  ];
  if (!isMine) return copyItems;
  return [[edit, () => actions.edit(event)], ...copyItems, [remove, () => actions.confirmDelete(event)]];
}

/** Cancel has the focus: what is typed without looking deletes nothing. */
export function DeleteConfirmation({ event, actions }: Omit<ToolbarProps, 'mine'>) {
  const cancelButton = useRef<HTMLButtonElement>(null);
  const { confirmDelete, remove, cancel } = t.value.message;
  useLayoutEffect(() => cancelButton.current?.focus(), []);
  const close = () => actions.cancelDelete(event);
  const onKeyDown = (key: KeyboardEvent) => {
    if (key.key !== 'Escape') return;
    key.preventDefault();
    close();
  };
  return (
    <div class="confirm" role="alertdialog" aria-label={confirmDelete} onKeyDown={onKeyDown}>
      <span>{confirmDelete}</span>
      <button type="button" ref={cancelButton} onClick={close} children={cancel} />
      <button type="button" class="danger" onClick={() => actions.remove(event)} children={remove} />
    </div>
  );
}

/*
 * Mouse and touch. One message at a time is active and shows its toolbar. A tap activates a message; the next tap, anywhere,
 * deactivates it.
 */

/** Screen position of the mouse: rows that scroll under it do not become active. */
let lastPointer = { x: Number.NaN, y: Number.NaN };

export function handlePointerOver(event: PointerEvent, actions: MessageActions): void {
  if (event.pointerType !== 'mouse') return;
  const id = idOf(rowOf(event.target));
  actions.hovered.value = id;
  const { screenX: x, screenY: y } = event;
  const moved = x !== lastPointer.x || y !== lastPointer.y;
  lastPointer = { x, y };
  if (!moved || id === undefined || isToolbarInUse()) return;
  releaseFocus(id);
  actions.pointerActive.value = true;
}

/** By keyboard, or its menu is open. */
function isToolbarInUse(): boolean {
  return document.querySelector('.messages .toolbar:has(:focus-visible, :popover-open)') !== null;
}

/** Moves the focus from a clicked button to its row, because the button goes away. */
function releaseFocus(id: number): void {
  const { activeElement } = document;
  const row = activeElement?.closest('.toolbar') ? rowOf(activeElement) : null;
  if (row && idOf(row) !== id) row.focus({ preventScroll: true });
}

/** The last touch until its click: whether it began on the active message. */
let lastTouch: { readonly wasActive: boolean } | undefined;

/** A touch elsewhere deactivates the message. */
export function useTouchSelection(actions: MessageActions): void {
  useEffect(() => {
    const onPointerDown = (event: PointerEvent) => handleTouchDown(event, actions);
    document.addEventListener('pointerdown', onPointerDown, true);
    return () => document.removeEventListener('pointerdown', onPointerDown, true);
  }, [actions]);
}

function handleTouchDown({ pointerType, target }: PointerEvent, actions: MessageActions): void {
  actions.focusedByKey = false;
  lastTouch = undefined;
  if (pointerType === 'mouse' || !(target instanceof Element) || target.closest('dialog')) return;
  const id = idOf(rowOf(target));
  lastTouch = { wasActive: id !== undefined && id === actions.active.peek() };
  if (!lastTouch.wasActive) actions.clearFocus();
}

/** Not every mobile browser focuses a row on tap. */
export function handleClick({ target }: MouseEvent, actions: MessageActions): void {
  const touch = lastTouch;
  lastTouch = undefined;
  const row = rowOf(target);
  if (!row || !(target instanceof Element)) return;
  if (!touch) actions.focused.value = idOf(row);
  else if (target.closest('a, button')) handleUsed(target, actions);
  else if (getSelection()?.isCollapsed !== false)
    actions.focused.value = touch.wasActive ? undefined : idOf(row);
}

/** Deactivates the message unless the control opens a popup. Blurs, because the focus would reactivate it. */
function handleUsed(target: Element, actions: MessageActions): void {
  if (target.closest('[aria-haspopup]')) return;
  const { activeElement: at } = document;
  if (at instanceof HTMLElement && rowOf(at)) at.blur();
  actions.clearFocus();
}
