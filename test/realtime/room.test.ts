/** The hot path by itself: in any order of messages, joins, slices and pages, each subscriber gets each number once. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Broadcaster } from '../../src/realtime/broadcaster.js';
import { Frames } from '../../src/realtime/frames.js';
import { type EventSource, FrameCache, Room, type Subscriber } from '../../src/realtime/room.js';
import { Scheduler } from '../../src/realtime/scheduler.js';
import type { ChatEvent, RoomEvent } from '../../src/shared/protocol.js';

const ANN = { id: 'aaaaaaaaaaaa', name: 'Ann' };

function eventOf(id: number, data = `m${id}`): ChatEvent {
  return { id, type: 'chat', user: ANN, data, at: id };
}

/** A log in memory. `read` counts the events that were read from it. */
function sourceOf(log: readonly RoomEvent[]): EventSource & { read: number } {
  return {
    read: 0,
    last: () => log.length,
    after(_room, id, limit, maxBytes) {
      let bytes = 0;
      const end = log.findIndex((event, n) => {
        if (n >= id && 'data' in event) bytes += Buffer.byteLength(event.data);
        return bytes >= maxBytes;
      });
      const page = log.slice(id, Math.min(id + limit, end < 0 ? log.length : end + 1));
      this.read += page.length;
      return page;
    },
  };
}

function startRoom(said = 0): { room: Room; say: () => void; log: RoomEvent[] } {
  const log: RoomEvent[] = Array.from({ length: said }, (_, n) => eventOf(n + 1));
  const room = new Room('r', sourceOf(log));
  const say = (): void => {
    const event = eventOf(log.length + 1);
    log.push(event);
    room.publish(event);
  };
  return { room, say, log };
}

/** A subscriber that writes down the numbers that it receives. */
class Reader implements Subscriber {
  firstBatch = 0;
  readonly ids: number[] = [];
  writes = 0;

  write(frames: Frames): void {
    this.writes++;
    this.ids.push(...idsOf(frames));
  }

  /** Reads a page of what it missed. Subscribes and returns true when that was the last page. */
  catchUp(room: Room): boolean {
    const { frames, last } = room.pageAfter(this.ids.at(-1) ?? 0);
    for (const frame of frames) this.write(frame);
    if (last === room.last) room.subscribe(this);
    return last === room.last;
  }
}

/** Many subscribers get the same frames, which are parsed once. */
const parsed = new WeakMap<Frames, readonly number[]>();

function idsOf(frames: Frames): readonly number[] {
  const ids = parsed.get(frames) ?? parseIds(frames.webSocket);
  parsed.set(frames, ids);
  return ids;
}

function parseIds(bytes: Buffer): number[] {
  const ids: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const short = bytes[at + 1] ?? 0;
    const header = short < 126 ? 2 : 4;
    const size = short < 126 ? short : bytes.readUInt16BE(at + 2);
    const frame = JSON.parse(bytes.toString('utf8', at + header, at + header + size)) as { id?: number };
    if (frame.id !== undefined) ids.push(frame.id);
    at += header + size;
  }
  return ids;
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, n) => n + 1);
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('say' as const), times: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ kind: fc.constant('join' as const), times: fc.integer({ min: 1, max: 300 }) }),
  fc.record({ kind: fc.constant('slice' as const), times: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('page' as const), times: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('broadcast' as const), times: fc.constant(1) }),
);

