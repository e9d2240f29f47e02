/** Files of public/, asked for again. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { startChat } from '../harness.js';

const ASKED_AGAIN = ['/version.json', '/sw.js', '/icon.svg', '/icon-192.png'];

describe('a file that is revalidated', () => {
  it.each(ASKED_AGAIN)('is answered 304 without a body until it changes: %s', async (path) => {
    const { origin } = await startChat();
    const get = (headers: Record<string, string> = {}, method = 'GET') =>
      fetch(origin + path, { method, headers, cache: 'no-store' });
    const first = await get();
    const [modified, tag] = [first.headers.get('last-modified') ?? '', first.headers.get('etag') ?? ''];
    expect([first.status, first.headers.get('cache-control'), tag]).toEqual([
      200,
      'no-cache',
      expect.stringMatching(/^"[\w-]{16}"$/),
    ]);
    expect(Buffer.from(await first.arrayBuffer())).toEqual(readFileSync(`public${path}`));
    for (const asked of [
      { 'if-modified-since': modified },
      { 'if-none-match': tag },
      { 'if-none-match': `W/${tag}`, 'if-modified-since': modified }, // as nginx hands it on when it compresses
    ]) {
      const again = await get({ 'cache-control': 'max-age=0', ...asked });
      expect([again.status, await again.text()]).toEqual([304, '']);
      expect(again.headers.get('etag')).toBe(tag);
      expect(again.headers.get('cache-control')).toBe('no-cache');
      expect((await get({ 'cache-control': 'max-age=0', ...asked }, 'HEAD')).status).toBe(304);
    }
    const later = new Date(Date.parse(modified) + 5000).toUTCString();
    for (const asked of [
      { 'if-modified-since': new Date(0).toUTCString() },
      { 'if-none-match': '"another"', 'if-modified-since': later }, // what a newer version had
    ])
      expect((await get({ 'cache-control': 'max-age=0', ...asked })).status).toBe(200);
  });

  it('is served for GET and HEAD only', async () => {
    const { origin } = await startChat();
    const headers = { 'if-none-match': '*', 'if-modified-since': new Date().toUTCString() };
    expect((await fetch(`${origin}/nowhere.js`, { headers })).status).toBe(404);
    expect((await fetch(`${origin}/sw.js`, { method: 'DELETE', headers })).status).toBe(405);
  });
});

describe('a file of the page', () => {
  const script = readdirSync('public/js').find((name) => /^chunk-.*\.js\.br$/.test(name)) ?? 'none';
  const path = `/js/${script.replace(/\.br$/, '')}`;

  it.each([
    ['gzip, deflate, br', 'br'],
    ['gzip', 'gzip'],
    ['identity', null],
    ['br;q=0', null],
  ])('is compressed as the client accepts: %s', async (takes, encoding) => {
    const { origin } = await startChat();
    const answer = await fetch(origin + path, { headers: { 'accept-encoding': takes } });
    const { headers } = answer;
    expect([answer.status, headers.get('content-encoding'), headers.get('vary')]).toEqual([
      200,
      encoding,
      'Accept-Encoding',
    ]);
    expect([headers.get('content-type'), headers.get('cache-control')]).toEqual([
      'text/javascript; charset=utf-8',
      'public, max-age=31536000, immutable',
    ]);
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(readFileSync(`public${path}`));
  });

  it('has no URL of its own when compressed', async () => {
    const { origin } = await startChat();
    for (const packed of ['br', 'gz']) expect((await fetch(`${origin}${path}.${packed}`)).status).toBe(404);
  });
});

it('answers a method that it does not know with 501, as JSON', async () => {
  const { origin } = await startChat();
  const answer = await fetch(`${origin}/r/lobby`, { method: 'PROPFIND' });
  expect([answer.status, await answer.json()]).toMatchObject([501, { error: { code: 'unknown_method' } }]);
});
