/** Shelves of two tabs of one browser. */
import { expect, test } from 'vitest';
import { burnDrafts, Draft } from '../../src/client/draft.js';
import { Settings, type Shelf } from '../../src/client/state/settings.js';

function shelves(): [Shelf, Shelf] {
  const kept = new Map<string, string>();
  const followers: ((key: string) => void)[] = [];
  const one = (mine: number): Shelf => ({
    get: (key) => kept.get(key),
    set: (key, value) => {
      if (value === undefined) kept.delete(key);
      else kept.set(key, value);
      for (const [index, follower] of followers.entries()) if (index !== mine) follower(key);
    },
    keys: () => [...kept.keys()],
    follow: (changed) => {
      followers[mine] = changed;
    },
  });
  return [one(0), one(1)];
}

test('what is set is kept, and other tabs follow', () => {
  const [here, there] = shelves();
  const [mine, other] = [new Settings(here), new Settings(there)];
  mine.theme.value = 'dark';
  mine.setNotifyIn('lobby', 'all');
  mine.doNotDisturb.value = true;
  mine.singleKeys.value = false;
  expect([other.theme.value, other.notifyIn('lobby'), other.doNotDisturb.value]).toEqual([
    'dark',
    'all',
    true,
  ]);
  const later = new Settings(here);
  expect([other.singleKeys.value, later.singleKeys.value]).toEqual([false, false]);
  expect([later.theme.value, later.notifyIn('lobby'), later.notifyIn('kitchen')]).toEqual([
    'dark',
    'all',
    'mentions',
  ]);
});

test('a room follows what is set for all, until it has a rule of its own', () => {
  const settings = new Settings(shelves()[0]);
  settings.notify.value = 'none';
  settings.setNotifyIn('constructor', 'all');
  expect([
    settings.notifyIn('lobby'),
    settings.notifyIn('constructor'),
    settings.notifyIn('__proto__'),
  ]).toEqual(['none', 'all', 'none']);
  settings.setNotifyIn('constructor', undefined);
  expect(settings.notifyIn('constructor')).toBe('none');
});

test.each([
  '',
  'null',
  '[]',
  '{"theme":7,"notify":"loud","rooms":{"a":"all"},"sound":"x"}',
  '{"rooms":[["a","loud"],7]}',
])('what is kept is not trusted: %s', (kept) => {
  const [shelf] = shelves();
  shelf.set('oneport.settings', kept);
  const { theme, notify, sound, rooms } = new Settings(shelf);
  expect([theme.value, notify.value, sound.value, rooms.value.size]).toEqual(['system', 'mentions', true, 0]);
});

test('drafts are of a person in a room, outlive the page, and are burned for that person', () => {
  const [shelf] = shelves();
  const draft = new Draft(shelf, 'ann', 'lobby');
  draft.keep('half a');
  new Draft(shelf, 'annie', 'lobby').keep('other');
  expect([new Draft(shelf, 'ann', 'lobby').read(), new Draft(shelf, 'ann', 'kitchen').read()]).toEqual([
    'half a',
    '',
  ]);
  burnDrafts(shelf, 'ann');
  expect([new Draft(shelf, 'ann', 'lobby').read(), new Draft(shelf, 'annie', 'lobby').read()]).toEqual([
    '',
    'other',
  ]);
  draft.keep('');
  expect(shelf.keys().filter((key) => key.includes(' ann '))).toEqual([]);
});
