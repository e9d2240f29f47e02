/** Unread counts against a naive count, for any history: as the store has them, and as the sockets are told. */
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { applyBatch } from '../../src/chat/rules.js';
import { type Command, toCommand as postCommand, type Result } from '../../src/chat/types.js';
import { readConfig } from '../../src/config.js';
import type { Connection } from '../../src/realtime/connection.js';
import type { Frames } from '../../src/realtime/frames.js';
import { Scheduler } from '../../src/realtime/scheduler.js';
import { MembershipTracker } from '../../src/realtime/unread.js';
import { ConnectedUser } from '../../src/realtime/user.js';
import type { ChatEvent, PostCommand, User } from '../../src/shared/protocol.js';
import { databaseFile } from '../../src/store/database.js';
import { Store } from '../../src/store/store.js';
import { verify } from '../../src/store/verify.js';
import { type Frame, temporaryFolder } from '../harness.js';

const SALT = '00'.repeat(16);

const PEOPLE: readonly User[] = ['Ann', 'Bob', 'Cleo'].map((name) => ({ id: `${name}-id`, name }));
/** Two new rooms for each run, because opening a store for each would take most of the time. */
let runs = 0;
function newRooms(): readonly string[] {
  runs++;
  return [`lobby-${runs}`, `garden-${runs}`];
}
const TEXTS = ['hi', '@Ann', '@Bob and @Ann', '@Cleo'];

type Step =
  | { readonly kind: 'post'; readonly who: number; readonly room: number; readonly post: PostCommand }
  | { readonly kind: 'read' | 'enter'; readonly who: number; readonly room: number; readonly part: number };

const who = fc.nat(PEOPLE.length - 1);
const room = fc.nat(1);
const text = fc.constantFrom(...TEXTS);
const target = fc.integer({ min: 1, max: 30 });
const post: fc.Arbitrary<PostCommand> = fc.oneof(
  { weight: 4, arbitrary: text.map((data) => ({ type: 'chat', data }) as const) },
  fc.tuple(text, target).map(([data, reply]) => ({ type: 'chat', data, reply }) as const),
  fc.tuple(text, target).map(([data, to]) => ({ type: 'edit', data, target: to }) as const),
  { weight: 2, arbitrary: target.map((to) => ({ type: 'delete', target: to }) as const) },
  target.map((to) => ({ type: 'react', target: to, data: '👍' }) as const),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('post' as const), who, room, post }) },
  fc.record({ kind: fc.constantFrom('read' as const, 'enter' as const), who, room, part: fc.nat(100) }),
);

function toCommand(store: Store, rooms: readonly string[], { kind, who, room, ...rest }: Step): Command {
  const [user, name] = [PEOPLE[who], rooms[room]];
  if (!user || name === undefined) throw new Error('the step names nobody, or no room');
  if ('post' in rest) return postCommand(rest.post, name, user, { at: 1000, salt: SALT });
  if (kind === 'enter') return { kind, room: name, user, at: 1000 };
  const id = Math.round((store.events.last(name) * rest.part) / 100);
  return { kind: 'read', room: name, user, id, at: 1000 };
}

/** Counts by reading everything. */
function naiveCounts(store: Store, user: User, name: string, mark: number | undefined) {
  const messages = store.events
    .after(name, mark ?? 0, 500)
    .filter((event): event is ChatEvent => event.type === 'chat' && event.deleted === undefined)
    .filter((event) => event.user.id !== user.id);
  const mentions = messages.filter(
    ({ mentions = [], reply }) => reply?.user.id === user.id || mentions.some(({ id }) => id === user.id),
  ).length;
  return { unread: mark === undefined ? mentions : messages.length, mentions };
}

function openStore(): { readonly store: Store; readonly dataDir: string } {
  const dataDir = temporaryFolder();
  const store = new Store(dataDir);
  for (const user of PEOPLE)
    apply(store, [
      { kind: 'sign-in', user, generation: undefined, skeleton: user.name.toLowerCase(), at: 0 },
    ]);
  return { store, dataDir };
}

function apply(store: Store, commands: readonly Command[]): readonly Result[] {
  return applyBatch(commands, store, (error) => {
    throw error;
  });
}

/** Marks as the commands must have moved them; undefined while somebody is no member. */
class Marks {
  readonly #marks = new Map<string, number>();

  get(user: User, name: string): number | undefined {
    return this.#marks.get(`${user.id} ${name}`);
  }

