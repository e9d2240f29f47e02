/**
 * A room with at least one subscriber, and the hot path. A frame is encoded once. The pending frames are joined into a
 * batch once for each format, and the batch is written once to each subscriber.
 *
 * Invariant: a subscriber has received every event up to `last` when it subscribes, and receives every later one. To keep
 * it, no await may come between a commit and `publish`, nor between the page that reaches `last` and `subscribe`.
 *
 * Invariant: a subscriber receives only batches numbered >= its `firstBatch`. A batch is written in slices, and
 * subscribers join meanwhile; the replay of a new subscriber covers the earlier batches.
 */
import { CLOSE, type RoomEvent, type ServerFrame } from '../shared/protocol.js';
import type { ReplayConnection } from './connection.js';
import { Frames } from './frames.js';
import { Presence } from './presence.js';
import type { Scheduler } from './scheduler.js';
import type { ConnectedUser } from './user.js';

/** What a room needs of a connection. */
export interface Subscriber {
  /** Number of the first batch that it receives. */
  firstBatch: number;
  write(frames: Frames): void;
}

/** What a room needs of the log. */
export interface EventSource {
  last(room: string): number;
  /**
   * Returns the events after number `id`, ascending: at most `limit`, and none more once their texts have reached
   * `maxBytes`. It reads no more rows than it returns, so that the cost of a replay follows the bytes that are sent.
   */
  after(room: string, id: number, limit: number, maxBytes: number): readonly RoomEvent[];
}

/** Events of a room as frames; `last` is the number of the newest of them. */
export interface ReplayPage {
  readonly frames: readonly Frames[];
  readonly last: number;
}

/** Writes of one slice: about 1 ms. */
const writesPerSlice = 128;
/** After a batch, a room waits `factor` times as long as writing it to everyone takes: see Broadcaster. */
const flushDelay = { factor: 2, minMs: 1, maxMs: 25 } as const;
const replayPageEvents = 256;
/** A page is one step of the scheduler. Reading and encoding it takes about a millisecond. */
const replayPageBytes = 32 * 1024;

export class Room {
  readonly name: string;
  readonly presence: Presence<ConnectedUser>;
  readonly subscribers = new Set<Subscriber>();
  /** Whether the room is in the broadcaster's queue. */
  queued = false;
  /** When the next batch may begin, as performance.now(). */
  nextFlushAt = 0;
  /** Number of the newest committed event. */
  last: number;
  readonly #log: EventSource;
  readonly #isWorker: boolean;
  readonly #frames = new FrameCache();
  /** Frames that are in no batch yet. */
  #pending: Frames[] = [];
  /** Closed batches that are not being written yet. */
  #ready: Frames[] = [];
  /** Number of the newest batch that is being written, or was. */
  #batch = 0;
  /** The batches that are being written, and the subscribers that have still to get them. */
  #writing = new BatchWrite(0, []);
  #cursor: IterableIterator<Subscriber> | undefined;
  #startedAt = 0;

  /** In a worker, the primary counts the people, and the log is ahead of what is published. */
  constructor(name: string, log: EventSource, isWorker = false) {
    this.name = name;
    this.#isWorker = isWorker;
    this.presence = new Presence({ isCountedElsewhere: isWorker });
    this.#log = log;
    this.last = log.last(name);
  }

  /**
   * Queues a committed event. Events arrive in the order of their numbers. If one is missing, it is read from the log. In a
   * worker, the log had some of them already when the room was opened.
   */
  publish(event: RoomEvent): void {
    if (this.#isWorker && event.id <= this.last) return;
    if (this.subscribers.size === 0) this.#skip(event);
    else if (event.id !== this.last + 1) this.#publishFromLog(event.id);
    else this.#queueEvent(event);
  }

  /** Nobody is here, or is still reading from the log, which has the event. */
  #skip({ id, type }: RoomEvent): void {
    this.last = id;
    if (type === 'delete' || type === 'edit') this.#frames.clear();
  }

