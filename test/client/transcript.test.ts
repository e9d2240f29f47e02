import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LogEvent } from '../../src/client/state/events.js';
import * as log from '../../src/client/state/transcript.js';
import * as turn from '../../src/client/state/turns.js';

function event(id: number): LogEvent {
  return { id, type: 'chat', user: { id: 'a', name: 'Ann' }, data: `text ${id}`, at: id };
}
/** Events first … last. */
function run(first: number, last: number): readonly LogEvent[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => event(first + n));
}
/** The same as a page, read when `last` was the newest. */
function page(first: number, end: number, last = end): turn.Read {
  return { last, messages: run(first, end) };
}
function opened(last: number, from: number): log.Transcript {
  const t = log.greeted(log.EMPTY, { epoch: 'e', last, complete: true });
  return log.received(t, run(from, last));
}
function ids(t: log.Transcript): readonly number[] {
  return t.events.map(({ id }) => id);
}

describe('arriving', () => {
  test('history, then live', () => {
    const t = log.received(opened(60, 11), [event(61)]);
    expect([log.top(t), log.bottom(t), t.seen, t.last]).toEqual([11, 61, 61, 61]);
  });

  test('an empty room begins at number 1', () => {
    const t = log.received(opened(0, 1), [event(1)]);
    expect([ids(t), t.seen]).toEqual([[1], 1]);
  });

  test('a repeat changes nothing at all', () => {
    const t = opened(10, 1);
    expect(log.received(t, [event(7)])).toBe(t);
  });

  test('beyond a hole nothing is shown until it is filled', () => {
    let t = [13, 12, 13].reduce((before, id) => log.received(before, [event(id)]), opened(10, 1));
    expect([log.bottom(t), log.holeAfter(t), t.last]).toEqual([10, 10, 13]);
    t = turn.filled(t, page(11, 11));
    expect([ids(t), log.holeAfter(t), t.ahead]).toEqual([run(1, 13).map(({ id }) => id), undefined, []]);
  });

  test('more than can be kept beyond a hole is loaded with it', () => {
    const t = log.received(log.received(opened(10, 1), run(12, 900)), run(901, 2000));
    expect(t.ahead.length).toBeLessThanOrEqual(1000);
    expect(log.holeAfter(t)).toBe(10);
    expect(turn.filled(t, page(11, 2000)).seen).toBe(2000);
  });
});

describe('coming back', () => {
  test('the same log goes on', () => {
    const t = opened(10, 1);
    const back = log.greeted(t, { epoch: 'e', last: 12, complete: true });
    expect([back.events, back.seen, back.last]).toEqual([t.events, 10, 12]);
  });

  test.each([
    ['another epoch', { epoch: 'f', last: 3, complete: true }],
    ['not complete', { epoch: 'e', last: 30, complete: false }],
  ])('%s: all is dropped, what follows is taken', (_, hello) => {
    const t = log.received(log.greeted(opened(10, 1), hello), [event(hello.last)]);
    expect([ids(t), t.seen, t.epoch]).toEqual([[hello.last], hello.last, hello.epoch]);
  });
});

describe('the window', () => {
  test('at the bottom it moves on and stays small', () => {
    const t = opened(5000, 1);
    expect([log.top(t), log.bottom(t)]).toEqual([5000 - log.WINDOW + 1, 5000]);
  });

  test('who reads further up is left in peace: new ones are counted, not shown', () => {
    const reading = log.pin(opened(400, 1), false);
    const t = run(401, 1000).reduce((before, one) => log.received(before, [one]), reading);
    expect([log.top(t), t.seen, t.last, log.isAttached(t)]).toEqual([1, 1000, 1000, false]);
    expect(t.events.length).toBeLessThanOrEqual(600);
  });

  test('older ones come on top, and the bottom is let go when it gets long', () => {
    let t = log.pin(opened(1000, 601), false);
    for (let top = log.top(t); top > 1; top = log.top(t))
      t = turn.older(t, page(Math.max(1, top - 100), top - 1, 1000));
    expect([log.top(t), log.bottom(t), log.hasOlder(t), log.isAttached(t)]).toEqual([1, 600, false, false]);
    t = turn.newer(t, page(601, 700, 1000));
    expect([log.top(t), log.bottom(t)]).toEqual([101, 700]);
  });

  test('to the latest: the newest page, and on from there', () => {
    const away = log.received(log.pin(opened(400, 1), false), run(401, 1000));
    const t = log.received(turn.jumped(away, page(901, 1002)), [event(1003)]);
    expect([log.top(t), log.bottom(t), t.seen, log.isAttached(t)]).toEqual([901, 1003, 1003, true]);
  });

  test('a page may know more than the socket has brought: that is not shown twice', () => {
    const t = turn.newer(log.pin(opened(10, 1), false), page(11, 15));
    expect(log.received(t, [event(13)])).toBe(t);
    expect([log.bottom(t), t.seen]).toEqual([15, 15]);
  });
});

describe('whatever happens', () => {
  const LAST = 40;
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('event' as const), id: fc.integer({ min: 1, max: LAST }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('fill' as const), size: fc.integer({ min: 0, max: 9 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom('older', 'newer', 'pin', 'unpin', 'hello', 'jump') }),
    },
  );

  function apply(t: log.Transcript, s: { kind: string; id?: number; size?: number }): log.Transcript {
    const { id = 0, size = 0 } = s;
    if (s.kind === 'event') return log.received(t, [event(id)]);
    if (s.kind === 'fill')
      return turn.filled(t, page((t.seen ?? 0) + 1, Math.min(LAST, (t.seen ?? 0) + size), LAST));
    if (s.kind === 'older') return turn.older(t, page(Math.max(1, log.top(t) - 5), log.top(t) - 1, LAST));
    if (s.kind === 'newer')
      return turn.newer(t, page(log.bottom(t) + 1, Math.min(LAST, log.bottom(t) + 5), LAST));
    if (s.kind === 'hello') return log.greeted(t, { epoch: 'e', last: LAST, complete: true });
    if (s.kind === 'jump') return turn.jumped(t, page(LAST - 4, LAST));
    return log.pin(t, s.kind === 'pin');
  }

  test('what is shown has no hole and no repeat, and filling the holes gives all of it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let t = log.greeted(log.EMPTY, { epoch: 'e', last: LAST, complete: true });
        for (const s of steps) {
          t = apply(t, s);
          expect(ids(t)).toEqual(run(log.top(t) || 1, log.bottom(t)).map(({ id }) => id));
          expect(log.bottom(t)).toBeLessThanOrEqual(t.seen ?? 0);
          expect(t.ahead.every(({ id }) => id > (t.seen ?? 0) + 1)).toBe(true);
        }
        t = turn.filled(log.received(t, [event(LAST)]), page(1, LAST));
        expect([t.seen, log.holeAfter(t)]).toEqual([LAST, undefined]);
      }),
    );
  });
});
