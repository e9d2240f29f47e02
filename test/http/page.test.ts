/** What a room's page is delivered with. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { translations as chinese } from '../../src/shared/i18n/zh-CN.js';
import type { Snapshot } from '../../src/shared/protocol.js';
import { startChat, type Visitor } from '../harness.js';

const ELEMENT = /<script type="application\/json" id="snapshot">(.*?)<\/script/gs;

/** The one snapshot of the page. */
async function snapshotOf(visitor: Visitor, room: string): Promise<Snapshot> {
  const html = await (await visitor.get(`/r/${encodeURIComponent(room)}`)).text();
  const found = [...html.matchAll(ELEMENT)].map(([, json]) => json);
  expect(found).toHaveLength(1);
  return JSON.parse(found[0] ?? '') as Snapshot;
}
const json = async (visitor: Visitor, path: string) => (await visitor.get(path)).json();
const says = (visitor: Visitor, room: string, data: string) =>
  visitor.post(`/api/rooms/${room}/messages`, { data });
const spread = ({ page }: Snapshot) => [page.messages[0]?.id, page.messages.at(-1)?.id, page.last];

test('the snapshot has the user, the end of the room and the rooms, as the API returns them', async () => {
  const chat = await startChat();
  const ann = await chat.signIn('Ann');
  for (let n = 1; n <= 60; n++) await says(ann, 'lobby', `text ${n}`);
  await says(ann, 'kitchen', 'hi');
  const snapshot = await snapshotOf(ann, 'lobby');
  expect(snapshot).toEqual({
    user: ann.user,
    room: 'lobby',
    page: await json(ann, '/api/rooms/lobby/messages'),
    rooms: await json(ann, '/api/rooms'),
  });
  expect([...spread(snapshot), snapshot.rooms.length]).toEqual([11, 60, 60, 2]);
});

test('another spelling of a room redirects to its one address', async () => {
  const chat = await startChat();
  const ann = await chat.signIn('Ann');
  for (const path of ['/r/Lobby', '/r/lobby/', '/R/lobby', '/r/%EF%BD%8Cobby']) {
    const answer = await ann.get(`${path}?a=b`);
    expect([path, answer.status, answer.headers.get('location')]).toEqual([path, 302, '/r/lobby?a=b']);
  }
  expect((await ann.get('/r/%E5%8E%A8%E6%88%BF')).status).toBe(200);
  expect((await ann.get('/r/lob%E3%85%A4by')).status).toBe(404);
});

test('the snapshot of a room without messages is empty', async () => {
  const chat = await startChat();
  const ann = await chat.signIn('Ann');
  const { room, page, rooms } = await snapshotOf(ann, '厨房');
  expect([room, page.last, page.complete, page.messages, rooms]).toEqual(['厨房', 0, true, [], []]);
});

test('the snapshot is around the read mark when more is unread than fits on a screen', async () => {
  const chat = await startChat();
  const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
  for (let n = 1; n <= 160; n++) await says(bob, 'lobby', `text ${n}`);
  const at = async (id: number) => {
    await ann.put('/api/rooms/lobby/read', { id });
    return spread(await snapshotOf(ann, 'lobby'));
  };
  expect(spread(await snapshotOf(ann, 'lobby'))).toEqual([111, 160, 160]); // never been here
  expect(await at(80)).toEqual([31, 130, 160]);
  expect(await at(119)).toEqual([61, 160, 160]);
  expect(await at(120)).toEqual([111, 160, 160]);
});

test('the snapshot has at most 64 KB of messages, around the place where the room opens', async () => {
  const chat = await startChat();
  const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
  for (let n = 1; n <= 60; n++) await says(bob, 'lobby', `${n} ${'长'.repeat(3990)}`);
  const bytes = async () => (await (await ann.get('/r/lobby')).text()).length;
  const atEnd = await snapshotOf(ann, 'lobby');
  expect([spread(atEnd), (await bytes()) < 70_000]).toEqual([[56, 60, 60], true]);
  await ann.put('/api/rooms/lobby/read', { id: 10 });
  expect(spread(await snapshotOf(ann, 'lobby'))).toEqual([9, 13, 60]);
});

