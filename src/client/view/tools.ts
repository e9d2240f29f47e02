/**
 * What can be done with the messages of one room, and which of them has the hand on it. One for all rows: a row is told
 * by its properties what concerns it.
 */
import { computed, signal } from '@preact/signals';
import type { ChatEvent } from '../../shared/protocol.js';
import type { Place } from '../place.js';
import { type Writing, writingIn } from '../state/writing.js';
import { words } from '../words.js';
import { copyText } from './copy.js';
import { pickEmoji } from './emoji.js';
import { byFinger } from './media.js';

/** Links and buttons within a row are in the order of Tab only while it is the current one. */
export interface Hand {
  readonly tools: Tools;
  readonly tab: 0 | -1;
}

export class Tools {
  readonly within: Hand = { tools: this, tab: 0 };
  readonly without: Hand = { tools: this, tab: -1 };
  readonly place: Place;
  readonly writing: Writing;
  /** under the mouse; with the focus in it; where Tab comes in */
  readonly hovered = signal<number | undefined>(undefined);
  readonly focused = signal<number | undefined>(undefined);
  readonly current = signal<number | undefined>(undefined);
  /** the mouse was moved after the focus */
  readonly pointing = signal(true);
  /** the one in hand: its toolbar is shown */
  readonly active = computed(() => {
    const [hovered, focused] = [this.hovered.value, this.focused.value];
    return this.pointing.value ? (hovered ?? focused) : (focused ?? hovered);
  });
  /** whether it is really to be deleted */
  readonly asking = signal<number | undefined>(undefined);
  /** just brought into view */
  readonly found = signal<number | undefined>(undefined);
  /** for those who do not see that something was done */
  readonly told = signal('');

  constructor(place: Place) {
    this.place = place;
    this.writing = writingIn(place);
  }

  /** Nothing is in hand any more. */
  leave(): void {
    this.focused.value = undefined;
  }

  mine(event: ChatEvent): boolean {
    return event.user.id === this.place.room.me.value?.id;
  }

  reply(event: ChatEvent): void {
    this.writing.reply(event);
    toField();
  }

  edit(event: ChatEvent): void {
    if (!this.mine(event)) return;
    this.writing.edit(event);
    toField();
  }

  askToRemove(event: ChatEvent): void {
    if (this.mine(event)) this.asking.value = event.id;
  }

  remove(event: ChatEvent): void {
    this.asking.value = undefined;
    this.place.remove(event.id);
    focusRow(event.id);
  }

  keep(event: ChatEvent): void {
    this.asking.value = undefined;
    focusRow(event.id);
  }

  /** Joins in, or takes back. */
  toggle(event: ChatEvent, emoji: string): void {
    const me = this.place.room.me.peek()?.id;
    const given = event.reactions?.some(({ user, data }) => user.id === me && data === emoji);
    if (given) this.place.unreact(event.id, emoji);
    else this.place.react(event.id, emoji);
  }

  async pick(event: ChatEvent, opener: Element): Promise<void> {
    const emoji = await pickEmoji(opener);
    if (emoji !== undefined) this.place.react(event.id, emoji);
    focusRow(event.id);
    if (emoji !== undefined && byFinger.peek()) this.leave();
  }

  async copy(text: string): Promise<boolean> {
    const done = await copyText(text);
    const { copied, notCopied } = words.peek().message;
    this.told.value = done ? copied : notCopied;
    setTimeout(() => {
      this.told.value = '';
    }, 2_000);
    return done;
  }

  linkTo(id: number): string {
    return `/r/${encodeURIComponent(this.place.name)}#${id}`;
  }
}

function toField(): void {
  document.querySelector<HTMLElement>('.composer textarea')?.focus();
}

export function focusRow(id: number): void {
  document.querySelector<HTMLElement>(`.message[data-id="${id}"]`)?.focus({ preventScroll: true });
}
