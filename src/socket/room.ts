/**
 * A room while somebody is in it, and the hot path: a frame is built once, a batch is joined once and written once to
 * each member. What must stay true:
 * - `last` is the newest number that is committed; between commit and `publish` there is no await, and none between
 *   `since` returning everything and `join`. So a member that joins has all up to `last`, and gets all after it.
 * - A batch is written in slices, and people join meanwhile. A member takes only batches from its `batch` on: those
 *   before it hold what it was given when it came.
 */
import type { RoomEvent, ServerFrame } from '../protocol.js';
import { textFrame } from './frame.js';
import type { Person } from './person.js';
import { Presence } from './presence.js';
import { Recent } from './recent.js';

/** What a room needs of a connection. */
export interface Member {
  /** number of the first batch it takes */
  batch: number;
  write(bytes: Buffer): void;
}

/** What a room needs of the log. */
export interface Pages {
  last(room: string): number;
  after(room: string, id: number, limit: number): readonly RoomEvent[];
}

/** Events after a number as bytes; `to` is the newest of them. */
export interface Page {
  readonly frames: readonly Buffer[];
  readonly to: number;
}

/** Writes between two looks at the clock: about 1 ms. */
const SLICE = 128;
/** How long a room rests after a batch: so many times what writing it took, in milliseconds; under the least, not at all. */
const REST = { times: 2, least: 1, most: 25 } as const;
/** Events of one page read from the log, and its bytes when they are long. */
const PAGE_EVENTS = 256;
const PAGE_BYTES = 128 * 1024;

export class LiveRoom {
  readonly name: string;
  readonly presence = new Presence<Person>();
  readonly members = new Set<Member>();
  /** the outlet has it in its queue */
  queued = false;
  /** when its next batch may begin, as performance.now() tells the time */
  restsUntil = 0;
  readonly #log: Pages;
  readonly #recent: Recent;
  #pending: Buffer[] = [];
  #sealed: Buffer[] = [];
  #batch = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #left: IterableIterator<Member> | undefined;
  #began = 0;

  constructor(name: string, log: Pages) {
    this.name = name;
    this.#log = log;
    this.#recent = new Recent(log.last(name));
  }

  get last(): number {
    return this.#recent.last;
  }

  /** A committed event, in the order of its number. */
  publish(event: RoomEvent): void {
    const frame = textFrame(event);
    this.#recent.add(frame);
    if (event.type === 'delete') this.#recent.forget(); // they hold the text that is gone
    this.#pending.push(frame);
  }

  /** A frame without a number. */
  announce(frame: ServerFrame): void {
    this.#pending.push(textFrame(frame));
  }

  /** From now on, and not what is already on its way. */
  join(member: Member): void {
    if (this.#pending.length > 0) this.#sealed.push(this.#seal());
    member.batch = this.#batch + this.#sealed.length + 1;
    this.members.add(member);
  }

  leave(member: Member): void {
    this.members.delete(member);
  }

  /** A page of what came after number `id`, from memory when it reaches back that far. */
  since(id: number): Page {
    const known = this.#recent.after(id);
    if (known) return page(known, id);
    const events = this.#log.after(this.name, id, PAGE_EVENTS);
    const frames = events.map(textFrame);
    if (id + frames.length === this.last) this.#recent.fill(id + 1, frames);
    return page(frames, id);
  }

  /** Writes one slice of what waits, `now` by performance.now(); true when nothing waits any more. */
  writeSlice(now: number): boolean {
    const left = this.#left ?? this.#nextBatch(now);
    if (!left) return true;
    for (let n = 0; n < SLICE; n++) {
      const next = left.next();
      if (next.done) {
        this.#left = undefined;
        this.#rest();
        return this.#sealed.length === 0 && this.#pending.length === 0;
      }
      if (next.value.batch <= this.#batch) next.value.write(this.#bytes);
    }
    return false;
  }

  #nextBatch(now: number): IterableIterator<Member> | undefined {
    const bytes = this.#sealed.shift() ?? (this.#pending.length > 0 ? this.#seal() : undefined);
    if (!bytes) return undefined;
    this.#began = now;
    this.#bytes = bytes;
    this.#batch++;
    this.#left = this.members.values();
    return this.#left;
  }

  #rest(): void {
    const now = performance.now();
    const rest = REST.times * (now - this.#began);
    if (rest >= REST.least) this.restsUntil = now + Math.min(rest, REST.most);
  }

  #seal(): Buffer {
    const [only] = this.#pending;
    const bytes = this.#pending.length === 1 && only ? only : Buffer.concat(this.#pending);
    this.#pending = [];
    return bytes;
  }
}

/** As many of the frames as a page may hold, at least one. */
function page(frames: readonly Buffer[], from: number): Page {
  let bytes = 0;
  const end = frames.findIndex((frame, n) => {
    bytes += frame.length;
    return n > 0 && bytes > PAGE_BYTES;
  });
  const taken = end < 0 ? frames : frames.slice(0, end);
  return { frames: taken, to: from + taken.length };
}
