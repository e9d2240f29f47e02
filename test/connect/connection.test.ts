/** The connection with links whose other end is this test. */
import { beforeEach, describe, expect, test } from 'vitest';
import { observable } from '../../src/connect/clock.js';
import { Connection, type TransportMemory } from '../../src/connect/connection.js';
import type { Frame, Link, LinkEvents, Position, TransportName } from '../../src/connect/transport.js';
import type { ClientCommand } from '../../src/shared/protocol.js';
import { ManualClock } from '../client/clock.js';

const HELLO = {
  type: 'hello',
  room: 'lobby',
  epoch: 'e',
  last: 0,
  user: { id: 'a', name: 'Ann' },
  complete: true,
};
const PING = { type: 'ping' };

class Line implements Link {
  readonly sent: ClientCommand[] = [];
  closed = false;
  readonly name: TransportName;
  readonly events: LinkEvents;
  readonly from: Position | undefined;
  constructor(name: TransportName, events: LinkEvents) {
    this.name = name;
    this.events = events;
    this.from = events.position();
  }
  get answersPings(): boolean {
    return this.name === 'websocket';
  }
  send(command: ClientCommand): void {
    this.sent.push(command);
  }
  close(): void {
    this.closed = true;
  }
  says(...frames: readonly Frame[]): void {
    for (const frame of frames) this.events.onFrame(frame);
  }
}

let clock: ManualClock;
let lines: Line[];
let frames: Frame[];
let closes: number[];
let remembered: TransportName | undefined;
let connection: Connection;

const memory: TransportMemory = {
  get: () => remembered,
  set: (name) => {
    remembered = name;
  },
};

function create(transports: readonly TransportName[], onFrame?: () => void): Connection {
  return new Connection({
    transports,
    open: (name, events) => {
      const line = new Line(name, events);
      lines.push(line);
      return line;
    },
    memory,
    clock,
    random: () => 1,
    observable,
    position: () => {
      const ids = frames.map(({ id }) => Number(id)).filter((id) => id > 0);
      return { after: Math.max(0, ...ids), epoch: 'e' };
    },
    onFrame: (frame) => {
      frames.push(frame);
      onFrame?.();
    },
    onClosed: (code) => closes.push(code),
  });
}

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
  frames = [];
  closes = [];
  remembered = undefined;
  connection = create(['websocket']);
});

function last(): Line {
  const line = lines.at(-1);
  if (!line) throw new Error('no link was opened');
  return line;
}
function live(): Line {
  connection.connect();
  last().says(HELLO);
  return last();
}
function state(): string {
  return connection.state.value.state;
}
function chat(id: number, cid?: string): Frame {
  return { id, type: 'chat', data: `text ${id}`, ...(cid === undefined ? {} : { cid }) };
}
/** The numbers that were passed on. */
function numbers(): unknown[] {
  return frames.filter((frame) => frame['type'] === 'chat').map(({ id }) => id);
}

describe('connecting', () => {
  test('is live after hello, and sends only then', () => {
    connection.connect();
    expect([state(), connection.send({ type: 'typing' })]).toEqual(['connecting', false]);
    last().says(HELLO);
    expect([state(), connection.send({ type: 'typing' })]).toEqual(['live', true]);
    expect(last().sent).toEqual([{ type: 'typing' }]);
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
      if (link.state === 'live') known = frames[0]?.['type'] === 'hello';
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
    expect(line.sent).toEqual([PING]);
    clock.advance(15_000);
    expect(line.sent.length).toBe(2);
    clock.advance(15_000);
    expect([line.closed, closes, state()]).toEqual([true, [1006], 'waiting']);
  });

  test('stays open when it answers', () => {
    const line = live();
    for (let n = 0; n < 20; n++) {
      clock.advance(15_000);
      line.says({ type: 'pong' });
    }
    expect([state(), lines.length]).toEqual(['live', 1]);
  });

  test('is not asked while frames arrive', () => {
    const line = live();
    for (let n = 0; n < 20; n++) {
      clock.advance(10_000);
      line.says({ type: 'count', data: 1 });
    }
    expect(line.sent).toEqual([]);
  });

  test('is found dead within 2 s of waking up, without a close event', () => {
    const line = live();
    connection.checkAlive();
    expect(line.sent).toEqual([PING]);
    clock.advance(1_500);
    expect([line.closed, lines.length, state(), closes]).toEqual([true, 2, 'connecting', [1006]]);
  });

  test('is probed once for several wake-ups', () => {
    live();
    for (let n = 0; n < 3; n++) connection.checkAlive();
    last().says({ type: 'pong' });
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
    dead.says({ type: 'count', data: 9 });
    dead.events.onClosed(4001, 'late');
    expect([state(), frames.length, closes]).toEqual(['connecting', 1, []]);
  });
});

test('is not live when the receiver of hello reconnects', () => {
  connection = create(['websocket'], () => lines.length === 1 && connection.connect());
  connection.connect();
  lines[0]?.says(HELLO);
  expect([lines.length, state()]).toEqual([2, 'connecting']);
});

