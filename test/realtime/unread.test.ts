/** What is unread: the list of rooms, the read marks, and the `room` frames that tell of rooms elsewhere. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { readConfig } from '../../src/config.js';
import type { Connection } from '../../src/realtime/connection.js';
import type { Frames } from '../../src/realtime/frames.js';
import { Scheduler } from '../../src/realtime/scheduler.js';
import { MembershipTracker } from '../../src/realtime/unread.js';
import { ConnectedUser } from '../../src/realtime/user.js';
import type { RoomEvent, RoomSummary } from '../../src/shared/protocol.js';
import { eventually, type Frame, type Socket, startChat, stopClock, type Visitor } from '../harness.js';

async function roomsOf(visitor: Visitor): Promise<RoomSummary[]> {
  return (await (await visitor.get('/api/rooms')).json()) as RoomSummary[];
}

/** `ROOM UNREAD/MENTIONS` of each room in the list. */
async function countsOf(visitor: Visitor): Promise<string[]> {
  return (await roomsOf(visitor)).map(({ room, unread, mentions }) => `${room} ${unread}/${mentions}`);
}

async function post(visitor: Visitor, room: string, body: object): Promise<number> {
  const answer = await visitor.post(`/api/rooms/${room}/messages`, body);
  expect([200, 201]).toContain(answer.status);
  return ((await answer.json()) as RoomEvent).id;
}

function roomFrames(socket: Socket): Frame[] {
  return socket.frames.filter(({ type }) => type === 'room');
}

describe('the list of rooms', () => {
  it('has my rooms by activity, then others, with read marks and people', async () => {
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
    const none = { read: 0, unread: 0, mentions: 0 };
    const rooms = [
      { room: 'kitchen', last: 2, ...none, people: 1, joined: true },
      { room: 'garden', last: 1, ...none, people: 1, joined: true },
      { room: 'köln', last: 1, ...none, people: 0, joined: false },
    ];
    await eventually(async () => expect(await roomsOf(ann)).toEqual(rooms)); // a worker learns of people elsewhere later
    expect(await roomsOf(bob)).toMatchObject([
      { room: 'köln', joined: true },
      { room: 'kitchen', joined: false },
      { room: 'garden', joined: false },
    ]);
    expect((await chat.visitor().get('/api/rooms')).status).toBe(401);
  });

  it('makes people in a room members at its first message, and survives a restart', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    await bob.enters('lobby');
    const room = await ann.enters('lobby');
    expect(await roomsOf(bob)).toEqual([]);
    room.says('first');
    await room.sees({ id: 1 });
    expect(await roomsOf(bob)).toMatchObject([{ room: 'lobby', joined: true, unread: 1 }]);
    await ann.put('/api/rooms/lobby/read', { id: 1 });
    await chat.stop();
    const again = await startChat({ dataDir: chat.dataDir });
    const annAgain = again.visitor(ann.cookie);
    expect(await roomsOf(annAgain)).toMatchObject([{ room: 'lobby', read: 1, joined: true }]);
  });

  it('counts messages of others, without changes and deleted messages', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    await post(ann, 'lobby', { data: 'hello' });
    await ann.put('/api/rooms/lobby/read', { id: 1 });
    await post(bob, 'lobby', { type: 'react', target: 1, data: '👍' });
    await post(bob, 'lobby', { type: 'unreact', target: 1, data: '👍' });
    const first = await post(bob, 'lobby', { data: 'hi' });
    const second = await post(bob, 'lobby', { data: 'oops' });
    await post(bob, 'lobby', { type: 'edit', target: first, data: 'hi there' });
    expect(await countsOf(ann)).toEqual(['lobby 2/0']);
    await post(bob, 'lobby', { type: 'delete', target: second });
    expect(await countsOf(ann)).toEqual(['lobby 1/0']);
    await post(ann, 'lobby', { data: 'by a program of mine' });
    expect(await countsOf(ann)).toEqual(['lobby 1/0']);
    expect(await roomsOf(ann)).toMatchObject([{ read: 1 }]);
    expect(await countsOf(bob)).toEqual(['lobby 2/0']); // "hello" and what Ann's program said
    await ann.put('/api/rooms/lobby/read', { id: first });
    expect(await countsOf(ann)).toEqual(['lobby 0/0']);
  });

  it('has rooms with mentions of me that I was never in', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    await post(ann, 'lobby', { data: 'question' });
    await post(bob, 'lobby', { data: 'answer', reply: 1 });
    await post(bob, 'lobby', { data: 'nobody' });
    for (const data of ['@Ann come here', 'nobody', '@Ann please']) await post(bob, 'garden', { data });
    expect(await countsOf(ann)).toEqual(['lobby 2/1', 'garden 2/2']);
    expect(await roomsOf(ann)).toMatchObject([{ joined: true }, { room: 'garden', last: 3, joined: false }]);
    await post(bob, 'garden', { type: 'delete', target: 1 });
    await post(bob, 'garden', { type: 'edit', target: 2, data: 'you, @Ann' });
    expect(await countsOf(ann)).toEqual(['lobby 2/1', 'garden 2/2']);
    await post(bob, 'garden', { type: 'edit', target: 2, data: 'nobody again' });
    expect(await countsOf(ann)).toEqual(['lobby 2/1', 'garden 1/1']);
    await ann.put('/api/rooms/garden/read', { id: 3 });
    expect(await countsOf(ann)).toEqual(['garden 0/0', 'lobby 2/1']);
    await post(ann, 'garden', { data: 'note to @Ann' }); // mentions oneself
    expect(await countsOf(ann)).toEqual(['garden 0/0', 'lobby 2/1']);
  });
});

