import { describe, expect, it } from 'vitest';
import { Presence, type Present } from '../../src/realtime/presence.js';

function enter(presence: Presence, count: number): Present[] {
  const people = Array.from({ length: count }, (_, n) => ({ user: { id: `p${n}`, name: `P${n}` } }));
  for (const person of people) presence.enter(person);
  return people;
}

const counted = (bytes: Buffer): unknown => JSON.parse(bytes.toString().replace(/^[^{]*/, '')).count;

describe('the presence of a room', () => {
  it('encodes a new list for each user who joins a small room', () => {
    const presence = new Presence();
    enter(presence, 2);
    const before = presence.encodedList();
    presence.enter({ user: { id: 'z', name: 'Zoe' } });
    expect([before, presence.encodedList()].map(counted)).toEqual([2, 3]);
  });

  it('encodes the list of a large room once a second, and shares the bytes', () => {
    const presence = new Presence();
    enter(presence, 500);
    const before = presence.encodedList();
    presence.enter({ user: { id: 'z', name: 'Zoe' } });
    expect(presence.encodedList()).toBe(before);
    presence.takeUpdate();
    expect(counted(presence.encodedList())).toBe(501);
  });

  it('lists a changed name in a large room at once', () => {
    const presence = new Presence();
    const person = { user: { id: 'a', name: 'Ann' } };
    presence.enter(person);
    enter(presence, 500);
    presence.encodedList();
    presence.renamed(person.user, { id: 'a', name: 'Zoe' });
    person.user = { id: 'a', name: 'Zoe' };
    expect(presence.encodedList().toString()).toContain('"Zoe"');
  });

  it('sends the count every second up to 1,000 users, and less often above', () => {
    const updates = (people: number): number => {
      const presence = new Presence();
      enter(presence, people);
      let times = 0;
      for (let second = 0; second < 12; second++) {
        presence.enter({ user: { id: `z${second}`, name: 'Zoe' } });
        if (presence.takeUpdate()) times++;
      }
      return times;
    };
    expect([900, 3000, 50_000].map(updates)).toEqual([12, 3, 2]);
  });

  it('sends few counts while a room fills up', () => {
    const presence = new Presence();
    const updates: number[] = [];
    for (let second = 1; second <= 20; second++) {
      if (second <= 6) enter(presence, 3000);
      const frame = presence.takeUpdate();
      if (frame?.type === 'count') updates.push(second);
    }
    expect(updates).toEqual([1, 11]);
  });
});