  /** Drops what is cached and queues all events up to number `id` that subscribers lack. */
  #publishFromLog(id: number): void {
    this.#frames.clear();
    this.last = Math.min(this.last, id - 1);
    while (this.last < id) {
      const missing = Math.min(id - this.last, replayPageEvents);
      const events = this.#log.after(this.name, this.last, missing, replayPageBytes);
      if (events.length === 0) return;
      for (const event of events) this.#queueEvent(event);
    }
  }

  #queueEvent(event: RoomEvent): void {
    const frame = Frames.encode(event, event.id);
    this.last = event.id;
    // cached frames hold the previous text, also as the excerpt of a reply
    if (event.type === 'delete' || event.type === 'edit') this.#frames.clear();
    this.#frames.add(event.id, frame);
    this.#pending.push(frame);
  }

  /** Texts were dropped from the log. */
  clearCache(): void {
    this.#frames.clear();
  }

  /** Queues a frame without a number. */
  broadcast(frame: ServerFrame): void {
    if (this.subscribers.size > 0) this.#pending.push(Frames.encode(frame));
  }

  /** Adds a subscriber, which receives no frame that is already queued. */
  subscribe(subscriber: Subscriber): void {
    if (this.#pending.length > 0) this.#ready.push(this.#closeBatch());
    subscriber.firstBatch = this.#batch + this.#ready.length + 1;
    this.subscribers.add(subscriber);
  }

  unsubscribe(subscriber: Subscriber): void {
    this.subscribers.delete(subscriber);
  }

  /** Returns a page of the events after number `id`: those that are cached, or else a page of the log. */
  pageAfter(id: number): ReplayPage {
    if (id === this.last) return { frames: [], last: id };
    const cached = this.#frames.pageAfter(id);
    if (cached.length > 0) return { frames: cached, last: id + cached.length };
    const limit = Math.min(replayPageEvents, this.last - id); // in a worker, the log may be ahead of the delivery
    const events = this.#log.after(this.name, id, limit, replayPageBytes);
    const frames = events.map((event) => {
      const frame = Frames.encode(event, event.id);
      this.#frames.add(event.id, frame);
      return frame;
    });
    return { frames, last: events.at(-1)?.id ?? this.last };
  }

  /** Writes one slice. `now` is performance.now(). Returns whether everything is written. */
  writeSlice(now: number): boolean {
    const cursor = this.#cursor ?? this.#startWrite(now);
    if (!cursor) return true;
    for (let n = 0; n < writesPerSlice; n++) {
      const next = cursor.next();
      if (next.done) {
        this.#cursor = undefined;
        this.#delayNextFlush();
        return this.#ready.length === 0 && this.#pending.length === 0;
      }
      if (next.value.firstBatch <= this.#batch)
        next.value.write(this.#writing.framesFrom(next.value.firstBatch));
    }
    return false;
  }

  /** Takes all closed batches at once: each new subscriber closes one, and hundreds may come together. */
  #startWrite(now: number): IterableIterator<Subscriber> | undefined {
    if (this.#pending.length > 0) this.#ready.push(this.#closeBatch());
    if (this.#ready.length === 0) return undefined;
    this.#startedAt = now;
    this.#writing = new BatchWrite(this.#batch + 1, this.#ready);
    this.#batch += this.#ready.length;
    this.#ready = [];
    this.#cursor = this.subscribers.values();
    return this.#cursor;
  }

  /** In a worker, as late as if this process wrote to the people of all workers: the same number of writes for each of them. */
  #delayNextFlush(): void {
    const now = performance.now();
    const tookMs = now - this.#startedAt;
    const restMs = tookMs * (this.#share - 1);
    const delay = flushDelay.factor * (tookMs + restMs);
    if (delay < flushDelay.minMs) return;
    this.nextFlushAt = now + Math.min(restMs, flushDelay.maxMs) + Math.min(delay, flushDelay.maxMs);
  }

  /** How many times as many people all workers have in this room together. */
  get #share(): number {
    return this.#isWorker ? Math.max(1, this.presence.count / Math.max(1, this.subscribers.size)) : 1;
  }

  #closeBatch(): Frames {
    const frames = Frames.join(this.#pending);
    this.#pending = [];
    return frames;
  }
}

/** Consecutive batches that are written together. */
class BatchWrite {
  readonly #first: number;
  readonly #batches: readonly Frames[];
  /** What the previous subscriber got, because most get the same. */
  #skipped = -1;
  #frames: Frames = Frames.join([]);

  /** `first`: number of the first batch. */
  constructor(first: number, batches: readonly Frames[]) {
    this.#first = first;
    this.#batches = batches;
  }

  /** Returns the frames of the batches from `firstBatch` on. */
  framesFrom(firstBatch: number): Frames {
    const skipped = Math.max(0, firstBatch - this.#first);
    if (skipped !== this.#skipped) this.#frames = Frames.join(this.#batches.slice(skipped));
    this.#skipped = skipped;
    return this.#frames;
  }
}

/** Maximum number and bytes of cached frames per room. */
const maxCachedFrames = 1024;
const maxCachedBytes = 1024 * 1024;

/**
 * The most recently sent frames of a room, by number. When thousands of subscribers reconnect, or several read old events
 * at the same time, each event is read from the database and encoded once.
 */
export class FrameCache {
  readonly #frames = new Map<number, Frames>();
  #bytes = 0;

  add(id: number, frame: Frames): void {
    this.#bytes += frame.byteLength - (this.#frames.get(id)?.byteLength ?? 0);
    this.#frames.set(id, frame);
    if (this.#frames.size > maxCachedFrames || this.#bytes > maxCachedBytes) this.#dropOldest();
  }

  clear(): void {
    this.#frames.clear();
    this.#bytes = 0;
  }

  /** Returns the cached frames that follow number `id` without a gap, up to the size of a page. */
  pageAfter(id: number): Frames[] {
    const page: Frames[] = [];
    let bytes = 0;
    while (page.length < replayPageEvents && bytes < replayPageBytes) {
      const frame = this.#frames.get(id + 1 + page.length);
      if (!frame) break;
      page.push(frame);
      bytes += frame.byteLength;
    }
    return page;
  }

  /** Drops the half that was added first: dropping one at a time would scan the holes that it leaves in the Map. */
  #dropOldest(): void {
    for (const [id, frame] of this.#frames) {
      if (this.#frames.size <= maxCachedFrames / 2 && this.#bytes <= maxCachedBytes / 2) return;
      this.#frames.delete(id);
      this.#bytes -= frame.byteLength;
    }
  }
}

/** Milliseconds of each turn for replays. */
const replayBudgetMs = 2;

interface Replay {
  readonly connection: ReplayConnection;
  /** Number of the last event that was written. */
  after: number;
  /** Returns the frame that follows the last page, if there is one. */
  readonly ending: () => Frames | undefined;
}

/**
 * Sends new connections the events that they missed, then subscribes them to their room. Replays take turns, a page at a
 * time. The next page waits until the previous one has drained, so a reader that is a million messages behind costs no
 * memory. The page that reaches the last number and `subscribe` are one synchronous step: no event is lost or repeated.
 */
export class ReplayQueue {
  readonly #scheduler: Scheduler;
  readonly #waiting: Replay[] = [];

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Writes `greeting` and the first page at once. `ending` gives the frame after the last page. */
  start(
    connection: ReplayConnection,
    after: number,
    greeting: Frames,
    ending: () => Frames | undefined,
  ): void {
    this.#writePage({ connection, after, ending }, [greeting]);
  }

  readonly #writeNext = (): boolean => {
    const replay = this.#waiting.shift();
    if (replay) this.#writePage(replay, []);
    return this.#waiting.length > 0;
  };

  #enqueue(replay: Replay): void {
    this.#waiting.push(replay);
    this.#scheduler.runSliced(this.#writeNext, replayBudgetMs);
  }

  #writePage(replay: Replay, greeting: readonly Frames[]): void {
    const { connection } = replay;
    const page = connection.open ? readPage(connection, replay.after) : undefined;
    if (!page) return;
    const drained = writeFrames(connection, [...greeting, ...page.frames]);
    replay.after = page.last;
    if (page.last === connection.room.last) {
      const ending = replay.ending();
      if (ending) connection.writePage(ending); // apart from the page, because thousands share these bytes
      connection.room.subscribe(connection);
    } else if (drained) this.#enqueue(replay);
    else connection.onDrain(() => this.#enqueue(replay));
  }
}

/** Bytes of a frame from which on it is written alone. */
const longFrameBytes = 4096;

/**
 * Writes long frames one by one, so that all readers share the bytes of the cache, and short ones together. Returns whether the
 * next page may follow at once.
 */
function writeFrames(connection: ReplayConnection, frames: readonly Frames[]): boolean {
  let drained = true;
  let short: Frames[] = [];
  const flush = (): void => {
    if (short.length > 0) drained = connection.writePage(Frames.join(short));
    short = [];
  };
  for (const frame of frames) {
    if (frame.byteLength < longFrameBytes) {
      short.push(frame);
      continue;
    }
    flush();
    drained = connection.writePage(frame);
  }
  flush();
  return drained;
}

/** Returns a page. Closes the connection when the log cannot be read; the client reconnects and asks again. */
function readPage(connection: ReplayConnection, after: number): ReplayPage | undefined {
  try {
    return connection.room.pageAfter(after);
  } catch {
    connection.close(CLOSE.serverError);
    return undefined;
  }
}
