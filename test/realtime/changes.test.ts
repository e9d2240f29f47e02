/** Edits, deletions and reactions over sockets and HTTP, valid and invalid; typing frames. */
import { describe, expect, it } from 'vitest';
import { startChat, stopClock } from '../harness.js';

describe('a change', () => {
  it('reaches everyone under its own number, and shows in pages read later', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const [room, bobs] = [await ann.enters('lobby'), await bob.enters('lobby')];
    room.says('helo');
    await bobs.sees({ id: 1, type: 'chat' });
    room.sends({ type: 'edit', target: 1, data: 'hello @Bob', cid: 'e1' });
    const edit = { id: 2, type: 'edit', user: ann.user, target: 1, data: 'hello @Bob', cid: 'e1' };
    await bobs.sees({ ...edit, mentions: [bob.user] });
    bobs.sends({ type: 'react', target: 1, data: '👍' });
    await room.sees({ id: 3, type: 'react', user: bob.user, target: 1, data: '👍' });
    const posted = await bob.post('/api/rooms/lobby/messages', { type: 'react', target: 1, data: '❤' });
    expect([posted.status, await posted.json()]).toMatchObject([201, { id: 4, data: '❤️' }]);
    const page = await (await bob.get('/api/rooms/lobby/messages')).json();
    expect(page.messages[0]).toMatchObject({
      id: 1,
      data: 'hello @Bob',
      edited: 2,
      mentions: [bob.user],
      reactions: [
        { id: 3, user: bob.user, data: '👍' },
        { id: 4, user: bob.user, data: '❤️' },
      ],
    });
    room.sends({ type: 'edit', target: 1, data: 'hello @Bob', cid: 'e1' });
    await room.sees({ type: 'ack', cid: 'e1', id: 2 });
    room.sends({ type: 'delete', target: 1, cid: 'd1' });
    await bobs.sees({ id: 5, type: 'delete', target: 1 });
    const gone = await ann.post('/api/rooms/lobby/messages', { type: 'edit', target: 1, data: 'x' });
    expect([gone.status, (await gone.json()).error.code]).toEqual([410, 'deleted']);
  });

  it('is rejected with its error code when it is invalid, and changes nothing', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const room = await ann.enters('lobby');
    room.says('hi');
    await room.sees({ id: 1 });
    const cases: readonly (readonly [unknown, number, string])[] = [
      [{ type: 'edit', target: 0, data: 'x' }, 422, 'bad_target'],
      [{ type: 'edit', target: 1.5, data: 'x' }, 422, 'bad_target'],
      [{ type: 'edit', target: '1', data: 'x' }, 422, 'bad_target'],
      [{ type: 'edit', target: -1, data: 'x' }, 422, 'bad_target'],
      [{ type: 'edit', target: 2 ** 53, data: 'x' }, 422, 'bad_target'],
      [{ type: 'edit', target: 2 ** 53 - 1, data: 'x' }, 404, 'no_message'],
      [{ type: 'edit', data: 'x', __proto__: { target: 1 } }, 422, 'bad_target'],
      [{ type: 'edit', target: 1, data: ' ' }, 422, 'empty_text'],
      [{ type: 'edit', target: 1, data: 'x' }, 403, 'not_yours'],
      [{ type: 'delete', target: 1 }, 403, 'not_yours'],
      [{ type: 'react', target: 2, data: '👍' }, 404, 'no_message'],
      [{ type: 'react', target: 1, data: 'x' }, 422, 'bad_emoji'],
      [{ type: 'react', target: 1, data: '👍👍' }, 422, 'bad_emoji'],
      [{ type: 'react', target: 1, data: '👍'.repeat(10_000) }, 422, 'bad_emoji'],
      [{ type: 'react', target: 1, data: '👨‍👩‍👧‍👦‍👦‍👦' }, 422, 'bad_emoji'],
      [{ type: 'react', target: 1 }, 422, 'bad_emoji'],
      [{ type: 'unreact', target: 1, data: '👍' }, 404, 'not_there'],
      [{ type: 'typing' }, 422, 'unknown_type'],
      [{ type: 'constructor', target: 1 }, 422, 'unknown_type'],
      [{ type: 7 }, 422, 'unknown_type'],
    ];
    for (const [body, status, code] of cases) {
      const response = await bob.post('/api/rooms/lobby/messages', body);
      expect([body, response.status, (await response.json()).error.code]).toEqual([body, status, code]);
    }
    for (const data of ['👨‍👩‍👧‍👦', '🏳️‍🌈', '🇨🇳', '1️⃣', '☺', '👍🏽'])
      expect((await bob.post('/api/rooms/lobby/messages', { type: 'react', target: 1, data })).status).toBe(
        201,
      );
    room.says('still here');
    await room.sees({ id: 8, type: 'chat' });
  });

  it('gets a number each when two sockets edit at once, and the later edit stands', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const [one, two] = [await ann.enters('lobby'), await ann.enters('lobby')];
    one.says('first');
    await two.sees({ id: 1 });
    for (let n = 0; n < 20; n++) {
      one.sends({ type: 'edit', target: 1, data: `one ${n}` });
      two.sends({ type: 'edit', target: 1, data: `two ${n}` });
    }
    const edits = await one.seesAll({ type: 'edit' }, 40);
    await two.seesAll({ type: 'edit' }, 40);
    const page = await (await ann.get('/api/rooms/lobby/messages?limit=1&after=0')).json();
    expect(page.messages[0]).toMatchObject({ edited: 41, data: edits.at(-1)?.['data'] });
  });
});

describe('a typing frame', () => {
  it('reaches the others in the room, at most once a second, and gets no number', async () => {
    const advance = stopClock();
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const [room, tab] = [await ann.enters('lobby'), await ann.enters('lobby')];
    const [bobs, elsewhere] = [await bob.enters('lobby'), await bob.enters('other')];
    for (let n = 0; n < 50; n++) room.sends({ type: 'typing' });
    room.says('done');
    await bobs.sees({ id: 1 });
    const typing = { type: 'typing', user: ann.user };
    expect(bobs.frames.filter(({ type }) => type === 'typing')).toEqual([typing]);
    advance(1000);
    room.sends({ type: 'typing' });
    await bobs.seesAll(typing, 2);
    for (const other of [room, tab, elsewhere]) {
      other.sends({ type: 'ping' });
      await other.sees({ type: 'pong' });
      expect(other.frames.some(({ type }) => type === 'typing')).toBe(false);
    }
  });

  it('reaches nobody in a room of more than 100 users', async () => {
    const chat = await startChat();
    const ann = await (await chat.signIn('Ann')).enters('lobby');
    for (let n = 0; n < 100; n++) await (await chat.signIn(`Person ${n} x`)).enters('lobby');
    const last = await (await chat.signIn('Zed')).enters('lobby');
    ann.sends({ type: 'typing' });
    ann.says('hi');
    await last.sees({ type: 'chat' });
    expect(last.frames.some(({ type }) => type === 'typing')).toBe(false);
  });
});