describe('a transport that does not get through', () => {
  beforeEach(() => {
    connection = create(['websocket', 'stream', 'poll']);
  });
  const names = () => lines.map(({ name }) => name);

  test('is followed by the next one at once', () => {
    connection.connect();
    last().events.onClosed(1006, '');
    last().says(HELLO);
    expect(connection.state.value).toEqual({ state: 'live', transport: 'stream' });
    expect(names()).toEqual(['websocket', 'stream']);
  });

  test('is followed by the next one within 4 s when it hangs', () => {
    connection.connect();
    clock.advance(4_000);
    expect([names(), lines[0]?.closed]).toEqual([['websocket', 'stream'], true]);
    clock.advance(4_000);
    expect(names()).toEqual(['websocket', 'stream', 'poll']);
    clock.advance(4_000);
    expect(state()).toBe('connecting'); // the last one has more time
  });

  test('is followed by a wait when no other one gets through', () => {
    connection.connect();
    for (let n = 0; n < 3; n++) last().events.onClosed(1006, '');
    expect([names(), state()]).toEqual([['websocket', 'stream', 'poll'], 'waiting']);
    clock.advance(500);
    expect(last().name).toBe('websocket');
  });

  test('is not followed by another one when the server refuses', () => {
    connection.connect();
    last().events.onClosed(1013, 'status 503');
    expect([names(), state()]).toEqual([['websocket'], 'waiting']);
  });

  test('is not followed by another one when the session is over', () => {
    connection.connect();
    last().events.onClosed(1006, '');
    last().events.onClosed(4001, 'not signed in');
    expect([names(), state()]).toEqual([['websocket', 'stream'], 'ended']);
  });

  test('counts as blocked when it breaks soon after hello three times', () => {
    connection.connect();
    for (let n = 0; n < 3; n++) {
      last().says(HELLO);
      last().events.onClosed(1006, '');
      clock.advance(n < 2 ? 1_000 : 0);
    }
    expect(names()).toEqual(['websocket', 'websocket', 'websocket', 'stream']);
  });

  test('is skipped the next time', () => {
    remembered = 'stream';
    connection.connect();
    expect(names()).toEqual(['stream']);
  });

  test('is remembered when it gets through', () => {
    connection.connect();
    last().events.onClosed(1006, '');
    last().says(HELLO);
    expect(remembered).toBe('stream');
    last().events.onClosed(1006, 'cut');
    clock.advance(500);
    expect(last().name).toBe('stream');
  });
});

describe('a fallback', () => {
  let stream: Line;
  beforeEach(() => {
    connection = create(['websocket', 'stream', 'poll']);
    remembered = 'stream';
    stream = live();
    stream.says(chat(1), chat(2));
  });

  test('stays while WebSocket is tried, less and less often', () => {
    const waits = [0, 1, 2, 3, 4, 5, 6].map(() => {
      const from = clock.now();
      const known = lines.length;
      while (lines.length === known) {
        clock.advance(1_000);
        stream.events.onAlive();
      }
      expect(last().name).toBe('websocket');
      last().events.onClosed(1006, '');
      return (clock.now() - from) / 1000;
    });
    expect(waits).toEqual([15, 30, 60, 120, 240, 300, 300]);
    expect([stream.closed, connection.state.value]).toEqual([false, { state: 'live', transport: 'stream' }]);
  });

  test('gives up a try that hangs', () => {
    clock.advance(15_000);
    const trial = last();
    stream.events.onAlive();
    clock.advance(10_000);
    expect([trial.name, trial.closed, state()]).toEqual(['websocket', true, 'live']);
  });

  test('gives way to WebSocket without a hole or a repeat', () => {
    clock.advance(15_000);
    const socket = last();
    expect(socket.from).toEqual({ after: 2, epoch: 'e' });
    stream.says(chat(3)); // after the socket was opened
    socket.says(HELLO, chat(3), chat(4));
    stream.says(chat(5)); // late
    expect([numbers(), stream.closed]).toEqual([[1, 2, 3, 4], true]);
    expect([connection.state.value, remembered]).toEqual([
      { state: 'live', transport: 'websocket' },
      'websocket',
    ]);
    expect(closes).toEqual([1000]); // what was in flight is sent again
  });

  test('delivers the events of another log, however low their numbers are', () => {
    clock.advance(15_000);
    last().says({ ...HELLO, epoch: 'f', complete: false }, chat(1));
    expect(numbers()).toEqual([1, 2, 1]);
  });

  test('passes an ack on after its event', () => {
    stream.says({ type: 'ack', cid: 'c', id: 4 });
    expect(frames.at(-1)).toEqual(chat(2));
    stream.says(chat(3), chat(4, 'c'));
    expect(frames.slice(-2)).toEqual([chat(4, 'c'), { type: 'ack', cid: 'c', id: 4 }]);
    stream.says({ type: 'ack', cid: 'b', id: 2 });
    expect(frames.at(-1)).toEqual({ type: 'ack', cid: 'b', id: 2 });
    clock.advance(4_000);
    expect([state(), stream.closed]).toEqual(['live', false]);
  });

  test('passes no ack on that only says which event must come', () => {
    stream.says({ type: 'ack', id: 3 }, chat(3, 'c'));
    expect(frames.at(-1)).toEqual(chat(3, 'c'));
    clock.advance(4_000);
    expect([state(), stream.closed]).toEqual(['live', false]);
  });

  test('is left when a message is stored but its event does not come', () => {
    stream.says({ type: 'ack', cid: 'c', id: 3 });
    clock.advance(4_000);
    expect([stream.closed, last().name]).toEqual([true, 'poll']);
  });

  test('is left when nothing comes, not even what keeps it alive', () => {
    clock.advance(14_000);
    stream.events.onAlive();
    clock.advance(30_000);
    expect([stream.closed, last().name]).toEqual([true, 'poll']);
  });

  test('is replaced on waking up, because it answers no pings', () => {
    connection.checkAlive();
    expect([stream.closed, lines.length, last().name]).toEqual([true, 2, 'stream']);
  });
});
