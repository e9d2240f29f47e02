/** Finding rooms: by letters, new ones, and neighbours. */
import { describe, expect, it } from 'vitest';
import { neighbourRoom, newEntry } from '../../src/client/rooms/list.js';
import { fuzzyMatch, roomNameOf, suggestRooms } from '../../src/client/text/fuzzy.js';
import type { RoomSummary } from '../../src/shared/protocol.js';

const entry = (room: string, more: Partial<RoomSummary> = {}): RoomSummary => ({
  ...newEntry(room),
  ...more,
});
const LIST = [
  entry('harbour'),
  entry('kitchen', { unread: 2 }),
  entry('night-watch', { unread: 1, mentions: 1 }),
  entry('码头'),
  entry('chandlery', { joined: false }),
];
const names = (query: string, here = 'harbour') =>
  suggestRooms(query, LIST, here).map(({ room, entry: known }) => (known ? room : `+${room}`));

describe('fuzzyMatch', () => {
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
  ])('finds with %s %s', (query, name, hits) => {
    expect(fuzzyMatch(query, name)?.hits).toEqual(hits);
  });

  it('finds nothing for letters in another order', () => {
    expect(fuzzyMatch('nk', 'kitchen')).toBeUndefined();
  });
});

describe('suggestRooms', () => {
  it('lists mentions, unread rooms, the others and the current room without a query', () => {
    expect(names('')).toEqual(['night-watch', 'kitchen', '码头', 'chandlery', 'harbour']);
  });

  it('lists the best matches, then a new room of that name', () => {
    expect(names('ch')).toEqual(['chandlery', 'kitchen', 'night-watch', '+ch']);
    expect(names('KITCHEN')).toEqual(['kitchen']);
    expect(names('Ship Yard')).toEqual(['+ship-yard']);
    expect(names('!?')).toEqual([]);
  });

  it('offers only valid names', () => {
    expect(roomNameOf('#Dry  Dock ')).toBe('dry-dock');
    expect(roomNameOf('Kitchen Talk!')).toBe('kitchen-talk');
    expect(roomNameOf("Ann's room")).toBe('anns-room');
    expect(roomNameOf('a / b — c')).toBe('a-b-c');
    expect(roomNameOf('厨房 聊天')).toBe('厨房-聊天');
    expect(roomNameOf(`${'x'.repeat(63)} y`)).toBe('x'.repeat(63));
    expect(roomNameOf(' !? ')).toBeUndefined();
    expect(roomNameOf('\u200c')).toBeUndefined();
  });

  it.each([
    ['اتاق علی\u200cرضا', 'اتاق-علیرضا'],
    ['ශ්\u200dරී', 'ශ්රී'],
    ['Tea ☕\ufe0f Room', 'tea-room'],
    ['kit\u00adchen', 'kitchen'],
  ])('leaves invisible characters out of %j', (typed, room) => {
    expect(roomNameOf(typed)).toBe(room);
  });
});

describe('neighbourRoom', () => {
  it('wraps around', () => {
    expect(neighbourRoom(LIST, 'harbour', 1, false)).toBe('kitchen');
    expect(neighbourRoom(LIST, 'harbour', -1, false)).toBe('chandlery');
    expect(neighbourRoom(LIST, 'chandlery', 1, false)).toBe('harbour');
  });

  it('skips rooms without unread messages when asked to', () => {
    expect(neighbourRoom(LIST, 'harbour', 1, true)).toBe('kitchen');
    expect(neighbourRoom(LIST, 'harbour', -1, true)).toBe('night-watch');
    expect(neighbourRoom([entry('a'), entry('b')], 'a', 1, true)).toBeUndefined();
  });

  it('starts at an end when the current room is not listed', () => {
    expect(neighbourRoom(LIST, 'new', 1, false)).toBe('harbour');
    expect(neighbourRoom(LIST, 'new', -1, false)).toBe('chandlery');
    expect(neighbourRoom([], 'new', 1, false)).toBeUndefined();
  });
});
