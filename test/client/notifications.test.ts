import { beforeEach, expect, test } from 'vitest';
import type { LogEvent, Page } from '../../src/client/decode.js';
import { RoomEntries } from '../../src/client/rooms/list.js';
import {
  NotificationPolicy,
  type NotificationPolicyDeps,
  type NotifyPermission,
  notificationText,
} from '../../src/client/rooms/notifications.js';
import { Settings } from '../../src/client/settings.js';
import { ManualClock } from './clock.js';

const me = { id: 'me', name: 'Me' };
const bob = { id: 'bob', name: 'Bob' };
let clock: ManualClock;
let rooms: RoomEntries;
let settings: Settings;
let calls: string[];
let erased: string[];
let asked: object[];
let leads: boolean;
let watched: string | undefined;
let permission: NotifyPermission;
let log: LogEvent[];
let policy: NotificationPolicy;

function says(id: number, data = 'hi', user = bob): LogEvent {
  return { id, type: 'chat', user, data, at: id, ...(data.includes('@me') ? { mentions: [me] } : {}) };
}
function answers(id: number, to: typeof me): LogEvent {
  return { id, type: 'chat', user: bob, data: 'yes', at: id, reply: { id: 1, user: to, data: 'hi' } };
}
async function load(_room: string, where: { after?: number; limit: number }): Promise<Page> {
  asked.push(where);
  const { after, limit } = where;
  const messages =
    after === undefined ? log.slice(-limit) : log.filter(({ id }) => id > after).slice(0, limit);
  return { epoch: 'e', last: log.length, complete: true, messages };
}
/** Adds messages up to a number; the last one has this text. */
async function grows(to: number, last: string): Promise<void> {
  const before = log.length;
  while (log.length < to) log.push(says(log.length + 1, log.length + 1 === to ? last : 'hi'));
  rooms.setLast('kitchen', to);
  await policy.onRoomMoved('kitchen', before);
}

function parts(): NotificationPolicyDeps {
  return {
    me: 'me',
    rooms,
    settings,
    load,
    onChanges: (room, changes) => {
      erased.push(...changes.map(({ type, target }) => `${room} ${type} ${target}`));
    },
    clock,
    notifier: {
      permission: () => permission,
      requestPermission: async () => {
        permission = 'granted';
      },
      show: (room, { id }) => calls.push(`${room} ${id}`),
      update: (room, { id, data }) => calls.push(`${room} ${id} is ${data}`),
      close: (isOver) => {
        for (const [room, id] of [
          ['kitchen', 1],
          ['kitchen', 2],
          ['lobby', 2],
        ] as const)
          if (isOver(room, id)) calls.push(`close ${room} ${id}`);
      },
      chime: () => calls.push('ring'),
      isLeader: () => leads,
      isWatched: async (room) => room === watched,
    },
  };
}

beforeEach(() => {
  clock = new ManualClock();
  rooms = new RoomEntries();
  rooms.replaceAll([{ room: 'kitchen', last: 0, read: 0, unread: 0, mentions: 0, people: 0, joined: true }]);
  settings = new Settings({ get: () => undefined, set: () => {}, keys: () => [], onChange: () => {} });
  calls = [];
  erased = [];
  asked = [];
  leads = true;
  watched = undefined;
  permission = 'granted';
  log = [];
  policy = new NotificationPolicy(parts());
});

test('notifies once of a mention in another room', async () => {
  await grows(3, 'hey @me');
  expect(calls).toEqual(['kitchen 3', 'ring']);
  await policy.onRoomMoved('kitchen', 3);
  expect([calls.length, asked]).toEqual([2, [{ after: 0, limit: 50 }]]);
});

test('notifies the user whose message was replied to', async () => {
  await policy.onEvents('lobby', [answers(1, me), answers(2, bob)]);
  expect(calls).toEqual(['lobby 1', 'ring']);
});