describe('a read mark', () => {
  it('never goes back or beyond the last number, and is sent to all sockets of the user', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const [room, phone, plain] = [
      await ann.enters('lobby'),
      await ann.enters('elsewhere'),
      await ann.enters('lobby', { protocol: '' }),
    ];
    const others = await bob.enters('lobby');
    for (let n = 0; n < 5; n++) others.says(`m${n}`);
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
    others.says('end');
    for (const socket of [room, phone, plain]) {
      await socket.sees({ type: 'room', room: 'lobby', last: 5, read: 2, unread: 3, mentions: 0 });
      await socket.sees({ type: 'room', room: 'lobby', last: 5, read: 5, unread: 0, mentions: 0 });
      const told = roomFrames(socket).filter((frame) => 'read' in frame);
      expect(told.map(({ read }) => read)).toEqual([2, 5]);
    }
    await others.sees({ data: 'end' });
    expect(roomFrames(others)).toEqual([]);
    expect((await roomsOf(ann)).map(({ room, read }) => [room, read])).toEqual([['lobby', 5]]);
  });
});

describe('a room with news', () => {
  it('tells its members elsewhere what is unread, at most once a second', async () => {
    const advance = stopClock();
    const chat = await startChat();
    const [ann, bob, cleo] = [await chat.signIn('Ann'), await chat.signIn('Bob'), await chat.signIn('Cleo')];
    const [speaker, was] = [await ann.enters('lobby'), await bob.enters('lobby')];
    const stranger = await cleo.enters('elsewhere');
    speaker.says('first');
    await was.sees({ id: 1 });
    await bob.put('/api/rooms/lobby/read', { id: 1 });
    await was.leaves();
    const away = await bob.enters('elsewhere');
    for (let n = 0; n < 50; n++) speaker.says(`m${n}`);
    await speaker.sees({ id: 51 });
    advance(1000);
    await away.sees({ type: 'room', room: 'lobby', last: 51, unread: 50, mentions: 0 });
    expect(roomFrames(away).length).toBeLessThanOrEqual(2);
    for (const socket of [speaker, stranger]) expect(roomFrames(socket)).toEqual([]);
    const back = await bob.enters('lobby', { query: '?history=0' });
    await post(bob, 'lobby', { data: 'mine' });
    await post(ann, 'lobby', { data: 'once more' });
    await back.sees({ type: 'chat', id: 53 });
    advance(1000);
    await away.sees({ type: 'room', room: 'lobby', last: 53, unread: 51, mentions: 0 });
    expect(roomFrames(back)).toEqual([]);
  });

  it('tells a user who has just gone to another room', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const kitchen = await bob.enters('kitchen');
    await kitchen.sees({ type: 'chat', cid: kitchen.says('something was said here') });
    const left = await ann.enters('kitchen');
    const garden = await ann.enters('garden');
    kitchen.says('where is Ann?');
    left.ws.close();
    expect(await garden.sees({ type: 'room', room: 'kitchen' })).toMatchObject({ last: 2, unread: 2 });
  });

  it('tells mentioned users at once, also of a room that they never opened', async () => {
    const chat = await startChat();
    const [ann, bob, cleo] = [await chat.signIn('Ann'), await chat.signIn('Bob'), await chat.signIn('Cleo')];
    const [phone, laptop] = [await ann.enters('lobby'), await ann.enters('attic')];
    const others = await cleo.enters('lobby');
    for (let n = 1; n <= 3; n++) {
      const last = await post(bob, 'garden', { data: `@Ann ${n}` });
      for (const socket of [phone, laptop])
        await socket.sees({ type: 'room', room: 'garden', last, unread: n, mentions: n });
    }
    await post(bob, 'garden', { data: 'not for Ann' });
    await post(bob, 'garden', { type: 'edit', target: 1, data: 'nobody' });
    await phone.sees({ type: 'room', room: 'garden', last: 5, unread: 2, mentions: 2 });
    await post(bob, 'garden', { type: 'delete', target: 2 });
    await phone.sees({ type: 'room', room: 'garden', last: 6, unread: 1, mentions: 1 });
    expect(roomFrames(phone).filter(({ last }) => last === 4)).toEqual([]);
    const question = await post(ann, 'kitchen', { data: 'question' });
    await ann.put('/api/rooms/kitchen/read', { id: question });
    await post(bob, 'kitchen', { data: 'answer', reply: question });
    await phone.sees({ type: 'room', room: 'kitchen', last: 2, unread: 1, mentions: 1 });
    expect(roomFrames(others)).toEqual([]);
  });

  it('tells of deletions too', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    await post(ann, 'lobby', { data: 'hello' });
    await ann.put('/api/rooms/lobby/read', { id: 1 });
    const away = await ann.enters('elsewhere');
    await post(bob, 'lobby', { data: 'oops' });
    await away.sees({ type: 'room', room: 'lobby', last: 2, unread: 1, mentions: 0 });
    await post(bob, 'lobby', { type: 'delete', target: 2 });
    await away.sees({ type: 'room', room: 'lobby', last: 3, unread: 0, mentions: 0 });
  });
});

