/** Replies: only the number is stored; what is shown of the message is always its current text. */
import { describe, expect, it } from 'vitest';
import type { MessagesPage, SearchPage } from '../../src/shared/protocol.js';
import { databaseFile } from '../../src/store/database.js';
import { verify } from '../../src/store/verify.js';
import { type Chat, type Frame, type Socket, startChat, type Visitor } from '../harness.js';

interface Room {
  readonly chat: Chat;
  readonly ann: Visitor;
  readonly bob: Visitor;
  readonly anns: Socket;
  readonly bobs: Socket;
}

async function startRoom(): Promise<Room> {
  const chat = await startChat();
  const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
  return { chat, ann, bob, anns: await ann.enters('lobby'), bobs: await bob.enters('lobby') };
}

async function pageOf(visitor: Visitor): Promise<MessagesPage> {
  return (await (await visitor.get('/api/rooms/lobby/messages')).json()) as MessagesPage;
}

async function mentionsOf(visitor: Visitor): Promise<number[]> {
  const page = (await (await visitor.get('/api/mentions')).json()) as SearchPage;
  return page.messages.map(({ id }) => id);
}

describe('a reply', () => {
  it('carries the message that it replies to, in frames, pages, replays, search and mentions', async () => {
    const { ann, bob, anns, bobs } = await startRoom();
    await anns.sees({ type: 'chat', cid: anns.says('shall we meet?') });
    const reply = { id: 1, user: ann.user, data: 'shall we meet?' };
    bobs.sends({ type: 'chat', data: 'yes please', reply: 1, cid: 'r' });
    expect(await anns.sees({ type: 'chat', cid: 'r' })).toMatchObject({ id: 2, data: 'yes please', reply });
    const answer = await bob.post('/api/rooms/lobby/messages', { data: 'at noon', reply: 2 });
    const second = { id: 2, user: bob.user, data: 'yes please' };
    expect([answer.status, await answer.json()]).toMatchObject([201, { id: 3, reply: second }]);
    expect(
      (await pageOf(ann)).messages.map(({ id, ...rest }) => ('reply' in rest ? rest.reply : id)),
    ).toEqual([1, reply, second]);
    const back = await ann.enters('lobby', { query: '?after=1' });
    expect(await back.sees({ id: 2 })).toMatchObject({ reply });
    expect((await ann.search('q=please')).messages).toMatchObject([{ id: 2, reply }]);
    const mentions = (await (await ann.get('/api/mentions')).json()) as SearchPage;
    expect(mentions.messages).toMatchObject([{ id: 2, reply }]);
  });

  it('shows an edit, and nothing once the message is deleted, also in a replay from memory', async () => {
    const { ann, anns, bobs } = await startRoom();
    await anns.sees({ type: 'chat', cid: anns.says('the secret is 1234') });
    bobs.sends({ type: 'chat', data: 'noted', reply: 1, cid: 'r' });
    await anns.sees({ cid: 'r' });
    const replayed = async (): Promise<Frame> =>
      await (await ann.enters('lobby', { query: '?after=0' })).sees({ id: 2 });
    expect(await replayed()).toMatchObject({ reply: { data: 'the secret is 1234' } });
    anns.sends({ type: 'edit', target: 1, data: 'the secret is gone' });
    await anns.sees({ type: 'edit', id: 3 });
    expect(await replayed()).toMatchObject({ reply: { data: 'the secret is gone' } });
    anns.sends({ type: 'delete', target: 1 });
    await anns.sees({ type: 'delete', id: 4 });
    expect(await replayed()).toMatchObject({ data: 'noted', reply: { id: 1, user: ann.user, data: '' } });
    expect((await pageOf(ann)).messages[1]).toMatchObject({ reply: { id: 1, data: '' } });
  });

  it('shows at most 200 characters, and none of them in part', async () => {
    const { anns } = await startRoom();
    const family = '👩‍👩‍👧‍👦';
    await anns.sees({ type: 'chat', cid: anns.says(`${'x'.repeat(195)}${family}!`) });
    await anns.sees({ type: 'chat', cid: anns.says('😀'.repeat(300)) });
    for (const [reply, data] of [
      [1, 'x'.repeat(195)],
      [2, '😀'.repeat(200)],
    ]) {
      anns.sends({ type: 'chat', data: 'long', reply, cid: `r${reply}` });
      expect(await anns.sees({ cid: `r${reply}` })).toMatchObject({ reply: { data } });
    }
  });

  it('is refused when there is no such message, or it is deleted', async () => {
    const { ann, anns } = await startRoom();
    for (let n = 1; n <= 2; n++) await anns.sees({ type: 'chat', cid: anns.says(`m${n}`) });
    anns.sends({ type: 'delete', target: 1 });
    await anns.sees({ type: 'delete', id: 3 });
    for (const [reply, status, code] of [
      [1, 410, 'deleted'],
      [3, 404, 'no_message'], // the number of a change
      [4, 404, 'no_message'], // its own number
      [99, 404, 'no_message'],
      [0, 422, 'bad_target'],
      [1.5, 422, 'bad_target'],
      ['2', 422, 'bad_target'],
      [null, 422, 'bad_target'],
    ] as const) {
      const answer = await ann.post('/api/rooms/lobby/messages', { data: 'x', reply });
      expect([reply, answer.status, await answer.json()]).toMatchObject([reply, status, { error: { code } }]);
      const cid = `c${String(reply)}`.replace('.', '_');
      anns.sends({ type: 'chat', data: 'x', reply, cid });
      expect(await anns.sees({ type: 'error', cid })).toMatchObject({ data: { code } });
      anns.sends({ type: 'unreact', target: 2, data: '🎉' }); // a valid command: three protocol errors in a row close
    }
    const elsewhere = await ann.post('/api/rooms/garden/messages', { data: 'x', reply: 2 });
    expect(elsewhere.status).toBe(404);
  });

  it('is a part of what a repeated cid is compared with', async () => {
    const { ann, anns } = await startRoom();
    for (let n = 1; n <= 2; n++) await anns.sees({ type: 'chat', cid: anns.says(`m${n}`) });
    const post = async (reply: number | undefined): Promise<number> =>
      (await ann.post('/api/rooms/lobby/messages', { data: 'yes', cid: 'one', reply })).status;
    expect([await post(1), await post(1), await post(2), await post(undefined)]).toEqual([
      201, 200, 409, 409,
    ]);
    anns.sends({ type: 'chat', data: 'yes', reply: 1, cid: 'one' });
    expect(await anns.sees({ type: 'ack', cid: 'one' })).toMatchObject({ id: 3 });
    anns.sends({ type: 'delete', target: 3 });
    await anns.sees({ type: 'delete', target: 3 });
    expect([await post(1), await post(2)]).toEqual([200, 200]); // what is deleted conflicts with nothing
  });

  it('mentions the one who is replied to, until it is deleted, and nobody by replying to oneself', async () => {
    const { chat, ann, bob, anns, bobs } = await startRoom();
    await anns.sees({ type: 'chat', cid: anns.says('question') });
    bobs.sends({ type: 'chat', data: 'answer to @Ann', reply: 1, cid: 'r' });
    await anns.sees({ cid: 'r' });
    anns.sends({ type: 'chat', data: 'and more', reply: 1, cid: 'own' });
    await anns.sees({ cid: 'own' });
    expect([await mentionsOf(ann), await mentionsOf(bob)]).toEqual([[2], []]);
    bobs.sends({ type: 'edit', target: 2, data: 'answer', cid: 'e' });
    await anns.sees({ cid: 'e' });
    expect(await mentionsOf(ann)).toEqual([2]);
    expect(verify(databaseFile(chat.dataDir), () => {}).finding).toBeUndefined();
    bobs.sends({ type: 'delete', target: 2, cid: 'd' });
    await anns.sees({ cid: 'd' });
    expect(await mentionsOf(ann)).toEqual([]);
    expect((await pageOf(ann)).messages[1]).toEqual({
      ...{ id: 2, type: 'chat', user: bob.user, data: '', cid: 'r', deleted: 5 },
      at: expect.any(Number),
    });
    expect(verify(databaseFile(chat.dataDir), () => {}).finding).toBeUndefined();
  });
});
