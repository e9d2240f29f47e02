/** The storage of two tabs of one browser. */
import { expect, test } from 'vitest';
import { type KeyValueStore, Settings, setMember } from '../../src/client/settings.js';
import { type DraftStores, Drafts } from '../../src/client/storage.js';

function shelves(): [KeyValueStore, KeyValueStore] {
  const kept = new Map<string, string>();
  const followers: (((key: string) => void) | undefined)[] = [];
  const one = (mine: number): KeyValueStore => ({
    get: (key) => kept.get(key),
    set: (key, value) => {
      if (value === undefined) kept.delete(key);
      else kept.set(key, value);
      for (const [index, follower] of followers.entries()) if (index !== mine) follower?.(key);
    },
    keys: () => [...kept.keys()],
    onChange: (changed) => {
      followers[mine] = changed;
    },
  });
  return [one(0), one(1)];
}

test('stores settings, and follows other tabs', () => {
  const [here, there] = shelves();
  const [mine, other] = [new Settings(here), new Settings(there)];
  mine.theme.value = 'dark';
  mine.setNotifyLevelIn('lobby', 'all');
  mine.doNotDisturb.value = true;
  mine.singleKeys.value = false;
  expect([other.theme.value, other.notifyLevelIn('lobby'), other.doNotDisturb.value]).toEqual([
    'dark',
    'all',
    true,
  ]);
  const later = new Settings(here);
  expect([other.singleKeys.value, later.singleKeys.value]).toEqual([false, false]);
  expect([later.theme.value, later.notifyLevelIn('lobby'), later.notifyLevelIn('kitchen')]).toEqual([
    'dark',
    'all',
    'mentions',
  ]);
});

test('follows the general level until a room has its own', () => {
  const settings = new Settings(shelves()[0]);
  settings.notify.value = 'none';
  settings.setNotifyLevelIn('constructor', 'all');
  expect([
    settings.notifyLevelIn('lobby'),
    settings.notifyLevelIn('constructor'),
    settings.notifyLevelIn('__proto__'),
  ]).toEqual(['none', 'all', 'none']);
  settings.setNotifyLevelIn('constructor', undefined);
  expect(settings.notifyLevelIn('constructor')).toBe('none');
});

test.each([
  '',
  'null',
  '[]',
  '{"theme":7,"notify":"loud","rooms":{"a":"all"},"sound":"x"}',
  '{"rooms":[["a","loud"],7]}',
])('ignores invalid stored values: %s', (kept) => {
  const [shelf] = shelves();
  shelf.set('oneport.settings', kept);
  const { theme, notify, sound, roomRules: rooms } = new Settings(shelf);
  expect([theme.value, notify.value, sound.value, rooms.value.size]).toEqual(['system', 'mentions', true, 0]);
});

/** The storage that two tabs share, and that of each alone. */
function tabs(): [DraftStores, DraftStores] {
  const [here, there] = shelves();
  return [
    { all: here, tab: shelves()[0] },
    { all: there, tab: shelves()[0] },
  ];
}

test("keeps drafts per user and room, and removes a user's", () => {
  const [stores] = tabs();
  const [ann, annie] = [new Drafts('ann', stores), new Drafts('annie', stores)];
  ann.in('lobby').keep('half a');
  annie.in('lobby').keep('other');
  expect([ann.in('lobby').read(), ann.in('kitchen').read(), [...ann.rooms.value]]).toEqual([
    'half a',
    '',
    ['lobby'],
  ]);
  ann.clear();
  expect([ann.in('lobby').read(), annie.in('lobby').read(), [...ann.rooms.value]]).toEqual(['', 'other', []]);
  annie.in('lobby').keep('');
  expect([...stores.all.keys(), ...stores.tab.keys()]).toEqual([]);
});

test("does not overwrite another tab's draft", () => {
  const [first, second] = tabs();
  new Drafts('ann', first).in('lobby').keep('a long thought');
  const draft = new Drafts('ann', second).in('lobby');
  expect(draft.read()).toBe('a long thought');
  draft.keep('x');
  draft.keep(''); // sent
  expect(new Drafts('ann', first).in('lobby').read()).toBe('a long thought'); // after a reload
  expect(new Drafts('ann', second).in('lobby').read()).toBe('');
});

test('does not remove the draft of another tab', () => {
  const [first, second] = tabs();
  const draft = new Drafts('ann', second).in('lobby');
  draft.keep('x');
  new Drafts('ann', first).in('lobby').keep('a long thought');
  draft.keep('');
  const [, third] = tabs();
  expect(new Drafts('ann', { ...third, all: first.all }).in('lobby').read()).toBe('a long thought');
  expect(new Drafts('ann', second).in('lobby').read()).toBe('');
});

test('stores starred rooms and rooms that were left', () => {
  const [here, there] = shelves();
  const [mine, other] = [new Settings(here), new Settings(there)];
  setMember(mine.starred, 'lobby', true);
  setMember(mine.left, 'den', true);
  expect([[...other.starred.value], [...other.left.value]]).toEqual([['lobby'], ['den']]);
  setMember(mine.left, 'den', false);
  expect([...new Settings(here).left.value]).toEqual([]);
});
