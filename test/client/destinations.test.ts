/** Going to rooms: by some letters, to a new one, to the neighbour. */
import { describe, expect, it } from 'vitest';
import { neighbourRoom, type RoomEntry } from '../../src/client/rooms/list.js';
import { fuzzyMatch, roomNameOf, suggestRooms } from '../../src/client/text/fuzzy.js';

const entry = (room: string, more: Partial<RoomEntry> = {}): RoomEntry => ({
  room,
  last: 0,
  read: 0,
  people: 0,
  joined: true,
  unread: 0,
  mentions: 0,
  mentioned: false,
  ...more,
});
const LIST = [
  entry('harbour'),
  entry('kitchen', { unread: 2 }),
  entry('night-watch', { unread: 1, mentioned: true }),
  entry('码头'),
  entry('chandlery', { joined: false }),
];
const names = (query: string, here = 'harbour') =>
  suggestRooms(query, LIST, here).map(({ room, entry: known }) => (known ? room : `+${room}`));

describe('some letters', () => {
  it.each([
    ['kit', 'kitchen', [[0, 3]]],
    [
      'ktn',
      'kitchen',
      [
        [0, 1],
        [2, 3],
        [6, 7],
      ],
    ],
    [
      'nw',
      'night-watch',
      [
        [0, 1],
        [6, 7],
      ],
    ],
    ['', 'kitchen', []],
    ['头', '码头', [[1, 2]]],
  ])('%s finds %s', (query, name, hits) => {
    expect(fuzzyMatch(query, name)?.hits).toEqual(hits);
  });

  it('in another order find nothing', () => {
    expect(fuzzyMatch('nk', 'kitchen')).toBeUndefined();
  });
});

describe('the rooms to go to', () => {
  it('without a letter: what calls me, what is unread, the others, and where I am last', () => {
    expect(names('')).toEqual(['night-watch', 'kitchen', '码头', 'chandlery', 'harbour']);
  });

  it('are the best matches, then a new one of that name', () => {
    expect(names('ch')).toEqual(['chandlery', 'kitchen', 'night-watch', '+ch']);
    expect(names('KITCHEN')).toEqual(['kitchen']);
    expect(names('Ship Yard')).toEqual(['+ship-yard']);
    expect(names('!?')).toEqual([]);
  });

  it('have names that rooms can have', () => {
    expect(roomNameOf('#Dry  Dock ')).toBe('dry-dock');
    expect(roomNameOf('a/b')).toBeUndefined();
  });
});

describe('the neighbour', () => {
  it('is the next one, all around', () => {
    expect(neighbourRoom(LIST, 'harbour', 1, false)).toBe('kitchen');
    expect(neighbourRoom(LIST, 'harbour', -1, false)).toBe('chandlery');
    expect(neighbourRoom(LIST, 'chandlery', 1, false)).toBe('harbour');
  });

  it('with something unread, when asked for', () => {
    expect(neighbourRoom(LIST, 'harbour', 1, true)).toBe('kitchen');
    expect(neighbourRoom(LIST, 'harbour', -1, true)).toBe('night-watch');
    expect(neighbourRoom([entry('a'), entry('b')], 'a', 1, true)).toBeUndefined();
  });

  it('of a room that is not in the list is the first or the last', () => {
    expect(neighbourRoom(LIST, 'new', 1, false)).toBe('harbour');
    expect(neighbourRoom(LIST, 'new', -1, false)).toBe('chandlery');
    expect(neighbourRoom([], 'new', 1, false)).toBeUndefined();
  });
});
