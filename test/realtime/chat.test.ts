/** A room over real sockets. */
import Keygrip from 'keygrip';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Hub } from '../../src/realtime/hub.js';
import { UserThrottle } from '../../src/realtime/throttle.js';
import { controlClock, eventually, hasWorkers, startChat, stopClock } from '../harness.js';

const deepArray = '['.repeat(3000) + ']'.repeat(3000);

describe('a room', () => {
  it.skipIf(hasWorkers)(
    'sends hello, history and list, and tells who joins and leaves by user, not by socket',
    async () => {
      const advance = stopClock();
      const chat = await startChat();
      const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
      const room = await ann.enters('Lobby');
      await room.sees({ type: 'list', data: [ann.user], count: 1 });
      expect(room.frames[0]).toMatchObject({
        type: 'hello',
        room: 'lobby',
        last: 0,
        user: ann.user,
        complete: true,
      });
      const tab = await bob.enters('lobby');
      await room.sees({ type: 'join', user: bob.user, data: 'Bob joined.' });
      const second = await bob.enters('lobby');
      await tab.leaves();
      room.says('hi');
      await second.sees({ type: 'chat', id: 1, data: 'hi' });
      await second.leaves();
      const third = await bob.enters('lobby');
      await third.leaves();
      await chat.untilOpen('websocket', 1);
      expect(room.frames.some(({ type }) => type === 'left')).toBe(false);
      advance(5000);
      await room.sees({ type: 'left', user: bob.user, data: 'Bob left.' });
      expect(room.frames.filter(({ type }) => type === 'join' || type === 'left')).toHaveLength(2);
    },
  );

  it('tells the new name of a user who is about to leave, because they may come back without a frame', async () => {
    stopClock();
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const room = await ann.enters('lobby');
    const tab = await bob.enters('lobby');
    await tab.leaves();
    await chat.untilOpen('websocket', 1);
    const renamed = { id: bob.user.id, name: 'Robert' };
    expect((await bob.post('/signin', { name: 'Robert' })).status).toBe(200);
    await room.sees({ type: 'left', user: bob.user });
    await room.sees({ type: 'join', user: renamed });
    const back = await bob.enters('lobby');
    await back.sees({ type: 'list', data: [ann.user, renamed], count: 2 });
  });

  it('takes each frame as a message without a subprotocol and with chat', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    for (const protocol of ['', 'chat']) {
      const room = await ann.enters('chat', { protocol, query: '?history=0' });
      room.sends('{"type":"x"} is just text');
      await room.sees({ type: 'chat', user: ann.user, data: '{"type":"x"} is just text' });
    }
  });

  it('resumes at any number, and says complete:false when the log does not have it', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const room = await ann.enters('lobby');
    for (let n = 1; n <= 60; n++) room.says(`m${n}`);
    await room.seesAll({ type: 'chat' }, 60);
    const epoch = String(room.frames[0]?.['epoch']);
    const idsAfter = async (query: string): Promise<unknown[]> => {
      const back = await ann.enters('lobby', { query });
      await back.sees({ type: 'list' });
      return back.numbered.map(({ id }) => id);
    };
    const upTo60 = (from: number) => Array.from({ length: 61 - from }, (_, n) => from + n);
    expect(await idsAfter(`?after=57&epoch=${epoch}`)).toEqual([58, 59, 60]);
    expect(await idsAfter('?after=0')).toEqual(upTo60(1));
    expect(await idsAfter('?after=60')).toEqual([]);
    expect(await idsAfter('')).toEqual(upTo60(11));
    expect(await idsAfter('?history=0')).toEqual([]);
    expect(await idsAfter('?after=59&epoch=other')).toEqual(upTo60(11));
    const ahead = await ann.enters('lobby', { query: '?after=61' });
    expect(ahead.frames[0]).toMatchObject({ complete: false, last: 60 });
  });

  it('answers a repeated cid with its number, and with cid_conflict when the text differs', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const room = await ann.enters('lobby');
    room.says('hi', 'c1');
    room.says('hi', 'c1');
    await room.sees({ type: 'ack', cid: 'c1', id: 1 });
    room.says('ho', 'c1');
    await room.sees({ type: 'error', cid: 'c1' });
    const again = await ann.post('/api/rooms/lobby/messages', { data: 'hi', cid: 'c1' });
    expect([again.status, (await again.json()).id]).toEqual([200, 1]);
    const created = await ann.post('/api/rooms/lobby/messages', { data: 'new', cid: 'c2' });
    expect([created.status, (await created.json()).id]).toEqual([201, 2]);
    await room.sees({ type: 'chat', id: 2 });
    expect(room.numbered).toHaveLength(2);
  });

  it.each([
    [
      '{"type":"chat","data":{"__proto__":1}}',
      `{"type":"chat","data":${deepArray}}`,
      '{"type":"chat","data":7}',
    ],
    ['{"type":"chat"}', '{"type":"edit","target":"1","data":"x"}', '{"type":"edit","target":1,"data":[]}'],
    ['{"type":"delete","target":{}}', '{"type":"react","target":1,"data":null}', '[]'],
  ])('closes with 4400 after three protocol errors in a row: %j, %j, %j', async (...frames) => {
    const room = await (await (await startChat()).signIn('Ann')).enters('lobby');
    for (const frame of frames) room.sends(frame);
    expect(await room.closed).toBe(4400);
    expect(room.frames.filter(({ type }) => type === 'error')).toHaveLength(3);
  });

  it('stays open after any number of mistakes that a user can make', async () => {
    const room = await (await (await startChat()).signIn('Ann')).enters('lobby');
    const data = ['', 'x'.repeat(4001), '\ud800'];
    for (const text of data) room.sends({ type: 'chat', data: text });
    for (const target of [0, -1, 1.5]) room.sends({ type: 'delete', target });
    for (const text of ['x', 'x'.repeat(65), '']) room.sends({ type: 'react', target: 1, data: text });
    room.sends('nonsense');
    room.sends({ type: 'chat', data: 7 });
    room.sends({ type: 'chat', data: '' }); // not three in a row
    room.sends('nonsense');
    await room.seesAll({ type: 'error' }, 13);
    await room.sees({ type: 'chat', cid: room.says('still here') });
  });

  it('closes with the code of the contract for each reason', async () => {
    const chat = await startChat({
      env: { CONNECTIONS_PER_PERSON: '2', SESSION_KEYS: 'abcdefghijklmnopqrstuvwxyz0123456789' },
    });
    const ann = await chat.signIn('Ann');
    const witness = await ann.enters('lobby');
    expect(await chat.visitor().knocks('/ws/lobby').closed).toBe(4001);
    expect(await ann.knocks('/ws/no%20room').closed).toBe(4000);
    expect(await ann.knocks('/elsewhere').closed).toBe(404);
    expect(await ann.knocks('/ws/lobby', { headers: { origin: 'null' } }).closed).toBe(403);
    const second = await ann.enters('lobby');
    expect(await ann.knocks('/ws/lobby').closed).toBe(4003);
    for (let n = 0; n < 3; n++) second.sends('nonsense');
    expect(await second.closed).toBe(4400);
    await chat.untilOpen('websocket', 1);
    const third = await ann.enters('lobby');
    third.ws.send(Buffer.from([1, 2]));
    expect(await third.closed).toBe(1003);
    await chat.untilOpen('websocket', 1);
    const fourth = await ann.enters('lobby');
    fourth.ws.send('x'.repeat(64 * 1024 + 1));
    expect(await fourth.closed).toBe(1009);
    const value = Buffer.from(
      JSON.stringify({ id: 'cccccccccccc', name: 'Cleo', iat: Date.now() / 1000 - 30 * 86_400 + 2 }),
    ).toString('base64');
    const sig = new Keygrip(['abcdefghijklmnopqrstuvwxyz0123456789'], 'sha256').sign(`name=${value}`);
    expect(await (await chat.visitor(`name=${value}; name.sig=${sig}`).enters('lobby')).closed).toBe(4001);
    const out = await ann.post('/signout', {});
    expect(out.status).toBe(204);
    expect(await witness.closed).toBe(4002);
    expect((await ann.get('/api/me')).status).toBe(401);
    expect((await chat.post('/signin', { name: 'Ann' })).status).toBe(409); // the name stays reserved
  });

  it('delays messages over the rate without losing any, and closes a flood with 4429', async () => {
    const chat = await startChat({ env: { MESSAGE_RATE: '50', MESSAGE_BURST: '5' } });
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const [one, two] = [await ann.enters('lobby'), await ann.enters('lobby')];
    const start = Date.now();
    for (let n = 0; n < 20; n++) {
      one.says(`one ${n}`);
      two.says(`two ${n}`);
    }
    await one.seesAll({ type: 'chat' }, 40);
    expect(Date.now() - start).toBeGreaterThan(500); // 35 over the burst, one budget for both sockets
    const advance = stopClock(); // reading would be paused two seconds later
    const flood = await bob.enters('lobby', { protocol: 'chat' });
    for (let n = 0; n < 8000; n++) flood.sends('x');
    expect(await flood.closed).toBe(4429);
    advance(1000);
    one.says('still here', 'c-here');
    await one.sees({ type: 'chat', cid: 'c-here' });
  });

  it('takes a burst of 1,900 in order without loss, and pauses reading when more arrives two seconds later', async () => {
    let now = Math.ceil(performance.now()); // whole, so that two seconds later is exactly that
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
    const pauses = vi.spyOn(UserThrottle.prototype, 'shouldPause');
    const received = vi.spyOn(Hub.prototype, 'receive');
    onTestFinished(() => [clock, pauses, received].forEach((spy) => void spy.mockRestore()));
    const hasPaused = () => pauses.mock.results.some(({ value }) => value === true);
    const chat = await startChat({ env: { MESSAGE_RATE: '20', MESSAGE_BURST: '300' } });
    const room = await (await chat.signIn('Ann')).enters('lobby');
    const said = Array.from({ length: 1900 }, (_, n) => room.says(`burst ${n}`));
    await eventually(() => expect(received).toHaveBeenCalledTimes(1900));
    await room.seesAll({ type: 'chat' }, 300);
    expect(hasPaused()).toBe(false);
    now += 2000;
    for (let n = 0; n < 50; n++) said.push(room.says(`more ${n}`));
    await eventually(() => expect(hasPaused()).toBe(true));
    for (let seen = 340; seen < said.length; seen += 300) {
      await room.seesAll({ type: 'chat' }, seen);
      now += 16_000;
    }
    const seen = await room.seesAll({ type: 'chat' }, said.length);
    expect(seen.map(({ cid }) => cid)).toEqual(said);
  }, 60_000);

  it.each([
    ['of 60 bytes', 60, 1],
    ['of 1,000 bytes', 1000, 1],
    ['of 16,000 bytes', 16_000, 1],
    ['of 60 bytes over five sockets', 60, hasWorkers ? 1 : 5],
  ])('closes a flood of messages %s with 4429 at the default limits', async (_, length, sockets) => {
    stopClock(); // it needs no time
    const chat = await startChat({ env: { MESSAGE_RATE: '5' } });
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const witness = await bob.enters('lobby');
    const rooms = await Promise.all(Array.from({ length: sockets }, () => ann.enters('lobby')));
    const text = '😀'.repeat(length / 4);
    for (let n = 0; n < 3000; n++) rooms[n % sockets]?.sends({ type: 'chat', data: text });
    expect(await Promise.all(rooms.map(({ closed }) => closed))).toEqual(rooms.map(() => 4429));
    await witness.sees({ type: 'chat', cid: witness.says('still here') });
    expect(witness.numbered.length).toBeLessThan(60);
  });

  it.each<[string, (n: number) => string]>([
    ['typing', () => '{"type":"typing"}'],
    ['ping', () => '{"type":"ping"}'],
    ['rejected reactions', (n) => `{"type":"react","target":1,"data":"x${n}"}`],
    ['texts that are too long', (n) => `{"type":"chat","data":"${'x'.repeat(5000)}${n}"}`],
    ['new messages', (n) => `{"type":"chat","data":"${n}"}`],
  ])('closes a flood of %s with 4429 at the default limits', async (_, frameOf) => {
    stopClock();
    const chat = await startChat({ env: { MESSAGE_RATE: '5' } });
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const witness = await bob.enters('lobby');
    const flood = await ann.enters('lobby');
    for (let n = 0; n < 3000; n++) flood.sends(frameOf(n));
    expect(await flood.closed).toBe(4429);
    await witness.sees({ type: 'chat', cid: witness.says('still here') });
  });

  it('closes a flood of pong frames with 4429 at the default limits', async () => {
    stopClock();
    const chat = await startChat({ env: { MESSAGE_RATE: '5' } });
    const flood = await (await chat.signIn('Ann')).enters('lobby');
    for (let n = 0; n < 3000; n++) flood.ws.pong();
    expect(await flood.closed).toBe(4429);
  });

  it('answers the first 200 pings at once, and 50 more each second', async () => {
    const advance = controlClock();
    const chat = await startChat({ env: { MESSAGE_RATE: '5' } });
    const room = await (await chat.signIn('Ann')).enters('lobby');
    for (let n = 0; n < 400; n++) room.sends({ type: 'ping' });
    await room.seesAll({ type: 'pong' }, 200);
    advance(10_000);
    await room.seesAll({ type: 'pong' }, 400);
  });

  it('closes only the new socket with 4429 when a user opens more than 60 in ten seconds', async () => {
    const advance = stopClock();
    const chat = await startChat({ env: { CONNECTIONS_PER_PERSON: '100' } });
    const ann = await chat.signIn('Ann');
    const first = await ann.enters('lobby');
    for (let n = 0; n < 59; n++) await (await ann.enters('lobby')).leaves();
    expect(await ann.knocks('/ws/lobby').closed).toBe(4429);
    await first.sees({ type: 'chat', cid: first.says('still here') });
    advance(10_000);
    await (await ann.enters('lobby')).sees({ type: 'hello' });
  });

  it('takes the longest text in every JSON spelling', async () => {
    const room = await (await (await startChat()).signIn('Ann')).enters('lobby');
    const text = '😀'.repeat(4000);
    room.sends(`{"type":"chat","data":"${'\\ud83d\\ude00'.repeat(4000)}"}`);
    await room.sees({ type: 'chat', data: text });
  });

  it('lets a long message cost a token for each KiB', async () => {
    const advance = stopClock();
    const chat = await startChat({ env: { MESSAGE_RATE: '5' } });
    const ann = await chat.signIn('Ann');
    const post = async (data: string): Promise<number> =>
      (await ann.post('/api/rooms/lobby/messages', { data })).status;
    expect([await post('😀'.repeat(4000)), await post('short')]).toEqual([201, 429]); // 16 tokens of 10
    advance(1000);
    expect(await post('short')).toBe(429);
    advance(500);
    expect(await post('short')).toBe(201);
  });

  it('sends only counts in a room of more than 100 users', async () => {
    const chat = await startChat();
    const first = await (await chat.signIn('P0')).enters('lobby');
    for (let n = 1; n <= 101; n++)
      await (await chat.signIn(`Person ${String.fromCharCode(97 + (n % 26))}${n}`)).enters('lobby');
    await first.sees({ type: 'count', data: 102 });
    expect(first.frames.filter(({ type }) => type === 'join').length).toBeLessThanOrEqual(100);
  });

  it('tells the others when a user changes their name', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const [room, bobs] = [await ann.enters('lobby'), await bob.enters('lobby')];
    expect(await (await bob.post('/signin', { name: 'Robert' })).json()).toEqual({
      id: bob.user.id,
      name: 'Robert',
    });
    await room.sees({ type: 'left', user: bob.user });
    await room.sees({ type: 'join', user: { id: bob.user.id, name: 'Robert' } });
    bobs.says('it is me');
    await room.sees({ type: 'chat', user: { id: bob.user.id, name: 'Robert' } });
  });
});
