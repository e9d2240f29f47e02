/** Announcements for screen readers. */
import { describe, expect, it } from 'vitest';
import { type Announcement, LiveAnnouncer } from '../../src/client/rooms/announcer.js';
import type { ChatEvent } from '../../src/shared/protocol.js';
import { ManualClock } from './clock.js';

const said = (id: number, by = 'bob'): ChatEvent => ({
  id,
  type: 'chat',
  user: { id: by, name: by },
  data: `text ${id}`,
  at: 0,
});
const upTo = (id: number) => Array.from({ length: id }, (_, n) => said(n + 1));

function start() {
  const clock = new ManualClock();
  const announcer = new LiveAnnouncer(clock);
  const told: (readonly number[] | number)[] = [];
  announcer.announcement.subscribe((news: Announcement | undefined) => {
    if (news) told.push(news.messages.length > 0 ? news.messages.map(({ id }) => id) : news.count);
  });
  return { clock, announcer, told };
}

describe('LiveAnnouncer', () => {
  it('announces new messages once, and none from before', () => {
    const { clock, announcer, told } = start();
    announcer.update(2, [], 'ann'); // after hello, before the history
    announcer.update(2, upTo(1), 'ann');
    announcer.update(2, upTo(2), 'ann');
    expect(told).toEqual([]);
    announcer.update(3, upTo(3), 'ann');
    announcer.update(3, upTo(3), 'ann');
    clock.advance(10_000);
    announcer.update(3, upTo(3), 'ann');
    expect(told).toEqual([[3]]);
  });

  it("leaves out the user's own and deleted messages", () => {
    const { clock, announcer, told } = start();
    announcer.update(0, [], 'ann');
    announcer.update(2, [said(1, 'ann'), { ...said(2), data: '', deleted: 3 }], 'ann');
    clock.advance(10_000);
    expect(told).toEqual([]);
  });

  it('announces a few together, and counts many', () => {
    const { clock, announcer, told } = start();
    announcer.update(0, [], 'ann');
    announcer.update(1, upTo(1), 'ann');
    announcer.update(2, upTo(2), 'ann');
    announcer.update(3, upTo(3), 'ann');
    expect(told).toEqual([[1]]);
    clock.advance(1_500);
    expect(told).toEqual([[1], [2, 3]]);
    announcer.update(500, upTo(500), 'ann');
    clock.advance(1_500);
    expect(told).toEqual([[1], [2, 3], 497]);
    clock.advance(10_000);
    announcer.update(501, upTo(501), 'ann');
    expect(told.at(-1)).toEqual([501]);
  });

  it('counts messages missed during an outage, and announces none of another log', () => {
    const { clock, announcer, told } = start();
    announcer.update(3, upTo(3), 'ann');
    announcer.update(40, upTo(3), 'ann'); // hello after an outage, before the missed events
    announcer.update(40, upTo(40), 'ann');
    expect(told).toEqual([37]);
    announcer.reset();
    clock.advance(10_000);
    announcer.update(9, upTo(9), 'ann');
    expect(told).toEqual([37]);
  });
});
