/**
 * A room while somebody is in it, and the hot path: a frame is built once, a batch is joined once and written once to
 * each member. What must stay true:
 * - `last` is the newest number that is committed; between commit and `publish` there is no await, and none between
 *   `since` returning everything and `join`. So a member that joins has all up to `last`, and gets all after it.
 * - A batch is written in slices, and people join meanwhile. A member takes only batches from its `batch` on: those
 *   before it hold what it was given when it came.
 */
import { CLOSE, type RoomEvent, type ServerFrame } from '../shared/protocol.js';
import { type Connection, textFrame } from './connection.js';
import { Presence } from './presence.js';
import type { ConnectedUser } from './user.js';

/** What a room needs of a connection. */
export interface Subscriber {
  /** number of the first batch it takes */
  firstBatch: number;
  write(bytes: Buffer): void;
}

/** What a room needs of the log. */
export interface EventSource {
  last(room: string): number;
  after(room: string, id: number, limit: number): readonly RoomEvent[];
}

/** Events after a number as bytes; `to` is the newest of them. */
export interface ReplayPage {
  readonly frames: readonly Buffer[];
  readonly to: number;
}

/** Writes between two looks at the clock: about 1 ms. */
const WRITES_PER_SLICE = 128;
/** How long a room rests after a batch: so many times what writing it took, in milliseconds; under the least, not at all. */
const FLUSH_DELAY = { times: 2, least: 1, most: 25 } as const;
/** Events of one page read from the log, and its bytes when they are long. */
const REPLAY_PAGE_EVENTS = 256;
const REPLAY_PAGE_BYTES = 128 * 1024;

export class Room {
  readonly name: string;
  readonly presence = new Presence<ConnectedUser>();
  readonly subscribers = new Set<Subscriber>();
  /** the outlet has it in its queue */
  queued = false;
  /** when its next batch may begin, as performance.now() tells the time */
  nextFlushAt = 0;
  readonly #log: EventSource;
  readonly #frames: FrameCache;
  #pending: Buffer[] = [];
  #ready: Buffer[] = [];
  #batch = 0;
  #batchBytes: Buffer = Buffer.alloc(0);
  #cursor: IterableIterator<Subscriber> | undefined;
  #startedAt = 0;

  constructor(name: string, log: EventSource) {
    this.name = name;
    this.#log = log;
    this.#frames = new FrameCache(log.last(name));
  }

  get last(): number {
    return this.#frames.last;
  }

  /** A committed event, in the order of its number. */
  publish(event: RoomEvent): void {
    const frame = textFrame(event);
    this.#frames.add(frame);
    if (event.type === 'delete') this.#frames.clear(); // they hold the text that is gone
    this.#pending.push(frame);
  }

  /** A frame without a number. */
  broadcast(frame: ServerFrame): void {
    this.#pending.push(textFrame(frame));
  }

  /** From now on, and not what is already on its way. */
  subscribe(member: Subscriber): void {
    if (this.#pending.length > 0) this.#ready.push(this.#closeBatch());
    member.firstBatch = this.#batch + this.#ready.length + 1;
    this.subscribers.add(member);
  }

  unsubscribe(member: Subscriber): void {
    this.subscribers.delete(member);
  }

  /** A page of what came after number `id`, from memory when it reaches back that far. */
  eventsAfter(id: number): ReplayPage {
    const known = this.#frames.after(id);
    if (known) return limitPage(known, id);
    const events = this.#log.after(this.name, id, REPLAY_PAGE_EVENTS);
    const frames = events.map(textFrame);
    if (id + frames.length === this.last) this.#frames.fill(id + 1, frames);
    return limitPage(frames, id);
  }

  /** Writes one slice of what waits, `now` by performance.now(); true when nothing waits any more. */
  writeSlice(now: number): boolean {
    const left = this.#cursor ?? this.#nextBatch(now);
    if (!left) return true;
    for (let n = 0; n < WRITES_PER_SLICE; n++) {
      const next = left.next();
      if (next.done) {
        this.#cursor = undefined;
        this.#delayNextFlush();
        return this.#ready.length === 0 && this.#pending.length === 0;
      }
      if (next.value.firstBatch <= this.#batch) next.value.write(this.#batchBytes);
    }
    return false;
  }

  #nextBatch(now: number): IterableIterator<Subscriber> | undefined {
    const bytes = this.#ready.shift() ?? (this.#pending.length > 0 ? this.#closeBatch() : undefined);
    if (!bytes) return undefined;
    this.#startedAt = now;
    this.#batchBytes = bytes;
    this.#batch++;
    this.#cursor = this.subscribers.values();
    return this.#cursor;
  }

  #delayNextFlush(): void {
    const now = performance.now();
    const rest = FLUSH_DELAY.times * (now - this.#startedAt);
    if (rest >= FLUSH_DELAY.least) this.nextFlushAt = now + Math.min(rest, FLUSH_DELAY.most);
  }

  #closeBatch(): Buffer {
    const [only] = this.#pending;
    const bytes = this.#pending.length === 1 && only ? only : Buffer.concat(this.#pending);
    this.#pending = [];
    return bytes;
  }
}

