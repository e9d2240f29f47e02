/** Which messages a screen reader is told: each once, none of the history, a busy room by its count. */
import { describe, expect, it } from 'vitest';
import { type Announcement, LiveAnnouncer } from '../../src/client/rooms/announcer.js';
import type { ChatEvent } from '../../src/shared/protocol.js';
import { HandClock } from './clock.js';

const said = (id: number, by = 'bob'): ChatEvent => ({
  id,
  type: 'chat',
  user: { id: by, name: by },
  data: `text ${id}`,
  at: 0,
});
const upTo = (id: number) => Array.from({ length: id }, (_, n) => said(n + 1));

function start() {
  const clock = new HandClock();
  const herald = new LiveAnnouncer(clock);
  const told: (readonly number[] | number)[] = [];
  herald.announcement.subscribe((news: Announcement | undefined) => {
    if (news) told.push(news.messages.length > 0 ? news.messages.map(({ id }) => id) : news.count);
  });
  return { clock, herald, told };
}

describe('the herald', () => {
  it('is silent about what was there, and says what comes, once', () => {
    const { clock, herald, told } = start();
    herald.update(2, [], 'ann'); // hello came, its history not yet
    herald.update(2, upTo(1), 'ann');
    herald.update(2, upTo(2), 'ann');
    expect(told).toEqual([]);
    herald.update(3, upTo(3), 'ann');
    herald.update(3, upTo(3), 'ann');
    clock.turn(10_000);
    herald.update(3, upTo(3), 'ann');
    expect(told).toEqual([[3]]);
  });

  it('does not say my own, nor what was deleted meanwhile', () => {
    const { clock, herald, told } = start();
    herald.update(0, [], 'ann');
    herald.update(2, [said(1, 'ann'), { ...said(2), data: '', deleted: 3 }], 'ann');
    clock.turn(10_000);
    expect(told).toEqual([]);
  });

  it('says what came during a sentence together, and counts when it is much', () => {
    const { clock, herald, told } = start();
    herald.update(0, [], 'ann');
    herald.update(1, upTo(1), 'ann');
    herald.update(2, upTo(2), 'ann');
    herald.update(3, upTo(3), 'ann');
    expect(told).toEqual([[1]]);
    clock.turn(1_500);
    expect(told).toEqual([[1], [2, 3]]);
    herald.update(500, upTo(500), 'ann');
    clock.turn(1_500);
    expect(told).toEqual([[1], [2, 3], 497]);
    clock.turn(10_000);
    herald.update(501, upTo(501), 'ann');
    expect(told.at(-1)).toEqual([501]);
  });

  it('says the missed ones after a break by their count, and nothing of another log', () => {
    const { clock, herald, told } = start();
    herald.update(3, upTo(3), 'ann');
    herald.update(40, upTo(3), 'ann'); // hello after a break: the rest is on its way
    herald.update(40, upTo(40), 'ann');
    expect(told).toEqual([37]);
    herald.reset();
    clock.turn(10_000);
    herald.update(9, upTo(9), 'ann');
    expect(told).toEqual([37]);
  });
});
