/** Edits, deletions and reactions: the rules, and that a page and all later events lead to the same state. */
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { applyBatch } from '../../src/chat/rules.js';
import { type Command, type Result, toCommand } from '../../src/chat/types.js';
import type { ChatEvent, PostCommand, RoomEvent, User } from '../../src/shared/protocol.js';
import { applyChange, applyToReply } from '../../src/shared/reducer.js';
import { Store } from '../../src/store/store.js';
import { temporaryFolder } from '../harness.js';

const SALT = '00'.repeat(16);

const ANN = { id: 'aaaaaaaaaaaa', name: 'Ann' };
const BOB = { id: 'bbbbbbbbbbbb', name: 'Bob' };
const HEART = '❤️';

function openStore(): Store {
  const store = new Store(temporaryFolder());
  onTestFinished(() => store.close());
  for (const user of [ANN, BOB])
    apply(store, { kind: 'sign-in', user, generation: undefined, skeleton: user.name.toLowerCase(), at: 0 });
  return store;
}

function apply(store: Store, command: Command): Result {
  const fail = (error: unknown): never => {
    throw error;
  };
  const [outcome] = applyBatch([command], store, fail);
  if (!outcome) throw new Error('nothing came of it');
  return outcome;
}

/** What a posting comes to: the event, or the code of its refusal. */
function post(store: Store, user: User, posting: PostCommand, room = 'lobby'): RoomEvent | string {
  const outcome = apply(store, toCommand(posting, room, user, { at: 1000, salt: SALT }));
  if (outcome.kind === 'accepted' || outcome.kind === 'duplicate') return outcome.event;
  return outcome.kind === 'rejected' ? outcome.problem.code : outcome.kind;
}

function read(store: Store, room = 'lobby'): RoomEvent[] {
  return store.events.after(room, 0, 500);
}

describe('a message', () => {
  it('is edited by its author, and each edit has a number', () => {
    const store = openStore();
    post(store, ANN, { type: 'chat', data: 'helo' });
    expect(post(store, ANN, { type: 'edit', target: 1, data: 'hello' })).toEqual({
      id: 2,
      type: 'edit',
      user: ANN,
      target: 1,
      data: 'hello',
      at: 1000,
    });
    post(store, ANN, { type: 'edit', target: 1, data: 'hello @bob' });
    expect(read(store)).toMatchObject([
      { id: 1, type: 'chat', data: 'hello @bob', edited: 3, mentions: [BOB] },
      { id: 2, type: 'edit', target: 1, data: 'hello' },
      { id: 3, type: 'edit', target: 1, data: 'hello @bob', mentions: [BOB] },
    ]);
    expect(post(store, BOB, { type: 'edit', target: 1, data: 'mine' })).toBe('not_yours');
    expect(post(store, BOB, { type: 'delete', target: 1 })).toBe('not_yours');
    expect(store.events.last('lobby')).toBe(3);
  });

  it('keeps only its number, author and time once deleted, and cannot change any more', () => {
    const store = openStore();
    post(store, ANN, { type: 'chat', data: 'secret @bob', cid: 'c1' });
    post(store, ANN, { type: 'edit', target: 1, data: 'secrets', cid: 'c2' });
    post(store, ANN, { type: 'edit', target: 1, data: 'still secret' });
    post(store, BOB, { type: 'react', target: 1, data: HEART });
    expect(post(store, ANN, { type: 'delete', target: 1 })).toEqual({
      id: 5,
      type: 'delete',
      user: ANN,
      target: 1,
      at: 1000,
    });
    const [message, ...changes] = read(store);
    expect(message).toEqual({ id: 1, type: 'chat', user: ANN, data: '', at: 1000, cid: 'c1', deleted: 5 });
    expect(JSON.stringify(changes)).not.toContain('secret');
    for (const type of ['edit', 'react', 'unreact'] as const)
      expect(post(store, ANN, { type, target: 1, data: HEART })).toBe('deleted');
    expect(post(store, ANN, { type: 'delete', target: 1 })).toBe('deleted');
    expect(store.events.last('lobby')).toBe(5);
  });

  it('is found only by its own number in its own room', () => {
    const store = openStore();
    post(store, ANN, { type: 'chat', data: 'hi' });
    post(store, ANN, { type: 'edit', target: 1, data: 'ho' });
    for (const target of [2, 3, Number.MAX_SAFE_INTEGER])
      expect(post(store, ANN, { type: 'edit', target, data: 'x' })).toBe('no_message');
    expect(post(store, ANN, { type: 'delete', target: 1 }, 'elsewhere')).toBe('no_message');
    expect(store.events.last('elsewhere')).toBe(0);
  });
});

