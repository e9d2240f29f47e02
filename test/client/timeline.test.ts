import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LogEvent } from '../../src/client/decode.js';
import * as timeline from '../../src/client/room/timeline.js';

function event(id: number): LogEvent {
  return { id, type: 'chat', user: { id: 'a', name: 'Ann' }, data: `text ${id}`, at: id };
}
/** Events from first to last. */
function run(first: number, last: number): readonly LogEvent[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => event(first + n));
}
/** The same as a page, read when `last` was the newest. */
function page(first: number, end: number, last = end): timeline.LoadedPage {
  return { last, messages: run(first, end) };
}
function opened(last: number, from: number): timeline.Timeline {
  const t = timeline.afterHello(timeline.emptyTimeline, { epoch: 'e', last, complete: true });
  return timeline.receiveEvents(t, run(from, last));
}
function ids(t: timeline.Timeline): readonly number[] {
  return t.events.map(({ id }) => id);
}

describe('receiving', () => {
  test('takes history, then live events', () => {
    const t = timeline.receiveEvents(opened(60, 11), [event(61)]);
    expect([timeline.firstId(t), timeline.lastId(t), t.seen, t.last]).toEqual([11, 61, 61, 61]);
  });

  test('starts an empty room at number 1', () => {
    const t = timeline.receiveEvents(opened(0, 1), [event(1)]);
    expect([ids(t), t.seen]).toEqual([[1], 1]);
  });

  test('ignores repeats', () => {
    const t = opened(10, 1);
    expect(timeline.receiveEvents(t, [event(7)])).toBe(t);
  });

  test('holds events back until a gap is filled', () => {
    let t = [13, 12, 13].reduce((before, id) => timeline.receiveEvents(before, [event(id)]), opened(10, 1));
    expect([timeline.lastId(t), timeline.gapAfter(t), t.last]).toEqual([10, 10, 13]);
    t = timeline.fillGap(t, page(11, 11));
    expect([ids(t), timeline.gapAfter(t), t.ahead]).toEqual([run(1, 13).map(({ id }) => id), undefined, []]);
  });

  test('loads what it cannot hold back', () => {
    const t = timeline.receiveEvents(timeline.receiveEvents(opened(10, 1), run(12, 900)), run(901, 2000));
    expect(t.ahead.length).toBeLessThanOrEqual(1000);
    expect(timeline.gapAfter(t)).toBe(10);
    expect(timeline.fillGap(t, page(11, 2000)).seen).toBe(2000);
  });
});

describe('resuming', () => {
  test('continues the same log', () => {
    const t = opened(10, 1);
    const back = timeline.afterHello(t, { epoch: 'e', last: 12, complete: true });
    expect([back.events, back.seen, back.last]).toEqual([t.events, 10, 12]);
  });

  test.each([
    ['another epoch', { epoch: 'f', last: 3, complete: true }],
    ['not complete', { epoch: 'e', last: 30, complete: false }],
  ])('drops everything: %s', (_, hello) => {
    const t = timeline.receiveEvents(timeline.afterHello(opened(10, 1), hello), [event(hello.last)]);
    expect([ids(t), t.seen, t.epoch]).toEqual([[hello.last], hello.last, hello.epoch]);
  });
});

describe('the window', () => {
  test('follows the end and stays small', () => {
    const t = opened(5000, 1);
    expect([timeline.firstId(t), timeline.lastId(t)]).toEqual([5000 - timeline.windowEvents + 1, 5000]);
  });

  test('stays where the user reads', () => {
    const reading = timeline.setPinned(opened(400, 1), false);
    const t = run(401, 1000).reduce((before, one) => timeline.receiveEvents(before, [one]), reading);
    expect([timeline.firstId(t), t.seen, t.last, timeline.isAttached(t)]).toEqual([1, 1000, 1000, false]);
    expect(t.events.length).toBeLessThanOrEqual(600);
  });

  test('grows upwards, and drops its end when it is too long', () => {
    let t = timeline.setPinned(opened(1000, 601), false);
    for (let top = timeline.firstId(t); top > 1; top = timeline.firstId(t))
      t = timeline.prependPage(t, page(Math.max(1, top - 100), top - 1, 1000));
    expect([timeline.firstId(t), timeline.lastId(t), timeline.hasOlder(t), timeline.isAttached(t)]).toEqual([
      1,
      600,
      false,
      false,
    ]);
    t = timeline.appendPage(t, page(601, 700, 1000));
    expect([timeline.firstId(t), timeline.lastId(t)]).toEqual([101, 700]);
  });

  test('jumps to the newest page', () => {
    const away = timeline.receiveEvents(timeline.setPinned(opened(400, 1), false), run(401, 1000));
    const t = timeline.receiveEvents(timeline.jumpToLatest(away, page(901, 1002)), [event(1003)]);
    expect([timeline.firstId(t), timeline.lastId(t), t.seen, timeline.isAttached(t)]).toEqual([
      901,
      1003,
      1003,
      true,
    ]);
  });

  test('takes an event once that both a page and the socket deliver', () => {
    const t = timeline.appendPage(timeline.setPinned(opened(10, 1), false), page(11, 15));
    expect(timeline.receiveEvents(t, [event(13)])).toBe(t);
    expect([timeline.lastId(t), t.seen]).toEqual([15, 15]);
  });
});

describe('any order of events', () => {
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

  function apply(t: timeline.Timeline, s: { kind: string; id?: number; size?: number }): timeline.Timeline {
    const { id = 0, size = 0 } = s;
    if (s.kind === 'event') return timeline.receiveEvents(t, [event(id)]);
    if (s.kind === 'fill')
      return timeline.fillGap(t, page((t.seen ?? 0) + 1, Math.min(LAST, (t.seen ?? 0) + size), LAST));
    if (s.kind === 'older')
      return timeline.prependPage(
        t,
        page(Math.max(1, timeline.firstId(t) - 5), timeline.firstId(t) - 1, LAST),
      );
    if (s.kind === 'newer')
      return timeline.appendPage(
        t,
        page(timeline.lastId(t) + 1, Math.min(LAST, timeline.lastId(t) + 5), LAST),
      );
    if (s.kind === 'hello') return timeline.afterHello(t, { epoch: 'e', last: LAST, complete: true });
    if (s.kind === 'jump') return timeline.jumpToLatest(t, page(LAST - 4, LAST));
    return timeline.setPinned(t, s.kind === 'pin');
  }

  test('leaves no gap and no repeat in the window', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let t = timeline.afterHello(timeline.emptyTimeline, { epoch: 'e', last: LAST, complete: true });
        for (const s of steps) {
          t = apply(t, s);
          expect(ids(t)).toEqual(run(timeline.firstId(t) || 1, timeline.lastId(t)).map(({ id }) => id));
          expect(timeline.lastId(t)).toBeLessThanOrEqual(t.seen ?? 0);
          expect(t.ahead.every(({ id }) => id > (t.seen ?? 0) + 1)).toBe(true);
        }
        t = timeline.fillGap(timeline.receiveEvents(t, [event(LAST)]), page(1, LAST));
        expect([t.seen, timeline.gapAfter(t)]).toEqual([LAST, undefined]);
      }),
    );
  });
});
