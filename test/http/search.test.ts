import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SearchPage } from '../../src/shared/protocol.js';
import { searchFile } from '../../src/store/search-index.js';
import Database from '../../src/store/sqlite.js';
import { type Chat, startChat, type Visitor } from '../harness.js';

function search(visitor: Visitor, query: Record<string, string | number>): Promise<SearchPage> {
  const asked = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  return visitor.search(asked.toString());
}

/** What a search finds, as "room number". */
async function finds(
  visitor: Visitor,
  q: string,
  rest: Record<string, string | number> = {},
): Promise<string[]> {
  const { messages } = await search(visitor, { q, ...rest });
  return messages.map(({ room, id }) => `${room} ${id}`);
}

async function say(visitor: Visitor, room: string, ...texts: string[]): Promise<void> {
  for (const data of texts)
    expect((await visitor.post(`/api/rooms/${room}/messages`, { data })).status).toBe(201);
}

function refusedOnly(response: Response): Response {
  if (response.status !== 503) throw new Error(String(response.status));
  return response;
}

async function startTalk(): Promise<{ chat: Chat; ann: Visitor; lee: Visitor }> {
  const chat = await startChat();
  const [ann, lee] = [await chat.signIn('Ann'), await chat.signIn('Ann Lee')];
  return { chat, ann, lee };
}