/** As many of the frames as a page may hold, at least one. */
function limitPage(frames: readonly Buffer[], from: number): ReplayPage {
  let bytes = 0;
  const end = frames.findIndex((frame, n) => {
    bytes += frame.length;
    return n > 0 && bytes > REPLAY_PAGE_BYTES;
  });
  const taken = end < 0 ? frames : frames.slice(0, end);
  return { frames: taken, to: from + taken.length };
}

/**
 * The newest frames of a room as bytes, without a hole up to its last number. Thousands who come back together are
 * served from here instead of from the database, each event encoded once.
 */
const CACHED_FRAMES = 512;

export class FrameCache {
  #frames: Buffer[] = [];
  /** number of #frames[0] */
  #first = 1;

  /** Holds nothing, and will take `last + 1` next. */
  constructor(last: number) {
    this.#first = last + 1;
  }

  get last(): number {
    return this.#first + this.#frames.length - 1;
  }

  add(frame: Buffer): void {
    this.#frames.push(frame);
    if (this.#frames.length < 2 * CACHED_FRAMES) return; // cut in halves: a shift for each would move them all
    this.#frames = this.#frames.slice(CACHED_FRAMES);
    this.#first += CACHED_FRAMES;
  }

  /** Forgets all that it holds; who asks for it reads the log again. */
  clear(): void {
    this.#first = this.last + 1;
    this.#frames = [];
  }

  /** The frames from `first` to the last, when they reach further back than what is here. */
  fill(first: number, frames: Buffer[]): void {
    if (first >= this.#first || frames.length > CACHED_FRAMES) return;
    this.#first = first;
    this.#frames = frames;
  }

  /** The frames after number `id`, or undefined when they do not reach back that far. */
  after(id: number): Buffer[] | undefined {
    return id + 1 < this.#first ? undefined : this.#frames.slice(id + 1 - this.#first);
  }
}

/**
 * Resume: everything after a number, then the live room. Page by page, the next only when the last has drained, so a
 * reader a million messages behind costs no memory. The page that reaches the room's last number and joining the room
 * are one synchronous step: that is why there is no hole and no repeat.
 */

/** @param greeting frames that go first, `ending` those that go last: with the first and the last page. */
export function replay(connection: Connection, from: number, greeting: Buffer, ending: () => Buffer): void {
  const step = (after: number, first: readonly Buffer[]): void => {
    if (!connection.open) return;
    const page = readPage(connection, after);
    if (!page) return;
    const { frames, to } = page;
    const ends = to === connection.room.last;
    const drained = connection.writePage(concat([...first, ...frames]));
    if (ends) {
      connection.writePage(ending()); // not joined to the others: thousands are given the same bytes
      connection.room.subscribe(connection);
    } else if (drained) setImmediate(step, to, []);
    else connection.onDrain(() => step(to, []));
  };
  step(from, [greeting]);
}

function concat(frames: readonly Buffer[]): Buffer {
  const [only] = frames;
  return frames.length === 1 && only ? only : Buffer.concat(frames);
}

/** A page, or the end of the connection when the log cannot be read: the client comes back and asks again. */
function readPage(connection: Connection, after: number): ReplayPage | undefined {
  try {
    return connection.room.eventsAfter(after);
  } catch {
    connection.close(CLOSE.serverError);
    return undefined;
  }
}
