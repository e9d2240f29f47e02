/** Deleted text is gone: from every answer, and from the bytes of the files. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Chat, startChat } from '../harness.js';

/** Which of the data folder's files hold these bytes. @throws when SQLite removes one of them meanwhile */
function filesWith(folder: string, text: string): string[] {
  return readdirSync(folder).filter((name) => readFileSync(join(folder, name)).includes(text));
}

async function fill(chat: Chat): Promise<void> {
  const ann = await chat.signIn('Filler');
  const room = await ann.enters('lobby');
  for (let n = 0; n < 300; n++) room.says(`message ${n} ${'.'.repeat(n)}`);
  await room.seesAll({ type: 'chat' }, 300);
}

describe('a deleted text', () => {
  it('disappears from files, answers and replays', async () => {
    const chat = await startChat();
    await fill(chat);
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const room = await ann.enters('lobby', { query: '?history=0' });
    const [first, second, long] = ['xylophone', 'zeppelin', `quokka${'q'.repeat(3900)}`];
    room.says(`the ${first} plays`, 'c1');
    const { id } = await room.sees({ cid: 'c1' });
    room.sends({ type: 'edit', target: id, data: `the ${second} flies` });
    room.sends({ type: 'edit', target: id, data: long });
    await room.sees({ data: long });
    await expect.poll(() => filesWith(chat.dataDir, first)).not.toEqual([]);
    room.sends({ type: 'delete', target: id });
    await room.sees({ type: 'delete', target: id });
    const late = await bob.enters('lobby', { query: `?after=${Number(id) - 1}` });
    await late.sees({ type: 'list' });
    expect(late.numbered).toMatchObject([
      { id, type: 'chat', data: '' },
      { type: 'edit', data: '' },
      { type: 'edit', data: '' },
      { type: 'delete', target: id },
    ]);
    const page = await (await bob.get('/api/rooms/lobby/messages?limit=500')).text();
    for (const word of [first, second, 'quokka']) expect(page).not.toContain(word);
    const words = [first, second, 'quokka'];
    const files = () => words.flatMap((word) => filesWith(chat.dataDir, word));
    await expect.poll(files, { timeout: 45_000 }).toEqual([]);
  }, 60_000);
});
