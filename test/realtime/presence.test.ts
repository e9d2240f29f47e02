import { describe, expect, it } from 'vitest';
import { Presence, type Present } from '../../src/realtime/presence.js';

function enter(presence: Presence, count: number): Present[] {
  const people = Array.from({ length: count }, (_, n) => ({ user: { id: `p${n}`, name: `P${n}` } }));
  for (const person of people) presence.enter(person);
  return people;
}

const counted = (bytes: Buffer): unknown => JSON.parse(bytes.toString().replace(/^[^{]*/, '')).count;

describe('who is here', () => {
  it('is listed anew for each who comes while the room is small', () => {
    const presence = new Presence();
    enter(presence, 2);
    const before = presence.encodedList();
    presence.enter({ user: { id: 'z', name: 'Zoe' } });
    expect([before, presence.encodedList()].map(counted)).toEqual([2, 3]);
  });

  it('is listed once a second in a large room, with the same bytes for all', () => {
    const presence = new Presence();
    enter(presence, 500);
    const before = presence.encodedList();
    presence.enter({ user: { id: 'z', name: 'Zoe' } });
    expect(presence.encodedList()).toBe(before);
    presence.takeUpdate();
    expect(counted(presence.encodedList())).toBe(501);
  });

  it('shows a new name in a large room at once', () => {
    const presence = new Presence();
    const person = { user: { id: 'a', name: 'Ann' } };
    presence.enter(person);
    enter(presence, 500);
    presence.encodedList();
    presence.renamed(person.user, { id: 'a', name: 'Zoe' });
    person.user = { id: 'a', name: 'Zoe' };
    expect(presence.encodedList().toString()).toContain('"Zoe"');
  });

  it('is counted each second up to 1,000 people, and more rarely above', () => {
    const told = (people: number): number => {
      const presence = new Presence();
      enter(presence, people);
      let times = 0;
      for (let second = 0; second < 12; second++) {
        presence.enter({ user: { id: `z${second}`, name: 'Zoe' } });
        if (presence.takeUpdate()) times++;
      }
      return times;
    };
    expect([900, 3000, 50_000].map(told)).toEqual([12, 3, 2]);
  });

  it('is not counted all the while it fills up', () => {
    const presence = new Presence();
    const told: number[] = [];
    for (let second = 1; second <= 20; second++) {
      if (second <= 6) enter(presence, 3000);
      const frame = presence.takeUpdate();
      if (frame?.type === 'count') told.push(second);
    }
    expect(told).toEqual([1, 11]);
  });
});
