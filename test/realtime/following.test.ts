/** The rooms that people have been in: the list, the read marks, and word of those that moved while they were elsewhere. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { readConfig } from '../../src/config.js';
import { MembershipTracker } from '../../src/realtime/unread.js';
import { ConnectedUser } from '../../src/realtime/user.js';
import type { RoomSummary } from '../../src/shared/protocol.js';
import { startChat, type Visitor } from '../harness.js';

async function roomsOf(visitor: Visitor): Promise<RoomSummary[]> {
  return (await (await visitor.get('/api/rooms')).json()) as RoomSummary[];
}

describe('the list of rooms', () => {
  it('holds those I have been in by activity, then the others, with what I have read and who is there', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    expect(await roomsOf(ann)).toEqual([]);
    const [kitchen, garden] = [await ann.enters('kitchen'), await ann.enters('garden')];
    await ann.enters('silence');
    kitchen.says('one');
    await kitchen.sees({ id: 1 });
    garden.says('two');
    await garden.sees({ id: 1 });
    kitchen.says('three');
    await kitchen.sees({ id: 2 });
    await bob.post('/api/rooms/köln/messages', { data: 'by HTTP' });
    expect(await roomsOf(ann)).toEqual([
      { room: 'kitchen', last: 2, read: 0, people: 1, joined: true },
      { room: 'garden', last: 1, read: 0, people: 1, joined: true },
      { room: 'köln', last: 1, read: 0, people: 0, joined: false },
    ]);
    expect(await roomsOf(bob)).toMatchObject([
      { room: 'köln', joined: true },
      { room: 'kitchen', joined: false },
      { room: 'garden', joined: false },
    ]);
    expect((await chat.visitor().get('/api/rooms')).status).toBe(401);
  });

  it('counts who sat in a room when its first word was said, and is kept over a restart', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    await bob.enters('lobby');
    const room = await ann.enters('lobby');
    expect(await roomsOf(bob)).toEqual([]);
    room.says('first');
    await room.sees({ id: 1 });
    expect(await roomsOf(bob)).toMatchObject([{ room: 'lobby', joined: true }]);
    await ann.put('/api/rooms/lobby/read', { id: 1 });
    await chat.stop();
    const again = await startChat({ dataDir: chat.dataDir });
    const annAgain = again.visitor(ann.cookie);
    expect(await roomsOf(annAgain)).toMatchObject([{ room: 'lobby', read: 1, joined: true }]);
    await annAgain.post('/signout', {});
    expect(await roomsOf(await again.signIn('Ann'))).toMatchObject([{ room: 'lobby', joined: false }]);
  });
});

describe('a read mark', () => {
  it('goes up, never back and never beyond the last, and all sockets of the person hear of it', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const [room, phone, plain] = [
      await ann.enters('lobby'),
      await ann.enters('elsewhere'),
      await ann.enters('lobby', { protocol: '' }),
    ];
    const others = await bob.enters('lobby');
    for (let n = 0; n < 5; n++) room.says(`m${n}`);
    await room.sees({ id: 5 });
    const marks: readonly (readonly [id: unknown, status: number])[] = [
      [2, 204],
      [1, 204],
      [2, 204],
      [99, 204],
      [7.5, 400],
      [-1, 400],
      ['3', 400],
      [2 ** 53, 400],
      [null, 400],
    ];
    for (const [id, status] of marks)
      expect([id, (await ann.put('/api/rooms/Lobby/read', { id })).status]).toEqual([id, status]);
    expect((await ann.put('/api/rooms/nowhere/read', { id: 1 })).status).toBe(204);
    expect((await ann.put('/api/rooms/no%20room/read', { id: 1 })).status).toBe(404);
    room.says('end');
    for (const socket of [room, phone, plain]) {
      await socket.sees({ type: 'room', room: 'lobby', last: 5, read: 5 });
      const told = socket.frames.filter((frame) => frame['type'] === 'room' && 'read' in frame);
      expect(told.map(({ read }) => read)).toEqual([2, 5]);
    }
    await others.sees({ data: 'end' });
    expect(others.frames.some(({ type }) => type === 'room')).toBe(false);
    expect((await roomsOf(ann)).map(({ room, read }) => [room, read])).toEqual([['lobby', 5]]);
  });
});

describe('word of a room that moved', () => {
  it('comes to who has been in it and is elsewhere, at most once a second', async () => {
    const chat = await startChat();
    const [ann, bob, cleo] = [await chat.signIn('Ann'), await chat.signIn('Bob'), await chat.signIn('Cleo')];
    const [speaker, was] = [await ann.enters('lobby'), await bob.enters('lobby')];
    const stranger = await cleo.enters('elsewhere');
    speaker.says('first');
    await was.sees({ id: 1 });
    await was.leaves();
    const away = await bob.enters('elsewhere');
    expect(await roomsOf(bob)).toMatchObject([{ room: 'lobby', joined: true }]); // and hear of it from now on
    for (let n = 0; n < 50; n++) speaker.says(`m${n}`);
    await away.sees({ type: 'room', room: 'lobby', last: 51 });
    const told = away.frames.filter(({ type }) => type === 'room');
    expect(told.length).toBeLessThanOrEqual(2);
    for (const socket of [speaker, stranger])
      expect(socket.frames.some(({ type }) => type === 'room')).toBe(false);
    const back = await bob.enters('lobby', { query: '?history=0' });
    await roomsOf(bob);
    speaker.says('once more');
    await back.sees({ type: 'chat', id: 52 });
    await away.sees({ type: 'room', room: 'lobby', last: 52 });
    expect(back.frames.some(({ type }) => type === 'room')).toBe(false);
  });
});

describe('who has just gone to another room', () => {
  it('hears of the first word in the one they left', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const kitchen = await bob.enters('kitchen');
    await kitchen.sees({ type: 'chat', cid: kitchen.says('something was said here') });
    const left = await ann.enters('kitchen');
    const garden = await ann.enters('garden');
    kitchen.says('where is Ann?');
    left.ws.close();
    expect(await garden.sees({ type: 'room', room: 'kitchen' })).toMatchObject({ last: 2 });
  });
});

describe('in a rush', () => {
  it('few are looked up at a time, and all the others when it is over', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const looked = new Set<string>();
    const roomsOf = ({ id }: { readonly id: string }) => {
      looked.add(id);
      return [];
    };
    const following = new MembershipTracker({ roomsOf, submit: () => {}, now: () => 0 });
    const { limits } = readConfig({});
    for (let n = 0; n < 200; n++)
      following.onEnter(new ConnectedUser({ id: `p${n}`, name: 'Ann' }, limits), { name: 'hall', last: 0 });
    vi.advanceTimersByTime(60);
    expect(looked.size).toBe(10);
    vi.advanceTimersByTime(1000);
    expect(looked.size).toBe(200);
  });
});
