/** The hot path by itself: whatever the order of messages, joins, slices and pages, each member gets each number once. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Broadcaster } from '../../src/realtime/broadcaster.js';
import { textFrame } from '../../src/realtime/connection.js';
import { Room, type Subscriber } from '../../src/realtime/room.js';
import type { ChatEvent, RoomEvent } from '../../src/shared/protocol.js';

const ANN = { id: 'aaaaaaaaaaaa', name: 'Ann' };

function eventOf(id: number): ChatEvent {
  return { id, type: 'chat', user: ANN, data: `m${id}`, at: id };
}

/** A log in memory and a room that lives on it. */
function startRoom(said = 0): { room: Room; say: () => void; log: RoomEvent[] } {
  const log = Array.from({ length: said }, (_, n) => eventOf(n + 1));
  const room = new Room('r', {
    last: () => log.length,
    after: (_, id, limit) => log.slice(id, id + limit),
  });
  const say = (): void => {
    const event = eventOf(log.length + 1);
    log.push(event);
    room.publish(event);
  };
  return { room, say, log };
}

/** What a member has read, as numbers. */
class Reader implements Subscriber {
  firstBatch = 0;
  readonly ids: number[] = [];

  write(bytes: Buffer): void {
    this.ids.push(...idsOf(bytes));
  }

  /** One page of what it missed; joined when it has reached the end. */
  catchUp(room: Room): boolean {
    const { frames, to } = room.eventsAfter(this.ids.at(-1) ?? 0);
    for (const frame of frames) this.write(frame);
    if (to === room.last) room.subscribe(this);
    return to === room.last;
  }
}

/** Many members get the same bytes: they are read once. */
const known = new WeakMap<Buffer, readonly number[]>();

function idsOf(bytes: Buffer): readonly number[] {
  const ids = known.get(bytes) ?? readIds(bytes);
  known.set(bytes, ids);
  return ids;
}

function readIds(bytes: Buffer): number[] {
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

describe('a live room', () => {
  it('gives each member each number once and in order, in any order of doings', { timeout: 60_000 }, () => {
    const doing = fc.oneof(
      fc.record({ kind: fc.constant('say' as const), times: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ kind: fc.constant('come' as const), times: fc.integer({ min: 1, max: 300 }) }),
      fc.record({ kind: fc.constant('slice' as const), times: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ kind: fc.constant('page' as const), times: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant('tell' as const), times: fc.constant(1) }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 700 }), fc.array(doing, { maxLength: 25 }), (said, doings) => {
        const { room, say } = startRoom(said);
        const readers: Reader[] = [];
        let behind: Reader[] = [];
        const page = (): void => {
          behind = behind.filter((reader) => !reader.catchUp(room));
        };
        for (const { kind, times } of doings) {
          for (let n = 0; n < times; n++) {
            if (kind === 'say') say();
            else if (kind === 'slice') room.writeSlice(0);
            else if (kind === 'page') page();
            else if (kind === 'tell') room.broadcast({ type: 'count', data: n });
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

  it('does not write to who has left, nor twice to who stays', () => {
    const { room, say } = startRoom();
    const [stays, goes] = [new Reader(), new Reader()];
    for (const reader of [stays, goes]) reader.catchUp(room);
    say();
    room.unsubscribe(goes);
    while (!room.writeSlice(0));
    expect(stays.ids).toEqual([1]);
    expect(goes.ids).toEqual([]);
  });

  it('serves pages of bounded size, however long the messages', () => {
    const long = 'x'.repeat(4000);
    const log = Array.from({ length: 400 }, (_, n): ChatEvent => ({ ...eventOf(n + 1), data: long }));
    const room = new Room('r', {
      last: () => log.length,
      after: (_, id, limit) => log.slice(id, id + limit),
    });
    for (let id = 0; id < log.length; ) {
      const { frames, to } = room.eventsAfter(id);
      expect(Buffer.concat([...frames]).length).toBeLessThan(140_000);
      expect(to).toBeGreaterThan(id);
      id = to;
    }
  });
});

describe('the outlet', () => {
  it('does not let a large room keep a small one waiting', async () => {
    const { room: large, say: sayInLarge } = startRoom();
    const { room: small, say: sayInSmall } = startRoom();
    const order: string[] = [];
    const member = (name: string): Subscriber => ({ firstBatch: 0, write: () => order.push(name) });
    for (let n = 0; n < 18_000; n++) large.subscribe(member('large'));
    small.subscribe(member('small'));
    const outlet = new Broadcaster();
    sayInLarge();
    outlet.add(large);
    sayInSmall();
    outlet.add(small);
    outlet.run();
    while (outlet.busy) await new Promise((resolve) => setImmediate(resolve));
    expect(order.length).toBe(18_001);
    expect(order.indexOf('small')).toBeLessThan(600);
  });
});

describe('a frame', () => {
  it('has the header of its length (RFC 6455, 5.2)', () => {
    const sizes = [0, 100, 125, 126, 65_535, 65_536, 100_000];
    for (const size of sizes) {
      const frame = textFrame({ type: 'join', user: ANN, data: 'é'.repeat(size) });
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
