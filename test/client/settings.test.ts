/** The storage of two tabs of one browser. */
import { expect, test } from 'vitest';
import { type KeyValueStore, Settings } from '../../src/client/settings.js';
import { clearDrafts, Draft } from '../../src/client/storage.js';

function shelves(): [KeyValueStore, KeyValueStore] {
  const kept = new Map<string, string>();
  const followers: ((key: string) => void)[] = [];
  const one = (mine: number): KeyValueStore => ({
    get: (key) => kept.get(key),
    set: (key, value) => {
      if (value === undefined) kept.delete(key);
      else kept.set(key, value);
      for (const [index, follower] of followers.entries()) if (index !== mine) follower(key);
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

test("keeps drafts per user and room, and removes a user's", () => {
  const [shelf] = shelves();
  const draft = new Draft(shelf, 'ann', 'lobby');
  draft.keep('half a');
  new Draft(shelf, 'annie', 'lobby').keep('other');
  expect([new Draft(shelf, 'ann', 'lobby').read(), new Draft(shelf, 'ann', 'kitchen').read()]).toEqual([
    'half a',
    '',
  ]);
  clearDrafts(shelf, 'ann');
  expect([new Draft(shelf, 'ann', 'lobby').read(), new Draft(shelf, 'annie', 'lobby').read()]).toEqual([
    '',
    'other',
  ]);
  draft.keep('');
  expect(shelf.keys().filter((key) => key.includes(' ann '))).toEqual([]);
});
