/**
 * What was sent, what was acknowledged and what was shown, kept beside the server so that nothing it claims is believed
 * twice. All readers of a number are held to what the first of them was told: that makes their transcripts equal, and
 * costs the memory of one. Only what has become of a message may differ, by when it was read.
 */
import type { PostCommand, RoomEvent } from '../../shared/protocol.js';
import { Pool } from './story.js';
import { brief, cidIn } from './text.js';

/** How the promise was broken. */
export type Kind =
  | 'lost'
  | 'repeated'
  | 'out of order'
  | 'diverged'
  | 'undeleted'
  | 'different'
  | 'refused'
  | 'stuck'
  | 'unsound';

export interface Violation {
  readonly kind: Kind;
  readonly evidence: string;
}

export interface Sent {
  readonly author: string;
  readonly posting: PostCommand;
  /** sent over one socket only, in the order of `turn`: it must be kept in that order */
  readonly turn: number | undefined;
  /** when it was sent first */
  readonly moment: number;
  /** the number it was acknowledged with */
  id: number | undefined;
  /** the number it was shown under */
  shown: number | undefined;
  refused: boolean;
}

/** The rules said no, at a place of the log after number `after`, and before `moment`. */
export interface Refusal {
  readonly cid: string;
  readonly code: string;
  readonly after: number;
  readonly moment: number;
}

export class Witness {
  /** by cid; the proof's cids are unique over all its clients */
  readonly sent = new Map<string, Sent>();
  readonly refusals: Refusal[] = [];
  /** by number: what the first reader was told, but for what became of it */
  readonly shown: string[] = [''];
  /** every state in which a message was told to anybody */
  readonly tellings = new Pool();
  /** what readers made of it */
  readonly pool = new Pool();
  /** edits that were told without their text, with the message they change: it must have been deleted */
  readonly blank = new Map<number, number>();
  readonly violations: Violation[] = [];
  /** milliseconds from losing the connection to the first frame after it, by kills */
  readonly gaps: number[] = [];
  acknowledged = 0;
  resent = 0;
  cuts = 0;
  readonly #deletions = new Map<number, number>();
  #moment = 0;

  accuse(kind: Kind, evidence: string): void {
    this.violations.push({ kind, evidence: brief(evidence) });
  }

  count(...kinds: readonly Kind[]): number {
    return this.violations.filter(({ kind }) => kinds.includes(kind)).length;
  }

  /** The newest number that anybody was told: what is sent from now on comes after it. */
  get last(): number {
    return this.shown.length - 1;
  }

  /** Counts on whenever it is asked, so that of any two moments one was before the other. */
  now(): number {
    return ++this.#moment;
  }

  send(cid: string, author: string, posting: PostCommand, turn: number | undefined): void {
    const rest = { id: undefined, shown: undefined, refused: false };
    this.sent.set(cid, { author, posting, turn, moment: this.now(), ...rest });
  }

  /** Somebody who was at `last`, over a connection since `since`, is told the next event. */
  show(reader: string, last: number, event: RoomEvent, since: number): void {
    const { id } = event;
    if (id !== last + 1) {
      const kind = id <= last ? 'repeated' : 'out of order';
      this.accuse(kind, `${reader} was told ${id} right after ${last}`);
    }
    const line = lineOf(event);
    const known = this.shown[id];
    if (known === undefined) this.#showFirst(event, line);
    else if (known !== line)
      this.accuse('different', `${id} was once "${known}", ${reader} was told "${line}"`);
    this.#hold(reader, event, since);
  }

  acknowledge(cid: string, id: number): void {
    const sent = this.sent.get(cid);
    if (!sent) this.accuse('unsound', `${cid} was acknowledged but never sent`);
    else if (sent.id === undefined) {
      sent.id = id;
      this.acknowledged++;
    } else if (sent.id !== id) {
      this.accuse('repeated', `${cid} was acknowledged as ${sent.id}, then as ${id}`);
    }
  }

  /** `after`: the newest number when it was sent. */
  refuse(cid: string, code: string, after: number): void {
    const sent = this.sent.get(cid);
    if (sent) sent.refused = true;
    this.refusals.push({ cid, code, after, moment: this.now() });
  }

  #showFirst(event: RoomEvent, line: string): void {
    this.shown[event.id] = line;
    if (event.type === 'delete') this.#deletions.set(event.target, this.now());
    const cid = cidOf(event);
    const sent = this.sent.get(cid);
    if (!sent) return; // the judge asks who sent it
    if (sent.shown !== undefined)
      this.accuse('repeated', `${cid} was shown as ${sent.shown} and as ${event.id}`);
    sent.shown ??= event.id;
  }

  /** To what was sent, and to what must be gone by now. */
  #hold(reader: string, event: RoomEvent, since: number): void {
    if (event.type !== 'chat' && event.type !== 'edit') return;
    if (event.type === 'chat') this.tellings.one(event);
    else if (event.data === '') this.blank.set(event.id, event.target);
    const by = this.sent.get(cidIn(event.data) ?? '');
    if (event.data !== '' && (by === undefined || textIn(by.posting) !== event.data))
      this.accuse('different', `nobody sent what ${reader} was told as ${event.id}: "${event.data}"`);
    const message = event.type === 'chat' ? event.id : event.target;
    if (event.data !== '' && since > (this.#deletions.get(message) ?? Number.POSITIVE_INFINITY))
      this.accuse('undeleted', `${reader}, who came after ${message} was deleted, was told "${event.data}"`);
  }
}

/** The cid it was sent with. A text has it too: an event that hides it is not believed. */
export function cidOf(event: RoomEvent): string {
  const text = event.type === 'chat' || event.type === 'edit' ? event.data : '';
  return event.cid ?? cidIn(text) ?? '';
}

function textIn(posting: PostCommand): string | undefined {
  return posting.type === 'chat' || posting.type === 'edit' ? posting.data : undefined;
}

/** What never changes of an event, as one string, to compare. */
export function lineOf(event: RoomEvent): string {
  const { type, user, cid = 'without cid', at } = event;
  const target = type === 'chat' ? '' : ` of ${event.target}`;
  const emoji = type === 'react' || type === 'unreact' ? ` ${event.data}` : '';
  return `${type}${target}${emoji} by ${user.id}, ${cid}, ${at}`;
}
