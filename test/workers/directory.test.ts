/** What the primary tells each worker about the people in rooms. */
import { describe, expect, it, vi } from 'vitest';
import type { PresenceUpdate } from '../../src/realtime/worker-presence.js';
import { Directory, type WorkerPeople } from '../../src/workers/directory.js';
import { controlClock } from '../harness.js';

interface Told extends WorkerPeople {
  readonly updates: PresenceUpdate[];
}

function start(count: number): { directory: Directory; workers: Told[]; names: Map<string, string> } {
  const workers = Array.from({ length: count }, (): Told => {
    const updates: PresenceUpdate[] = [];
    return { updates, tell: (update) => void updates.push(update) };
  });
  const names = new Map<string, string>();
  const directory = new Directory(new Set(workers), (id) => names.get(id));
  return { directory, workers, names };
}

/** What a worker was told since the last time, without the counts. */
function news(worker: Told | undefined): PresenceUpdate[] {
  return (worker?.updates.splice(0) ?? []).filter(([kind]) => kind !== 'counts');
}

const join = (id: string, room = 'lobby') => ['join', room, id, `name of ${id}`] as const;
const left = (id: string, atOnce = false, room = 'lobby') => ['left', room, id, atOnce] as const;
const user = (id: string) => ({ id, name: `name of ${id}` });

describe('the directory', () => {
  it('tells a worker who is in the rooms that it has people in, and no other worker', () => {
    const { directory, workers } = start(3);
    const [a, b, c] = workers;
    if (!a || !b) throw new Error('no workers');
    directory.onReport(a, join('ann'));
    expect(news(a)).toEqual([['others', 'lobby', []]]);
    directory.onReport(b, join('bob'));
    expect(news(b)).toEqual([['others', 'lobby', [user('ann')]]]);
    expect(news(a)).toEqual([join('bob')]);
    directory.onReport(b, ['typing', 'lobby', 'bob', 'name of bob']);
    expect(news(a)).toEqual([['typing', 'lobby', 'bob', 'name of bob']]);
    directory.onReport(b, left('bob'));
    directory.onReport(b, join('eve', 'hall'));
    expect(news(a)).toEqual([left('bob')]);
    expect([news(b), news(c)]).toEqual([[['others', 'hall', []]], []]);
  });

  it('counts a user of several workers once, and tells that they left when the last one has', () => {
    const { directory, workers } = start(3);
    const [a, b, c] = workers;
    if (!a || !b || !c) throw new Error('no workers');
    directory.onReport(c, join('cleo'));
    directory.onReport(a, join('ann'));
    directory.onReport(b, join('ann'));
    expect(news(c).filter(([kind]) => kind === 'join')).toEqual([join('ann')]);
    expect(news(b)).toEqual([['others', 'lobby', [user('cleo'), user('ann')]]]);
    directory.onReport(a, left('ann'));
    expect([news(b), news(c)]).toEqual([[left('ann')], []]); // b has her itself
    expect(directory.placesOf('ann')).toBe(1);
    directory.drop(b);
    expect(news(c)).toEqual([left('ann')]);
    expect(directory.placesOf('ann')).toBe(0);
  });

  it('tells the committed name of a user, when a process tells an older one', () => {
    const { directory, workers, names } = start(2);
    const [a, b] = workers;
    if (!a || !b) throw new Error('no workers');
    names.set('bob', 'Bobby').set('cleo', 'Cleopatra');
    directory.onReport(a, join('ann'));
    directory.onReport(b, join('bob'));
    directory.enterFromNode('lobby', user('cleo'));
    expect(news(a).slice(1)).toEqual([
      ['join', 'lobby', 'bob', 'Bobby'],
      ['join', 'lobby', 'cleo', 'Cleopatra'],
    ]);
  });

  it('tells only the count of a room with over 100 people, and all people when it is small again', () => {
    const clock = controlClock();
    const { directory, workers } = start(2);
    const [a, b] = workers;
    if (!a || !b) throw new Error('no workers');
    directory.onReport(b, join('bob'));
    for (let n = 1; n <= 120; n++) directory.onReport(a, join(`u${n}`));
    directory.everySecond(performance.now());
    const told = news(b);
    expect(told.filter(([kind]) => kind === 'join')).toHaveLength(100);
    expect(told.at(-1)).toMatchObject(['large', 'lobby', { count: 121 }]);
    for (let n = 1; n <= 50; n++) directory.onReport(a, left(`u${n}`, true));
    expect(news(b)).toEqual([]);
    clock(1000);
    directory.everySecond(performance.now());
    const [update] = news(b);
    expect(update?.slice(0, 2)).toEqual(['others', 'lobby']);
    expect(update?.[2]).toHaveLength(70);
  });

  it('tells all workers how many people are in each room', async () => {
    const { directory, workers } = start(2);
    const [a, b] = workers;
    if (!a || !b) throw new Error('no workers');
    directory.onReport(a, join('ann'));
    directory.onReport(a, join('bob', 'hall'));
    await vi.waitFor(() =>
      expect(b.updates).toEqual([
        [
          'counts',
          [
            ['lobby', 1],
            ['hall', 1],
          ],
        ],
      ]),
    );
    b.updates.length = 0;
    directory.greet(b);
    expect(b.updates).toEqual([
      [
        'counts',
        [
          ['lobby', 1],
          ['hall', 1],
        ],
      ],
    ]);
  });
});