/** What a tracker asks of its surroundings, and users with sockets that note what is written. */
function setUp() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const { limits } = readConfig({});
  const counted: string[] = [];
  let last = 1;
  const tracker = new MembershipTracker({
    submit: () => {},
    now: () => 0,
    scheduler: new Scheduler(),
    countUnread: ({ id }, room) => {
      counted.push(`${id} ${room}`);
      return { last, messageCount: last, unread: last - 1, mentions: 0 };
    },
  });
  const connect = (id: string, room: string) => {
    const user = new ConnectedUser({ id, name: id }, limits);
    const written: Frame[] = [];
    const write = ({ lines }: Frames) => written.push(JSON.parse(lines.toString()) as Frame);
    user.addConnection({ room: { name: room }, write } as unknown as Connection); // as much as is used
    tracker.onEnter(user, room);
    return { user, written };
  };
  const event = { id: 2, type: 'chat', user: { id: 'x', name: 'X' }, data: '', at: 0 } as const;
  const say = (room: string, id = 2): void => {
    last = id;
    tracker.notifier.onEvent({
      room,
      event: { ...event, id },
      messageCount: id,
      author: undefined,
      mentioned: [],
    });
    tracker.notifier.run();
  };
  return { tracker, connect, say, counted };
}

describe('the work for a message', () => {
  it('is zero for users who are in no other room', () => {
    const { tracker, connect, say, counted } = setUp();
    const hall = Array.from({ length: 100 }, (_, n) => connect(`p${n}`, 'hall'));
    for (const { user } of hall) tracker.onEntered(user, ['hall']);
    const elsewhere = connect('away', 'garden');
    tracker.onEntered(elsewhere.user, ['garden', 'hall']);
    for (let id = 2; id < 10; id++) say('hall', id);
    vi.advanceTimersByTime(3000);
    expect(counted).toEqual(['away hall']); // once, and from memory later
    expect(hall.every(({ written }) => written.length === 0)).toBe(true);
    expect(elsewhere.written.map(({ last, unread }) => [last, unread])).toEqual([
      [2, 1],
      [9, 8],
    ]);
  });

  it('is done in slices for many followers', () => {
    const { tracker, connect, say, counted } = setUp();
    const away = Array.from({ length: 5000 }, (_, n) => connect(`p${n}`, 'garden'));
    for (const { user } of away) tracker.onEntered(user, ['garden', 'hall']);
    const started = vi.getTimerCount();
    say('hall');
    vi.advanceTimersByTime(1000);
    expect([counted.length, away.every(({ written }) => written.length === 1)]).toEqual([5000, true]);
    expect(started).toBe(0);
  });

  it('ends when the last socket of a user closes', () => {
    const { tracker, connect, say, counted } = setUp();
    const { user } = connect('away', 'garden');
    tracker.onEntered(user, ['garden', 'hall']);
    const [socket] = user.connections;
    if (socket) user.removeConnection(socket, 0);
    tracker.onLeave(user);
    say('hall');
    vi.advanceTimersByTime(3000);
    expect(counted).toEqual([]);
  });
});
