import { beforeEach, describe, expect, test } from 'vitest';
import type { Frame } from '../../src/client/decode.js';
import { Connection, type Socket, type SocketEvents } from '../../src/client/room/socket.js';
import { ManualClock } from './clock.js';

const HELLO = JSON.stringify({
  type: 'hello',
  room: 'lobby',
  epoch: 'e',
  last: 0,
  user: { id: 'a', name: 'Ann' },
  complete: true,
});

/** A socket whose other end is this test. */
class Line implements Socket {
  readonly sent: string[] = [];
  closed = false;
  readonly events: SocketEvents;
  constructor(events: SocketEvents) {
    this.events = events;
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
  }
}

let clock: ManualClock;
let lines: Line[];
let frames: Frame[];
let closes: number[];
let connection: Connection;

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
  frames = [];
  closes = [];
  connection = new Connection({
    open: (events) => {
      const line = new Line(events);
      lines.push(line);
      return line;
    },
    clock,
    random: () => 1,
    onFrame: (frame) => frames.push(frame),
    onClosed: (code) => closes.push(code),
  });
});

function last(): Line {
  const line = lines.at(-1);
  if (!line) throw new Error('no line was opened');
  return line;
}
function live(): Line {
  connection.connect();
  last().events.onText(HELLO);
  return last();
}
function state(): string {
  return connection.state.value.state;
}

describe('connecting', () => {
  test('is live after hello, and sends only then', () => {
    connection.connect();
    expect([state(), connection.send('too early')]).toEqual(['connecting', false]);
    last().events.onText(HELLO);
    expect([state(), connection.send('now')]).toEqual(['live', true]);
    expect(last().sent).toEqual(['now']);
  });

  test('gives up a server that never answers, and tries again', () => {
    connection.connect();
    clock.advance(10_000);
    expect([state(), last().closed]).toEqual(['waiting', true]);
    clock.advance(500);
    expect([state(), lines.length]).toEqual(['connecting', 2]);
  });

  test('delivers hello before it sends anything', () => {
    let known = false;
    connection.state.subscribe((link) => {
      if (link.state === 'live') known = frames[0]?.type === 'hello';
    });
    live();
    expect(known).toBe(true);
  });
});

describe('reconnecting', () => {
  test('happens within half a second after a good connection', () => {
    live();
    clock.advance(5_000);
    last().events.onClosed(1006, '');
    expect(state()).toBe('waiting');
    clock.advance(500);
    expect(lines.length).toBe(2);
  });

  test('takes longer with each failure', () => {
    connection.connect();
    const waits = [0, 1, 2, 3, 4, 5, 6].map(() => {
      last().events.onClosed(1006, '');
      const link = connection.state.value;
      const wait = link.state === 'waiting' ? link.until - clock.now() : 0;
      clock.advance(wait);
      return wait;
    });
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000]);
  });

  test('keeps its back-off when a connection dies right after hello', () => {
    for (let n = 0; n < 4; n++) {
      live();
      last().events.onClosed(1013, 'overloaded');
    }
    const link = connection.state.value;
    expect(link.state === 'waiting' && link.until - clock.now()).toBe(4000);
  });

  test.each([4000, 4001, 4002, 4003, 4004, 4400, 1008, 1009])(
    'does not happen after close code %i',
    (code) => {
      live();
      last().events.onClosed(code, 'why');
      clock.advance(60_000);
      expect([connection.state.value, closes]).toEqual([{ state: 'ended', code, reason: 'why' }, [code]]);
      expect(lines.length).toBe(1);
    },
  );

  test('reports 4510 before the next attempt, which opens at the new position', () => {
    live();
    last().events.onClosed(4510, 'log replaced');
    expect([closes, lines.length]).toEqual([[4510], 1]);
    clock.advance(500);
    expect(lines.length).toBe(2);
  });
});

describe('a silent connection', () => {
  test('is asked after 15 s and given up after two pings without an answer', () => {
    const line = live();
    clock.advance(15_000);
    expect(line.sent).toEqual(['{"type":"ping"}']);
    clock.advance(15_000);
    expect(line.sent.length).toBe(2);
    clock.advance(15_000);
    expect([line.closed, closes, state()]).toEqual([true, [1006], 'waiting']);
  });

  test('stays open when it answers', () => {
    const line = live();
    for (let n = 0; n < 20; n++) {
      clock.advance(15_000);
      line.events.onText('{"type":"pong"}');
    }
    expect([state(), lines.length]).toEqual(['live', 1]);
  });

  test('is not asked while frames arrive', () => {
    const line = live();
    for (let n = 0; n < 20; n++) {
      clock.advance(10_000);
      line.events.onText('{"type":"count","data":1}');
    }
    expect(line.sent).toEqual([]);
  });

  test('is found dead within 2 s of waking up, without a close event', () => {
    const line = live();
    connection.checkAlive();
    expect(line.sent).toEqual(['{"type":"ping"}']);
    clock.advance(1_500);
    expect([line.closed, lines.length, state(), closes]).toEqual([true, 2, 'connecting', [1006]]);
  });

  test('is probed once for several wake-ups', () => {
    live();
    for (let n = 0; n < 3; n++) connection.checkAlive();
    last().events.onText('{"type":"pong"}');
    clock.advance(2_000);
    expect([state(), lines.length]).toEqual(['live', 1]);
  });

  test('is retried at once on waking up', () => {
    connection.connect();
    last().events.onClosed(1006, '');
    connection.checkAlive();
    expect([state(), lines.length]).toEqual(['connecting', 2]);
  });

  test('stays closed after a final close code', () => {
    live();
    last().events.onClosed(4003, '');
    connection.checkAlive();
    clock.advance(60_000);
    expect([state(), lines.length]).toEqual(['ended', 1]);
  });

  test('is ignored once it was given up', () => {
    const dead = live();
    connection.connect();
    dead.events.onText('{"type":"count","data":9}');
    dead.events.onClosed(4001, 'late');
    expect([state(), frames.length, closes]).toEqual(['connecting', 1, []]);
  });
});

test('is not live when the receiver of hello reconnects', () => {
  connection = new Connection({
    open: (events) => {
      lines.push(new Line(events));
      return last();
    },
    clock,
    random: () => 1,
    onFrame: () => lines.length === 1 && connection.connect(),
    onClosed: () => {},
  });
  connection.connect();
  lines[0]?.events.onText(HELLO);
  expect([lines.length, state()]).toEqual([2, 'connecting']);
});