test('notifies only of mentions in a room that the user was never in', async () => {
  settings.notify.value = 'all';
  await policy.onEvents('den', [says(1, '@me'), says(2)]);
  expect(calls).toEqual(['den 1', 'ring']);
});

test('notifies of other messages only where the setting asks for it', async () => {
  await grows(1, 'hi');
  settings.setNotifyLevelIn('kitchen', 'all');
  await grows(2, 'hi');
  settings.setNotifyLevelIn('kitchen', 'none');
  await grows(3, '@me');
  expect(calls).toEqual(['kitchen 2', 'ring']);
});

test.each([
  ['it is looked at', () => (watched = 'kitchen')],
  ['it must not disturb', () => (settings.doNotDisturb.value = true)],
  ['it was read elsewhere', () => rooms.setRead('kitchen', 9)],
])('notifies nobody when %s', async (_, so) => {
  so();
  await grows(3, '@me');
  expect(calls).toEqual([]);
});

test('does not even look from a tab that does not lead', async () => {
  leads = false;
  await grows(3, '@me');
  expect([calls, asked]).toEqual([[], []]);
});

test("ignores the user's own messages, and deleted ones in the room in view", async () => {
  await policy.onEvents('lobby', [says(1, '@me', me), { ...says(2, '@me'), deleted: 3 } as LogEvent]);
  expect(calls).toEqual([]);
});

test('shows only the last of many, and rings at intervals', async () => {
  await policy.onEvents('lobby', [says(1, '@me'), says(2, '@me'), says(3)]);
  await policy.onEvents('lobby', [says(4, '@me')]);
  clock.advance(3_000);
  await policy.onEvents('lobby', [says(5, '@me')]);
  expect(calls).toEqual(['lobby 2', 'ring', 'lobby 4', 'lobby 5', 'ring']);
});

test('checks only the end of a room that moved far', async () => {
  await grows(400, '@me');
  expect([asked, calls.at(-2)]).toEqual([[{ limit: 50 }], 'kitchen 400']);
});

test('rings without the permission, and shows without sound', async () => {
  permission = 'default';
  policy = new NotificationPolicy(parts());
  await policy.onEvents('lobby', [says(1, '@me')]);
  await policy.requestPermission();
  settings.sound.value = false;
  await policy.onEvents('lobby', [says(2, '@me')]);
  expect([calls, policy.permission.value]).toEqual([['ring', 'lobby 2'], 'granted']);
});

test('reports the changes of another room to the cache', async () => {
  log.push(says(1), { id: 2, type: 'delete', target: 1, user: bob, at: 2 });
  rooms.setLast('kitchen', 2);
  await policy.onRoomMoved('kitchen', 0);
  expect(erased).toEqual(['kitchen delete 1']);
});

test('closes the notification of a message that was read', async () => {
  policy.start();
  rooms.setLast('kitchen', 2);
  rooms.setRead('kitchen', 1);
  expect(calls).toEqual(['close kitchen 1']);
});

test('closes the notification of a message that was deleted, and updates that of an edited one', async () => {
  await policy.onEvents('kitchen', [
    { id: 3, type: 'delete', target: 2, user: bob, at: 3 },
    { id: 4, type: 'edit', target: 1, data: 'mild', user: bob, at: 4 },
  ]);
  expect(calls).toEqual(['close kitchen 2', 'kitchen 1 is mild']);
});

test.each([
  ['**bold** and [a link](https://h.test), `code`', 'bold and a link, code'],
  [`${'a'.repeat(199)}😀!`, `${'a'.repeat(199)}😀…`],
  [`${'a'.repeat(198)}👨‍👩‍👧!`, `${'a'.repeat(198)}…`],
  ['> Bob, #1: hey\nyes', 'Bob, #1: hey\nyes'],
])('has whole characters and no delimiters: %j', (data, text) => {
  expect(notificationText({ data })).toBe(text);
});
