import { describe, expect, it } from 'vitest';
import type { Frames } from '../../src/realtime/frames.js';
import { Presence, type Present } from '../../src/realtime/presence.js';

function enter(presence: Presence, count: number): Present[] {
  const people = Array.from({ length: count }, (_, n) => ({ profile: { id: `p${n}`, name: `P${n}` } }));
  for (const person of people) presence.enter(person);
  return people;
}

const counted = (frames: Frames | undefined): unknown => JSON.parse(frames?.lines.toString() ?? '{}').count;

describe('the presence of a room', () => {
  it('encodes a new list for each user who joins a small room', () => {
    const presence = new Presence();
    enter(presence, 2);
    const before = presence.encodedList();
    presence.enter({ profile: { id: 'z', name: 'Zoe' } });
    expect([before, presence.encodedList()].map(counted)).toEqual([2, 3]);
  });

  it('encodes the list of a large room once a second, and shares the bytes', () => {
    const presence = new Presence();
    enter(presence, 500);
    const before = presence.encodedList();
    presence.enter({ profile: { id: 'z', name: 'Zoe' } });
    expect(presence.encodedList()).toBe(before);
    presence.takeUpdates(0);
    expect(counted(presence.encodedList())).toBe(501);
  });

  it('lists a changed name in a large room at once', () => {
    const presence = new Presence();
    const person = { profile: { id: 'a', name: 'Ann' } };
    presence.enter(person);
    enter(presence, 500);
    presence.encodedList();
    presence.renamed(person.profile, { id: 'a', name: 'Zoe' });
    person.profile = { id: 'a', name: 'Zoe' };
    expect(presence.encodedList()?.lines.toString()).toContain('"Zoe"');
  });

  it('sends the count every second up to 1,000 users, and less often above', () => {
    const updates = (people: number): number => {
      const presence = new Presence();
      enter(presence, people);
      let times = 0;
      for (let second = 0; second < 12; second++) {
        presence.enter({ profile: { id: `z${second}`, name: 'Zoe' } });
        times += presence.takeUpdates(0).length;
      }
      return times;
    };
    expect([900, 3000, 50_000, 200_000].map(updates)).toEqual([12, 3, 2, 1]);
  });

  it('sends few counts while a room fills up', () => {
    const presence = new Presence();
    const updates: number[] = [];
    for (let second = 1; second <= 20; second++) {
      if (second <= 6) enter(presence, 3000);
      for (const { type } of presence.takeUpdates(0)) if (type === 'count') updates.push(second);
    }
    expect(updates).toEqual([1, 11]);
  });

  it('tells that a user left five seconds after their last socket closed', () => {
    const presence = new Presence();
    const [ann] = enter(presence, 2) as [Present];
    presence.enter(ann);
    expect(presence.leave(ann, 0)).toBeUndefined();
    expect(presence.leave(ann, 1000)).toBeUndefined();
    expect([presence.takeUpdates(5999), presence.count]).toEqual([[], 2]);
    expect(presence.takeUpdates(6000)).toEqual([{ type: 'left', user: ann.profile, data: 'P0 left.' }]);
    expect([presence.takeUpdates(60_000), presence.count]).toEqual([[], 1]);
  });

  it('tells nobody when the user comes back within that time', () => {
    const presence = new Presence();
    const [ann] = enter(presence, 2) as [Present];
    for (let now = 0; now < 60_000; now += 1000) {
      expect(presence.leave(ann, now)).toBeUndefined();
      expect(presence.takeUpdates(now + 4999)).toEqual([]);
      expect(presence.enter(ann)).toBeUndefined();
    }
    expect([presence.takeUpdates(99_999), presence.count]).toEqual([[], 2]);
  });

  it('tells at once that a user left who will not be back soon, if no socket is left', () => {
    const presence = new Presence();
    const [ann] = enter(presence, 2) as [Present];
    presence.enter(ann);
    expect(presence.leave(ann, 0, true)).toBeUndefined();
    expect(presence.leave(ann, 0, true)).toMatchObject({ type: 'left', user: ann.profile });
    expect([presence.takeUpdates(60_000), presence.count]).toEqual([[], 1]);
  });

  it('is empty when no user has a socket', () => {
    const presence = new Presence();
    const [ann, bob] = enter(presence, 2) as [Present, Present];
    presence.leave(ann, 0);
    expect(presence.isEmpty).toBe(false);
    presence.leave(bob, 0);
    expect(presence.isEmpty).toBe(true);
    presence.enter(ann);
    expect(presence.isEmpty).toBe(false);
  });

  it('tells who comes and goes again when only this process had found the room large', () => {
    const presence = new Presence({ isCountedElsewhere: true });
    presence.settle(undefined);
    const people = enter(presence, 102);
    const [ann, bob, cleo] = people as [Present, Present, Present];
    for (const person of [ann, bob]) expect(presence.leave(person, 0, true)).toBeUndefined();
    expect(presence.takeUpdates(0)).toMatchObject([{ type: 'list', count: 100 }]);
    expect(presence.leave(cleo, 0, true)).toMatchObject({ type: 'left', user: cleo.profile });
  });

  it('leaves the count of a large room to the process that counts', () => {
    const presence = new Presence({ isCountedElsewhere: true });
    expect(presence.settle({ type: 'list', data: [], count: 500 })).toMatchObject({
      type: 'list',
      count: 500,
    });
    enter(presence, 3);
    expect(presence.takeUpdates(0)).toEqual([]);
    expect(presence.settle({ type: 'list', data: [], count: 503 })).toEqual({ type: 'count', data: 503 });
  });

  it('counts a user in a large room until they have left', () => {
    const presence = new Presence();
    const [ann] = enter(presence, 200) as [Present];
    expect(presence.takeUpdates(0)).toEqual([{ type: 'count', data: 200 }]);
    presence.leave(ann, 0);
    expect(presence.takeUpdates(4000)).toEqual([]);
    expect(presence.takeUpdates(5000)).toEqual([{ type: 'count', data: 199 }]);
  });
});
