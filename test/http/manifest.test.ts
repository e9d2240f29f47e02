/** The web manifest speaks the visitor's language, and is asked for again only while it is another. */
import { expect, it } from 'vitest';
import { type Env, startChat } from '../harness.js';

it('is in the chosen language, else in the browser’s', async () => {
  const { origin } = await startChat();
  const ask = (headers: Env) => fetch(`${origin}/manifest.webmanifest`, { headers });
  const read = async (headers: Env) => (await ask(headers)).json() as Promise<Record<string, unknown>>;
  const english = await read({ 'accept-language': 'en' });
  expect(english).toMatchObject({ name: 'Oneport', lang: 'en', id: '/', shortcuts: [{ name: 'Lobby' }] });
  const chinese = { lang: 'zh-CN', id: '/', shortcuts: [{ name: '大厅', url: '/r/lobby' }] };
  expect(await read({ 'accept-language': 'zh-Hans' })).toMatchObject(chinese);
  expect(await read({ 'accept-language': 'en', cookie: 'lang=zh-CN' })).toMatchObject(chinese);
  expect(JSON.stringify([english, await read({ cookie: 'lang=zh-CN' })])).not.toContain('{{');
});

it('is cached by language', async () => {
  const { origin } = await startChat();
  const ask = (headers: Env) => fetch(`${origin}/manifest.webmanifest`, { headers });
  const answer = await ask({ 'accept-language': 'en' });
  const { headers } = answer;
  expect(headers.get('content-type')).toMatch(/^application\/manifest\+json/);
  expect(headers.get('cache-control')).toBe('no-cache');
  expect(headers.get('vary')).toBe('Accept-Language, Cookie');
  const etag = headers.get('etag') ?? '';
  const again = { 'if-none-match': etag, 'cache-control': 'max-age=0' };
  expect((await ask({ ...again, 'accept-language': 'en' })).status).toBe(304);
  expect((await ask({ ...again, 'accept-language': 'zh' })).status).toBe(200);
});