test('the snapshot escapes </script> in messages and names', async () => {
  const chat = await startChat();
  const ann = await chat.signIn('</script><b>');
  const texts = [
    '</script><script>alert(1)</script>',
    '<!-- <script>',
    ']]> \u2028 $& $1 \\u003c',
    '<b>é厨</b>',
  ];
  for (const text of texts) await says(ann, 'lobby', text);
  const { user, page } = await snapshotOf(ann, 'lobby');
  expect(user.name).toBe('</script><b>');
  expect(page.messages.map((event) => 'data' in event && event.data)).toEqual(texts);
});

test('the snapshot has no deleted text and is not cached', async () => {
  const chat = await startChat();
  const ann = await chat.signIn('Ann');
  await says(ann, 'lobby', 'harmless');
  await says(ann, 'lobby', 'a slip of the tongue');
  await ann.post('/api/rooms/lobby/messages', { type: 'delete', target: 2 });
  const answer = await ann.get('/r/lobby');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const html = await answer.text();
  expect([html.includes('harmless'), html.includes('slip')]).toEqual([true, false]);
});

test('a visitor without a session gets no data', async () => {
  const chat = await startChat();
  await says(await chat.signIn('Ann'), 'lobby', 'among us');
  const answer = await chat.visitor().get('/r/lobby');
  expect([answer.status, answer.headers.get('location')]).toEqual([302, '/signin?next=%2Fr%2Flobby']);
  expect(await answer.text()).not.toContain('among us');
});

test('the page is in the visitor’s language and preloads its translations', async () => {
  const chat = await startChat();
  const { cookie } = await chat.signIn('Ann');
  const inLanguage = async (headers: Record<string, string>) => {
    const html = await (await fetch(`${chat.origin}/r/lobby`, { headers })).text();
    return [/<html lang="([^"]+)"/.exec(html)?.[1], /modulepreload" href="\/js\/zh-CN-\w+\.js"/.test(html)];
  };
  expect(await inLanguage({ cookie, 'accept-language': 'zh-Hans,en;q=0.5' })).toEqual(['zh-CN', true]);
  expect(await inLanguage({ cookie, 'accept-language': 'fr,en;q=0.5' })).toEqual(['en', false]);
  expect(await inLanguage({ cookie: `${cookie}; lang=zh-CN`, 'accept-language': 'en' })).toEqual([
    'zh-CN',
    true,
  ]);
});

test('a message that looks like a placeholder of a template stays text', async () => {
  const chat = await startChat();
  const ann = await chat.signIn('Ann {{title}}');
  await says(ann, 'lobby', '{{title}} <html lang="en"> data-user="x"');
  const { user, page } = await snapshotOf(ann, 'lobby');
  expect([user.name, page.messages.map((event) => 'data' in event && event.data)]).toEqual([
    'Ann {{title}}',
    ['{{title}} <html lang="en"> data-user="x"'],
  ]);
});

test('the script has at most 68 KB, compressed, in three files', async () => {
  const read = (path: string) => readFileSync(new URL(`../../public${path}`, import.meta.url));
  const files = JSON.parse(read('/js/files.json').toString()) as { '/js/chat.js': string; first: string[] };
  const loaded = [files['/js/chat.js'], ...files.first];
  const bytes = loaded.map((path) => gzipSync(read(path)).length).reduce((sum, one) => sum + one, 0);
  expect([loaded.length, bytes <= 68 * 1024]).toEqual([3, true]);
});

test('the form and the page have every text in the chosen language', async () => {
  const chat = await startChat();
  const ann = await chat.signIn('Ann');
  const htmlOf = async (path: string) => {
    const headers = { cookie: `${ann.cookie}; lang=zh-CN` };
    return (await fetch(`${chat.origin}${path}`, { headers })).text();
  };
  const { signIn } = chinese;
  const [form, page] = [await htmlOf('/signin'), await htmlOf('/r/lobby')];
  for (const text of [signIn.lead, signIn.readers, signIn.enter]) expect(form).toContain(text);
  expect(page).toContain(signIn.noScript);
  for (const html of [form, page]) expect(html).not.toMatch(/\{\{\w/);
});