describe('a room', () => {
  it('gives each subscriber each number once and in order, in any order of steps', {
    timeout: 60_000,
  }, () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 700 }), fc.array(step, { maxLength: 25 }), (said, steps) => {
        const { room, say } = startRoom(said);
        const readers: Reader[] = [];
        let behind: Reader[] = [];
        const page = (): void => {
          behind = behind.filter((reader) => !reader.catchUp(room));
        };
        for (const { kind, times } of steps) {
          for (let n = 0; n < times; n++) {
            if (kind === 'say') say();
            else if (kind === 'slice') room.writeSlice(0);
            else if (kind === 'page') page();
            else if (kind === 'broadcast') room.broadcast({ type: 'count', data: n });
            else {
              const reader = new Reader();
              readers.push(reader);
              behind.push(reader);
            }
          }
        }
        while (behind.length > 0) page();
        while (!room.writeSlice(0));
        const whole = upTo(room.last).join();
        for (const reader of readers) if (reader.ids.join() !== whole) expect(reader.ids.join()).toBe(whole);
        expect(readers.every((reader) => reader.ids.length === room.last)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('writes nothing to a subscriber that has left, and nothing twice to the others', () => {
    const { room, say } = startRoom();
    const [stays, leaves] = [new Reader(), new Reader()];
    for (const reader of [stays, leaves]) reader.catchUp(room);
    say();
    room.unsubscribe(leaves);
    while (!room.writeSlice(0));
    expect(stays.ids).toEqual([1]);
    expect(leaves.ids).toEqual([]);
  });

  it('writes what waits once to each subscriber, also when hundreds joined between the frames', () => {
    const { room, say } = startRoom();
    const readers = Array.from({ length: 100 }, () => new Reader());
    for (const reader of readers) {
      reader.catchUp(room);
      say();
    }
    while (!room.writeSlice(0));
    for (const [n, reader] of readers.entries())
      expect([reader.writes, reader.ids]).toEqual([n + 1, upTo(100)]); // n of them in its replay
  });

  it('sends what it missed from the log when an event does not follow the last one', () => {
    const { room, say, log } = startRoom(3);
    const reader = new Reader();
    reader.catchUp(room);
    log.push(...Array.from({ length: 600 }, (_, n) => eventOf(n + 4)));
    for (const id of [602, 603]) room.publish(eventOf(id));
    say();
    while (!room.writeSlice(0));
    expect(reader.ids).toEqual(upTo(604));
    expect(room.pageAfter(600).last).toBe(604);
  });

  it('follows the log when the log turns out to be shorter', () => {
    const { room, say, log } = startRoom();
    for (let n = 0; n < 3; n++) say();
    log.length = 1;
    say();
    expect(room.last).toBe(2);
    expect(room.pageAfter(1).last).toBe(2);
  });

  it('replays long messages in pages of about 32 KiB, and reads each event once', () => {
    const source = sourceOf(Array.from({ length: 400 }, (_, n) => eventOf(n + 1, 'x'.repeat(4000))));
    const room = new Room('r', source);
    let id = 0;
    while (id < 400) {
      const { frames, last } = room.pageAfter(id);
      expect(Frames.join(frames).byteLength).toBeLessThan(40_000);
      expect(last).toBeGreaterThan(id);
      id = last;
    }
    expect(source.read).toBe(400);
  });

  it('reads an event from the log once for all who replay it at the same time', () => {
    const source = sourceOf(Array.from({ length: 400 }, (_, n) => eventOf(n + 1, 'x'.repeat(4000))));
    const room = new Room('r', source);
    const readers = Array.from({ length: 20 }, () => new Reader());
    for (let behind = readers; behind.length > 0; ) behind = behind.filter((reader) => !reader.catchUp(room));
    for (const reader of readers) expect(reader.ids).toEqual(upTo(400));
    expect(source.read).toBe(400);
  });

  it('replays no deleted text from memory', () => {
    const log: RoomEvent[] = [eventOf(1, 'secret')];
    const room = new Room('r', sourceOf(log));
    const text = (): string => Frames.join(room.pageAfter(0).frames).webSocket.toString();
    expect(text()).toContain('secret');
    log[0] = { ...eventOf(1, ''), deleted: 2 };
    log.push({ id: 2, type: 'delete', user: ANN, target: 1, at: 2 });
    room.publish({ id: 2, type: 'delete', user: ANN, target: 1, at: 2 });
    expect(text()).not.toContain('secret');
  });
});

/** A frame of about this many bytes, and no fewer. */
function frameOf(bytes: number): Frames {
  return Frames.encode({ type: 'count', data: 0, padding: 'x'.repeat(bytes) } as {
    type: 'count';
    data: number;
  });
}

describe('the frame cache', () => {
  const filled = (count: number, bytes: number): FrameCache => {
    const cache = new FrameCache();
    for (let id = 1; id <= count; id++) cache.add(id, frameOf(bytes));
    return cache;
  };
  /** The number of frames in it, which are all up to `last`. */
  const sizeOf = (cache: FrameCache, last: number): number => {
    let size = 0;
    while (size < last && cache.pageAfter(last - size - 1).length > 0) size++;
    return size;
  };

  it('holds the newest 512 short frames at least, and 1,024 at most', () => {
    for (const count of [512, 1024, 1025, 5000]) {
      const size = sizeOf(filled(count, 10), count);
      expect(size).toBeGreaterThanOrEqual(512);
      expect(size).toBeLessThanOrEqual(1024);
    }
  });

  it('holds 1 MiB at most, however long the frames are', () => {
    for (const count of [64, 65, 1000]) {
      const size = sizeOf(filled(count, 16 * 1024), count);
      expect(size).toBeGreaterThanOrEqual(31);
      expect(size).toBeLessThanOrEqual(64);
    }
  });

  it('holds as much after frames were added again', () => {
    const cache = filled(1000, 1024);
    for (let n = 0; n < 5; n++) for (let id = 600; id <= 1000; id++) cache.add(id, frameOf(1024));
    expect(sizeOf(cache, 1000)).toBeGreaterThanOrEqual(500);
  });

  it('returns pages without a gap, of at most 256 frames or about 32 KiB', () => {
    expect(filled(1000, 10).pageAfter(0)).toHaveLength(256);
    expect(filled(60, 16 * 1024).pageAfter(0)).toHaveLength(2);
    const cache = filled(10, 10);
    cache.add(12, frameOf(10));
    expect(cache.pageAfter(7)).toHaveLength(3);
    expect(cache.pageAfter(10)).toHaveLength(0);
  });
});

describe('the broadcaster', () => {
  it('writes to a small room before it has written to all of a large one', async () => {
    const { room: large, say: sayInLarge } = startRoom();
    const { room: small, say: sayInSmall } = startRoom();
    const order: string[] = [];
    const subscriber = (name: string): Subscriber => ({ firstBatch: 0, write: () => order.push(name) });
    for (let n = 0; n < 18_000; n++) large.subscribe(subscriber('large'));
    small.subscribe(subscriber('small'));
    const broadcaster = new Broadcaster(new Scheduler());
    sayInLarge();
    broadcaster.add(large);
    sayInSmall();
    broadcaster.add(small);
    broadcaster.run();
    await broadcaster.whenIdle();
    expect(order.length).toBe(18_001);
    expect(order.indexOf('small')).toBeLessThan(600);
  });
});

describe('a batch', () => {
  it('is encoded once for each format in which it is read', () => {
    const { room, say } = startRoom();
    const received: Frames[] = [];
    for (let n = 0; n < 3; n++)
      room.subscribe({ firstBatch: 0, write: (frames) => void received.push(frames) });
    say();
    room.broadcast({ type: 'count', data: 7 });
    say();
    while (!room.writeSlice(0));
    const [first] = received;
    expect(received).toHaveLength(3);
    for (const frames of received) {
      expect(frames.webSocket).toBe(first?.webSocket);
      expect(frames.lines).toBe(first?.lines);
      expect(frames.eventStream('e')).toBe(first?.eventStream('e'));
    }
    const lines = first?.lines.toString().trimEnd().split('\n') ?? [];
    expect(lines.map((line) => JSON.parse(line).type)).toEqual(['chat', 'count', 'chat']);
    const [one, count, two] = lines;
    expect(first?.eventStream('e').toString()).toBe(
      `id: e/1\ndata: ${one}\n\ndata: ${count}\n\nid: e/2\ndata: ${two}\n\n`,
    );
  });

  it('holds texts of any length in each format', () => {
    for (const size of [0, 100, 125, 126, 65_535, 65_536]) {
      const frames = Frames.encode({ type: 'join', user: ANN, data: 'é'.repeat(size) });
      expect(JSON.parse(frames.lines.toString()).data).toHaveLength(size);
      expect(frames.eventStream('e').toString()).toBe(`data: ${frames.lines.toString()}\n`);
    }
  });
});

describe('a text frame', () => {
  it('has the header of its length (RFC 6455, 5.2)', () => {
    const sizes = [0, 100, 125, 126, 65_535, 65_536, 100_000];
    for (const size of sizes) {
      const { webSocket: frame } = Frames.encode({ type: 'join', user: ANN, data: 'é'.repeat(size) });
      const json = Buffer.byteLength(JSON.stringify({ type: 'join', user: ANN, data: 'é'.repeat(size) }));
      const header = json < 126 ? 2 : json < 65_536 ? 4 : 10;
      expect(frame.length).toBe(header + json);
      expect(frame[0]).toBe(0x81);
      const announced =
        header === 2 ? frame[1] : header === 4 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2));
      expect(announced).toBe(json);
    }
  });
});