describe('a reaction', () => {
  it('exists once per emoji and person, in the order of the numbers', () => {
    const store = openStore();
    post(store, ANN, { type: 'chat', data: 'hi' });
    post(store, BOB, { type: 'react', target: 1, data: HEART });
    post(store, ANN, { type: 'react', target: 1, data: HEART });
    post(store, BOB, { type: 'react', target: 1, data: '🎉' });
    expect(post(store, BOB, { type: 'react', target: 1, data: HEART })).toBe('already_there');
    expect(read(store)[0]).toMatchObject({
      reactions: [
        { id: 2, user: BOB, data: HEART },
        { id: 3, user: ANN, data: HEART },
        { id: 4, user: BOB, data: '🎉' },
      ],
    });
    post(store, BOB, { type: 'unreact', target: 1, data: HEART });
    expect(post(store, BOB, { type: 'unreact', target: 1, data: HEART })).toBe('not_there');
    post(store, BOB, { type: 'react', target: 1, data: HEART });
    expect(read(store)[0]).toMatchObject({ reactions: [{ id: 3 }, { id: 4 }, { id: 6 }] });
  });

  it('is limited to 500 per message', () => {
    const store = openStore();
    post(store, ANN, { type: 'chat', data: 'hi' });
    const people = Array.from({ length: 501 }, (_, n) => ({ id: `person${n}`, name: `Person ${n}` }));
    const reactions = people.map((user) =>
      toCommand({ type: 'react', target: 1, data: HEART }, 'lobby', user, { at: 1000, salt: SALT }),
    );
    const outcomes = applyBatch(reactions, store, () => {});
    expect(outcomes.at(-1)).toMatchObject({ kind: 'rejected', problem: { code: 'too_many_reactions' } });
    post(store, people[7] as User, { type: 'unreact', target: 1, data: HEART }); // there are 501
    expect(post(store, people[500] as User, { type: 'react', target: 1, data: HEART })).toMatchObject({
      type: 'react',
    });
    expect(read(store)[0]).toMatchObject({ reactions: { length: 500 } });
  });
});

describe('a cid', () => {
  it('identifies one change for ever, and another command with it is refused', () => {
    const store = openStore();
    post(store, ANN, { type: 'chat', data: 'hi', cid: 'a' });
    post(store, ANN, { type: 'edit', target: 1, data: 'ho', cid: 'b' });
    expect(post(store, ANN, { type: 'edit', target: 1, data: 'ho', cid: 'b' })).toMatchObject({ id: 2 });
    for (const other of [
      { type: 'edit', target: 1, data: 'hu', cid: 'b' },
      { type: 'edit', target: 2, data: 'ho', cid: 'b' },
      { type: 'chat', data: 'ho', cid: 'b' },
      { type: 'delete', target: 1, cid: 'b' },
    ] as const)
      expect(post(store, ANN, other)).toBe('cid_conflict');
    expect(store.events.last('lobby')).toBe(2);
  });

  it('is compared with the original text, and a deleted message never conflicts', () => {
    const store = openStore();
    post(store, ANN, { type: 'chat', data: 'hi', cid: 'a' });
    post(store, ANN, { type: 'edit', target: 1, data: 'ho', cid: 'b' });
    expect(post(store, ANN, { type: 'chat', data: 'hi', cid: 'a' })).toMatchObject({ id: 1, data: 'ho' });
    expect(post(store, ANN, { type: 'chat', data: 'ho', cid: 'a' })).toBe('cid_conflict');
    post(store, ANN, { type: 'delete', target: 1, cid: 'c' });
    expect(post(store, ANN, { type: 'chat', data: 'hi', cid: 'a' })).toMatchObject({ id: 1, deleted: 3 });
    expect(post(store, ANN, { type: 'edit', target: 1, data: 'ho', cid: 'b' })).toMatchObject({ id: 2 });
    expect(post(store, ANN, { type: 'delete', target: 1, cid: 'c' })).toMatchObject({ id: 3 });
    expect(post(store, ANN, { type: 'chat', data: 'hi', cid: 'b' })).toBe('cid_conflict');
  });
});