describe('a search', () => {
  it('finds words, all of them, in any case and with or without accents, newest first', async () => {
    const { ann } = await startTalk();
    await say(ann, 'lobby', 'The café opens at nine', 'the CAFE is closed', 'tea, please', 'Nine cafés');
    expect(await finds(ann, '"cafe"')).toEqual(['lobby 2', 'lobby 1']);
    expect(await finds(ann, 'cafe')).toEqual(['lobby 4', 'lobby 2', 'lobby 1']);
    expect(await finds(ann, 'Café nine')).toEqual(['lobby 1']);
    expect(await finds(ann, 'at nine')).toEqual(['lobby 1']);
    expect(await finds(ann, '"nine at"')).toEqual([]);
    expect(await finds(ann, '"at nine"')).toEqual(['lobby 1']);
    expect(await finds(ann, 'ca')).toEqual(['lobby 4', 'lobby 2', 'lobby 1']);
    expect(await finds(ann, 'ca nine')).toEqual([]);
    expect(await finds(ann, 'nine -cafe')).toEqual(['lobby 4']);
    expect(await finds(ann, 'tea-please!')).toEqual(['lobby 3']);
  });

  it('finds any run of characters where no spaces are written, and pictures', async () => {
    const { ann } = await startTalk();
    await say(
      ann,
      'lobby',
      '我家在上海东边',
      '海上有船',
      'iPhone手机很好',
      'ラーメンを食べる',
      '안녕하세요',
      'ﾗｰﾒﾝ 🎉🎉',
    );
    expect(await finds(ann, '上海')).toEqual(['lobby 1']);
    expect(await finds(ann, '海')).toEqual(['lobby 2', 'lobby 1']);
    expect(await finds(ann, '我家在上海东边')).toEqual(['lobby 1']);
    expect(await finds(ann, 'phone手')).toEqual([]);
    expect(await finds(ann, 'IPHONE手机')).toEqual(['lobby 3']);
    expect(await finds(ann, 'ーメ')).toEqual(['lobby 6', 'lobby 4']);
    expect(await finds(ann, '녕하')).toEqual(['lobby 5']);
    expect(await finds(ann, '🎉')).toEqual(['lobby 6']);
  });

  it('knows from: and in:', async () => {
    const { ann, lee } = await startTalk();
    await say(ann, 'lobby', 'hello');
    await say(lee, 'lobby', 'hello');
    await say(lee, 'garden', 'hello', 'goodbye');
    expect(await finds(ann, 'hello from:ann')).toEqual(['lobby 1']);
    expect(await finds(ann, 'from:"ann lee" hello')).toEqual(['garden 1', 'lobby 2']);
    expect(await finds(ann, 'from:@ann hello in:#lobby')).toEqual(['lobby 1']);
    expect(await finds(ann, 'in:Garden')).toEqual(['garden 2', 'garden 1']);
    expect(await finds(ann, 'after:2020-01-01 in:garden goodbye')).toEqual(['garden 2']);
    expect(await finds(ann, 'before:2020-01-01')).toEqual([]);
    expect(await finds(ann, 'in:lobby from:"Ann Lee"')).toEqual(['lobby 2']);
    expect(await finds(ann, 'hello from:ann from:"Ann Lee" in:garden in:lobby')).toHaveLength(3);
    expect(await finds(ann, 'hello', { room: 'garden' })).toEqual(['garden 1']);
    expect(await finds(ann, 'hello from:nobody')).toEqual([]);
    expect(await finds(ann, 'hello in:nowhere')).toEqual([]);
    expect(await finds(ann, 'hello', { room: 'nowhere' })).toEqual([]);
  });

  it.each([
    ['Łukasz K', 'from:"lukasz k"'],
    ['José', 'from:jose'],
    ['Søren Å', 'from:“soren a”'],
    ['O’Brien', 'from:obrien'],
    ['小明', 'from:小明'],
    ['✨', 'from:✨'],
  ])('of the messages of %s knows %s', async (name, query) => {
    const chat = await startChat();
    const author = await chat.signIn(name);
    await say(author, 'lobby', 'hello');
    await say(await chat.signIn('Somebody Else'), 'lobby', 'hello');
    expect(await finds(author, `hello ${query}`)).toEqual(['lobby 1']);
    expect(await finds(author, `hello -${query}`)).toEqual(['lobby 2']);
  });

  it('finds messages as they are now', async () => {
    const { ann } = await startTalk();
    await say(ann, 'lobby', 'apple', 'banana', 'cherry');
    const change = (body: object) => ann.post('/api/rooms/lobby/messages', body);
    expect(await finds(ann, 'banana')).toEqual(['lobby 2']);
    await change({ type: 'edit', target: 2, data: 'blueberry' });
    await change({ type: 'edit', target: 2, data: 'apple pie' });
    expect(await finds(ann, 'banana')).toEqual([]);
    expect(await finds(ann, 'blueberry')).toEqual([]);
    expect(await finds(ann, 'apple')).toEqual(['lobby 2', 'lobby 1']);
    await change({ type: 'delete', target: 1 });
    await change({ type: 'delete', target: 2 });
    expect(await finds(ann, 'apple')).toEqual([]);
    await say(ann, 'lobby', 'damson');
    await change({ type: 'react', target: 8, data: '👍' });
    expect((await search(ann, { q: 'damson' })).messages).toMatchObject([
      { room: 'lobby', id: 8, data: 'damson', reactions: [{ data: '👍' }] },
    ]);
  });

  it('comes in pages, by room or through all', async () => {
    const { ann } = await startTalk();
    for (let n = 0; n < 11; n++) await say(ann, n % 2 === 0 ? 'even' : 'odd', `word ${n}`);
    for (const [rest, all] of [
      [{}, 11],
      [{ room: 'even' }, 6],
    ] as const) {
      const seen: string[] = [];
      for (let before: number | undefined, pages = 0; pages < 10; pages++) {
        const page = await search(ann, {
          q: 'word',
          limit: 2,
          ...rest,
          ...(before === undefined ? {} : { before }),
        });
        seen.push(...page.messages.map(({ data }) => data));
        before = page.next;
        if (before === undefined) break;
      }
      expect(new Set(seen).size).toBe(all);
      expect(seen).toHaveLength(all);
    }
    expect(await finds(ann, 'word', { room: 'even', before: 3 })).toEqual(['even 2', 'even 1']);
  });

  it('is a text and nothing else, whatever is in it', { timeout: 60_000 }, async () => {
    const { chat, ann } = await startTalk();
    await say(ann, 'lobby', 'nothing else');
    for (const q of [
      '" OR *',
      '"',
      'a" OR "b',
      'NEAR(a b)',
      '* *',
      'text:x',
      '^a',
      '-a',
      '{text}: a',
      "'; DROP",
      '\0',
      '()',
    ])
      expect(await finds(ann, q)).toEqual([]);
    expect(await finds(ann, '"nothing else')).toEqual(['lobby 1']);
    expect(await finds(ann, '')).toEqual([]);
    expect(await finds(ann, 'from: in:')).toEqual([]);
    for (const query of [
      'q=x&before=junk',
      'q=x&limit=101',
      `q=${'x'.repeat(10_000)}`,
      'q=x&q=y',
      'q=x&before=9007199254740992',
    ])
      expect([query.slice(0, 30), (await ann.get(`/api/search?${query}`)).status]).toEqual([
        query.slice(0, 30),
        400,
      ]);
    expect((await ann.get('/api/search?q=x&room=no%20room')).status).toBe(404);
    expect((await chat.visitor().get('/api/search?q=x')).status).toBe(401);
    const parts = [
      '"',
      ' ',
      'OR',
      '*',
      '(',
      ')',
      ':',
      'from:',
      'in:',
      '海',
      'a',
      '\0',
      '^',
      '-',
      'ﬃ',
      '\u202e',
      '👩‍👧',
      'İ',
      '\u0301',
    ];
    const anything = fc.array(fc.constantFrom(...parts), { maxLength: 30 }).map((some) => some.join(''));
    const status = async (q: string): Promise<number> =>
      (await ann.get(`/api/search?q=${encodeURIComponent(q.toWellFormed())}`)).status;
    await fc.assert(
      fc.asyncProperty(anything, async (q) => {
        expect(await status(q)).toBe(200);
      }),
      { numRuns: 60 },
    );
  });

  it('refuses more searches at once than it can answer in time', async () => {
    const { chat, ann } = await startTalk();
    await say(ann, 'lobby', 'hello');
    expect(await finds(ann, 'hello')).toEqual(['lobby 1']);
    const lock = new Database(searchFile(chat.dataDir));
    lock.exec('BEGIN IMMEDIATE'); // the index cannot follow, so searches wait for it
    await say(ann, 'lobby', 'hello again');
    const answers = Array.from({ length: 200 }, () => ann.get('/api/search?q=hello'));
    const refused = await Promise.any(answers.map(async (answer) => refusedOnly(await answer)));
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject({ error: { code: 'full' } });
    lock.close();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 503]));
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(64);
    expect(await finds(ann, 'hello')).toEqual(['lobby 2', 'lobby 1']);
  });

  it('is not for who searches without end', async () => {
    const chat = await startChat({ env: { MESSAGE_RATE: '5' }, now: () => 1_800_000_000_000 });
    const ann = await chat.signIn('Ann');
    const answers = await Promise.all(Array.from({ length: 20 }, () => ann.get('/api/search?q=x')));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(15);
    expect(refused[0]?.headers.get('retry-after')).toBe('1');
    expect(await (await chat.signIn('Bob')).get('/api/search?q=x')).toMatchObject({ status: 200 });
  });
});
