/**
 * What can be done with the messages of one room, and which of them has the hand on it. One for all rows: a row is told
 * by its properties what concerns it.
 */
import { computed, signal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { ChatEvent } from '../../shared/protocol.js';
import { t } from '../i18n.js';
import { type ComposerState, composerStateOf } from '../room/composer.js';
import type { RoomSession } from '../room/session.js';
import { recentEmoji } from '../storage.js';
import { pickEmoji } from './emoji-loader.js';
import { MoreIcon, ReactIcon, ReplyIcon } from './icons.js';
import { placePopover, touchOnly } from './layout.js';
import { Dates } from './timestamp.js';

/** Links and buttons within a row are in the order of Tab only while it is the current one. */
export interface RowContext {
  readonly tools: MessageActions;
  readonly tabIndex: 0 | -1;
}

export class MessageActions {
  readonly tabbable: RowContext = { tools: this, tabIndex: 0 };
  readonly untabbable: RowContext = { tools: this, tabIndex: -1 };
  readonly place: RoomSession;
  readonly composer: ComposerState;
  /** under the mouse; with the focus in it; where Tab comes in */
  readonly hovered = signal<number | undefined>(undefined);
  readonly focused = signal<number | undefined>(undefined);
  readonly current = signal<number | undefined>(undefined);
  /** the mouse was moved after the focus */
  readonly pointerActive = signal(true);
  /** the one in hand: its toolbar is shown */
  readonly active = computed(() => {
    const [hovered, focused] = [this.hovered.value, this.focused.value];
    return this.pointerActive.value ? (hovered ?? focused) : (focused ?? hovered);
  });
  /** whether it is really to be deleted */
  readonly confirmingDelete = signal<number | undefined>(undefined);
  /** just brought into view */
  readonly highlighted = signal<number | undefined>(undefined);
  /** for those who do not see that something was done */
  readonly announcement = signal('');

  constructor(place: RoomSession) {
    this.place = place;
    this.composer = composerStateOf(place);
  }

  /** Nothing is in hand any more. */
  clearFocus(): void {
    this.focused.value = undefined;
  }

  isMine(event: ChatEvent): boolean {
    return event.user.id === this.place.room.me.value?.id;
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

  confirmDelete(event: ChatEvent): void {
    if (this.isMine(event)) this.confirmingDelete.value = event.id;
  }

  remove(event: ChatEvent): void {
    this.confirmingDelete.value = undefined;
    this.place.remove(event.id);
    focusRow(event.id);
  }

  cancelDelete(event: ChatEvent): void {
    this.confirmingDelete.value = undefined;
    focusRow(event.id);
  }

  /** Joins in, or takes back. */
  toggleReaction(event: ChatEvent, emoji: string): void {
    const me = this.place.room.me.peek()?.id;
    const given = event.reactions?.some(({ user, data }) => user.id === me && data === emoji);
    if (given) this.place.unreact(event.id, emoji);
    else this.place.react(event.id, emoji);
  }

  async pickReaction(event: ChatEvent, opener: Element): Promise<void> {
    const emoji = await pickEmoji(opener);
    if (emoji !== undefined) this.place.react(event.id, emoji);
    focusRow(event.id);
    if (emoji !== undefined && touchOnly.peek()) this.clearFocus();
  }

  async copy(text: string): Promise<boolean> {
    const done = await copyText(text);
    const { copied, notCopied } = t.peek().message;
    this.announcement.value = done ? copied : notCopied;
    setTimeout(() => {
      this.announcement.value = '';
    }, 2_000);
    return done;
  }

  linkTo(id: number): string {
    return `/r/${encodeURIComponent(this.place.name)}#${id}`;
  }
}

function focusComposer(): void {
  document.querySelector<HTMLElement>('.composer textarea')?.focus();
}

export function focusRow(id: number): void {
  document.querySelector<HTMLElement>(`.message[data-id="${id}"]`)?.focus({ preventScroll: true });
}

/**
 * What is over the message in hand: when it was said, and what can be done with it: a few reactions, an answer, and a
 * menu with the rest.
 */

interface ToolbarProps {
  readonly event: ChatEvent;
  readonly mine: boolean;
  readonly tools: MessageActions;
}

const quickReactionCount = 3;
/** Only one message is in hand. */
export const datesId = 'dates';

/** It stays in view while any of its message is: it sticks within a rail as long as the row (message.css). */
export function Toolbar({ editedAt, ...rest }: ToolbarProps & { readonly editedAt: number | undefined }) {
  const { at, deleted } = rest.event;
  return (
    <div class={editedAt === undefined ? 'rail' : 'rail twice'}>
      <div class="tools">
        <Dates id={datesId} at={at} edited={editedAt} />
        {deleted === undefined && <ToolbarButtons {...rest} />}
      </div>
    </div>
  );
}

function ToolbarButtons({ event, mine, tools }: ToolbarProps) {
  const { actions, react, reactWith, reply } = t.value.message;
  return (
    <div class="buttons" role="toolbar" aria-label={actions}>
      {recentEmoji()
        .slice(0, quickReactionCount)
        .map((emoji) => (
          <button
            class="tool emoji"
            type="button"
            key={emoji}
            aria-label={reactWith(emoji)}
            title={reactWith(emoji)}
            onClick={() => tools.toggleReaction(event, emoji)}
          >
            {emoji}
          </button>
        ))}
      <button
        class="tool pick"
        type="button"
        aria-label={react}
        aria-haspopup="dialog"
        title={react}
        onClick={({ currentTarget }) => void tools.pickReaction(event, currentTarget)}
      >
        <ReactIcon />
      </button>
      <button class="tool" type="button" aria-label={reply} title={reply} onClick={() => tools.reply(event)}>
        <ReplyIcon />
      </button>
      <MoreMenu event={event} mine={mine} tools={tools} />
    </div>
  );
}

/** By the browser's own popover: Esc and a click beside it close it, and the focus goes back to the button. */
function MoreMenu({ event, mine, tools }: ToolbarProps) {
  const box = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const { moreActions: more, edit, remove, copyText, copyLink } = t.value.message;
  const id = `more-${event.id}`;
  const opened = ({ newState }: { readonly newState: string }) => {
    if (newState !== 'open' || !box.current || !opener.current) return;
    placePopover(box.current, opener.current);
    box.current.querySelector('button')?.focus();
  };
  const act = (work: () => void) => () => {
    box.current?.hidePopover();
    focusRow(event.id);
    work();
  };
  const items: readonly (readonly [string, () => void])[] = [
    ...(mine ? ([[edit, () => tools.edit(event)]] as const) : []),
    [copyText, () => void tools.copy(event.data)],
    [copyLink, () => void tools.copy(new URL(tools.linkTo(event.id), location.href).href)],
    ...(mine ? ([[remove, () => tools.confirmDelete(event)]] as const) : []),
  ];
  return (
    <>
      <button
        class="tool"
        type="button"
        ref={opener}
        popovertarget={id}
        aria-haspopup="menu"
        aria-label={more}
        title={more}
      >
        <MoreIcon />
      </button>
      <div
        class="more"
        id={id}
        popover="auto"
        role="menu"
        aria-label={more}
        ref={box}
        onToggle={opened}
        onKeyDown={handleMenuKey}
      >
        {items.map(([text, work]) => (
          <button type="button" role="menuitem" tabIndex={-1} key={text} onClick={act(work)}>
            {text}
          </button>
        ))}
      </div>
    </>
  );
}

const menuSteps: Readonly<Record<string, (at: number, count: number) => number>> = {
  ArrowDown: (at, count) => (at + 1) % count,
  ArrowUp: (at, count) => (at + count - 1) % count,
  Home: () => 0,
  End: (_at, count) => count - 1,
};

function handleMenuKey(event: KeyboardEvent): void {
  const { currentTarget } = event;
  if (!(currentTarget instanceof HTMLElement)) return;
  if (event.key === 'Tab' || event.key === 'Escape') {
    event.preventDefault();
    event.stopPropagation();
    currentTarget.hidePopover();
    return;
  }
  const step = menuSteps[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  const items = [...currentTarget.querySelectorAll('button')];
  items[
    step(
      items.findIndex((item) => item.matches(':focus')),
      items.length,
    )
  ]?.focus();
}

/** Deleting asks once. */
export function DeleteConfirmation({ event, tools }: Omit<ToolbarProps, 'mine'>) {
  const sure = useRef<HTMLButtonElement>(null);
  const { confirmDelete, remove, cancel } = t.value.message;
  useLayoutEffect(() => sure.current?.focus(), []);
  return (
    <div
      class="ask"
      role="alertdialog"
      aria-label={confirmDelete}
      onKeyDown={(key) => {
        if (key.key !== 'Escape') return;
        key.preventDefault();
        tools.cancelDelete(event);
      }}
    >
      <span>{confirmDelete}</span>
      <button type="button" class="sure" ref={sure} onClick={() => tools.remove(event)}>
        {remove}
      </button>
      <button type="button" onClick={() => tools.cancelDelete(event)}>
        {cancel}
      </button>
    </div>
  );
}

/** Puts a text on the clipboard; true when it is there. Over plain http browsers have only the old way. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const before = document.activeElement;
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'unseen';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  return done;
}
