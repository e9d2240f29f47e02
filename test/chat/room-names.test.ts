/** Rooms whose names only older versions allowed: they stay readable, and no new ones are created. */

import { expect, it } from 'vitest';
import { databaseFile } from '../../src/store/database.js';
import Database from '../../src/store/sqlite.js';
import { oneport } from '../cli/commands.js';
import { startChat } from '../harness.js';

const HALF_WIDTH = 'lobby';
const FULL_WIDTH = 'ｌｏｂｂｙ';
const INVISIBLE = 'lobby\u3164';

/** A database with one message in each of two rooms whose names are not allowed any more. */
async function withOlderRooms() {
  const chat = await startChat();
  const ann = await chat.signIn('Ann');
  for (const room of ['first', 'second']) await ann.post(`/api/rooms/${room}/messages`, { data: room });
  await chat.stop();
  const db = new Database(databaseFile(chat.dataDir));
  const rename = db.prepare('UPDATE rooms SET name = ? WHERE name = ?');
  rename.run(FULL_WIDTH, 'first');
  rename.run(INVISIBLE, 'second');
  db.close();
  return { dataDir: chat.dataDir, cookie: ann.cookie };
}

it('are read and written under their old names, over HTTP, sockets and export', {
  timeout: 60_000,
}, async () => {
  const { dataDir, cookie } = await withOlderRooms();
  const chat = await startChat({ dataDir });
  const ann = chat.visitor(cookie);
  for (const [room, data] of [
    [FULL_WIDTH, 'first'],
    [INVISIBLE, 'second'],
  ] as const) {
    const path = `/api/rooms/${encodeURIComponent(room)}/messages`;
    expect(await (await ann.get(path)).json()).toMatchObject({ last: 1, messages: [{ data }] });
    const socket = await ann.enters(room, { query: '?after=0' });
    await socket.sees({ type: 'hello', room });
    await socket.sees({ type: 'chat', data, id: 1 });
    await socket.sees({ type: 'chat', id: 2, cid: socket.says('more') });
    expect((await ann.get(`/r/${encodeURIComponent(room)}`)).status).toBe(200);
    expect((await ann.put(`/api/rooms/${encodeURIComponent(room)}/read`, { id: 2 })).status).toBe(204);
    const { code, out } = await oneport(['export', room], dataDir);
    expect([code, out.trim().split('\n').length]).toEqual([0, 2]);
  }
  const rooms = (await (await ann.get('/api/rooms')).json()) as { room: string }[];
  expect(rooms.map(({ room }) => room).sort()).toEqual([FULL_WIDTH, INVISIBLE].sort());
});

it('are the same room in any width when there is no older one', async () => {
  const chat = await startChat();
  const ann = await chat.signIn('Ann');
  const socket = await ann.enters(FULL_WIDTH);
  await socket.sees({ type: 'hello', room: HALF_WIDTH });
  expect(await (await ann.enters(INVISIBLE)).closed).toBe(4000);
  expect((await ann.post(`/api/rooms/${encodeURIComponent(INVISIBLE)}/messages`, { data: 'x' })).status).toBe(
    404,
  );
});