  note(command: Command, result: Result, last: number): void {
    if (!('user' in command) || !('room' in command) || last === 0 || result.kind === 'rejected') return;
    if (command.kind === 'change') return;
    const before = this.get(command.user, command.room) ?? 0;
    const mark = command.kind === 'read' ? Math.max(before, Math.min(command.id, last)) : before;
    this.#marks.set(`${command.user.id} ${command.room}`, mark);
  }
}

describe('unread counts', () => {
  it('are exact after any history', () => {
    const { store, dataDir } = openStore();
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        const rooms = newRooms();
        const marks = new Marks();
        for (const one of steps) {
          const command = toCommand(store, rooms, one);
          const [result] = apply(store, [command]);
          if (result && 'room' in command) marks.note(command, result, store.events.last(command.room));
          if (result?.kind === 'read') {
            const counts = naiveCounts(store, result.user, result.room, result.mark.read);
            if (store.events.last(result.room) > 0) expect(result.mark).toMatchObject(counts);
          }
        }
        for (const user of PEOPLE) {
          const listed = [
            ...store.memberships.list(user, 1000),
            ...store.memberships.listMentioned(user, 1000),
          ];
          for (const name of rooms) {
            const mark = marks.get(user, name);
            const counts = naiveCounts(store, user, name, mark);
            const stored = store.memberships.unread(user, name);
            if (stored) expect(stored).toMatchObject({ ...counts, read: mark ?? 0 });
            const entry = listed.find((one) => one.room === name);
            expect(entry !== undefined).toBe(mark !== undefined || counts.mentions > 0);
            if (entry) expect(entry).toMatchObject(counts);
          }
        }
      }),
      { numRuns: 100 },
    );
    store.close();
    expect(verify(databaseFile(dataDir), () => {}).finding).toBeUndefined();
  });

  it('are told as the store has them, in batches of any size', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { store } = openStore();
    fc.assert(
      fc.property(fc.array(fc.array(step, { minLength: 1, maxLength: 8 }), { maxLength: 12 }), (batches) => {
        const rooms = newRooms();
        const elsewhere = connectAll(store, rooms);
        for (const steps of batches) {
          elsewhere.deliver(
            apply(
              store,
              steps.map((one) => toCommand(store, rooms, one)),
            ),
          );
          vi.advanceTimersByTime(1500);
          for (const [user, name, frame] of elsewhere.told()) {
            const { last, unread, mentions } = store.memberships.unread(user, name) ?? {};
            expect([user.name, frame]).toEqual([
              user.name,
              { type: 'room', room: name, last, unread, mentions },
            ]);
          }
        }
      }),
      { numRuns: 60 },
    );
    store.close();
  });
});

/** All people with one socket each in a third room; `told` is the newest frame of each room that each was sent. */
function connectAll(store: Store, rooms: readonly string[]) {
  const { limits } = readConfig({});
  const tracker = new MembershipTracker({
    submit: () => {},
    now: () => 0,
    scheduler: new Scheduler(),
    countUnread: (user, name) => store.memberships.unread(user, name),
  });
  const frames = new Map<string, Frame>();
  const users = new Map(
    PEOPLE.map((user) => {
      const connected = new ConnectedUser(user, limits);
      const write = ({ lines }: Frames): void => {
        const frame = JSON.parse(lines.toString()) as Frame;
        frames.set(`${user.id} ${String(frame['room'])}`, frame);
      };
      connected.addConnection({ room: { name: 'elsewhere' }, write } as unknown as Connection); // as much as is used
      tracker.onEntered(connected, []);
      return [user.id, connected];
    }),
  );
  const deliver = (results: readonly Result[]): void => {
    for (const result of results)
      if (result.kind === 'entered') tracker.onEntered(users.get(result.user.id), result.rooms);
    for (const result of results) {
      if (result.kind === 'read') {
        const user = users.get(result.user.id);
        if (user && result.mark.last > 0) tracker.onMember(user, result.room);
        if (user) tracker.notifier.invalidate(result.room, user);
        if (user) frames.delete(`${result.user.id} ${result.room}`);
      } else if (result.kind === 'accepted') {
        const { room, event, messageCount } = result;
        const author = users.get(event.user.id);
        if (author && event.type === 'chat') tracker.onMember(author, room);
        const mentioned = result.mentioned.flatMap((id) => users.get(id) ?? []);
        tracker.notifier.onEvent({ room, event, messageCount, author, mentioned });
      }
    }
    tracker.notifier.run();
  };
  const told = () =>
    PEOPLE.flatMap((user) =>
      rooms.flatMap((name) => {
        const frame = frames.get(`${user.id} ${name}`);
        const follows = users.get(user.id)?.rooms?.includes(name);
        return frame && follows ? [[user, name, frame] as const] : [];
      }),
    );
  return { deliver, told };
}