/** A page that keeps what it was told. */
function fold(events: readonly RoomEvent[], onto: ReadonlyMap<number, ChatEvent> = new Map()) {
  const messages = new Map(onto);
  for (const event of events) {
    if (event.type === 'chat') {
      messages.set(event.id, event);
      continue;
    }
    const message = messages.get(event.target);
    if (message) messages.set(event.target, applyChange(message, event));
  }
  return messages;
}

const posting: fc.Arbitrary<{ user: User; posting: PostCommand }> = fc.record({
  user: fc.constantFrom(ANN, BOB),
  posting: fc.oneof(
    fc.record({ type: fc.constant('chat' as const), data: fc.constantFrom('hi', 'you @ann', '@bob @Ann') }),
    fc.record({
      type: fc.constant('edit' as const),
      target: fc.nat(9),
      data: fc.constantFrom('x', 'y', '@bob', 'z @ann'),
    }),
    fc.record({ type: fc.constant('delete' as const), target: fc.nat(9) }),
    fc.record({
      type: fc.constantFrom('react' as const, 'unreact' as const),
      target: fc.nat(9),
      data: fc.constantFrom(HEART, '🎉'),
    }),
  ),
});

describe('a client', () => {
  it('reaches the same state from any number', () => {
    const store = openStore();
    let rooms = 0;
    const run = (said: readonly { user: User; posting: PostCommand }[]): void => {
      const room = `room-${++rooms}`;
      const live: RoomEvent[] = [];
      const pages: RoomEvent[][] = [[]];
      for (const { user, posting } of said) {
        const event = post(store, user, posting, room);
        if (typeof event === 'string') continue;
        live.push(event);
        pages.push(read(store, room));
      }
      const now = read(store, room);
      const truth = fold(now);
      expect([...truth.values()]).toEqual(now.filter(({ type }) => type === 'chat'));
      for (let n = 0; n <= live.length; n++) {
        const then = fold(pages[n] ?? []);
        expect(fold(live.slice(n), then)).toEqual(truth); // a page, then what is said live
        expect(fold(now.slice(n), then)).toEqual(truth); // a page, then a replay
        expect(fold(now.slice(n), fold(live.slice(0, n)))).toEqual(truth); // live, cut off, then a replay
        expect(fold(now.slice(Math.max(0, n - 3)), fold(now))).toEqual(truth); // some of it once more
        expect(fold([...live.slice(n), ...live.slice(n)], then)).toEqual(truth); // all of it twice
      }
    };
    fc.assert(fc.property(fc.array(posting, { minLength: 1, maxLength: 25 }), run), { numRuns: 60 });
  });
});

describe('a reply after a change of what it replies to', () => {
  const reply = { id: 1, user: ANN, data: 'hi' };
  const message: ChatEvent = { id: 2, type: 'chat', user: BOB, data: 'yes', at: 0, reply };
  const change = { id: 3, user: ANN, target: 1, at: 0 } as const;
  it('shows the new text, or for ever that it was deleted', () => {
    const edited = applyToReply(message, { ...change, type: 'edit', data: 'x'.repeat(300) });
    expect(edited.reply).toEqual({ ...reply, data: 'x'.repeat(200) });
    const deleted = applyToReply(edited, { ...change, type: 'delete' });
    expect(deleted).toEqual({ ...message, reply: { ...reply, data: '' } });
    expect(applyToReply(deleted, { ...change, type: 'edit', data: 'late' })).toBe(deleted);
  });
  it('is the same object after a change of something else', () => {
    for (const other of [
      { ...change, type: 'react', data: HEART },
      { ...change, type: 'edit', data: '' }, // deleted since: its deletion follows
      { ...change, target: 9, type: 'delete' },
    ] as const)
      expect(applyToReply(message, other)).toBe(message);
  });
});
