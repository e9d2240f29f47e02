/** BASE_PATH through real sockets. nginx.test.ts has it behind a proxy, page/base-path.test.ts in a browser. */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Door, startChat, temporaryFolder, type Visitor } from '../harness.js';
import { spawnServer } from '../process.js';

async function start(): Promise<Door> {
  const { port } = await startChat({ env: { BASE_PATH: '/chat/' } });
  return new Door(port, '/chat');
}

/** The status and the Location of the answer. */
async function answerOf(visitor: Visitor, path: string): Promise<[number, string | null]> {
  const { status, headers } = await visitor.get(path);
  return [status, headers.get('location')];
}

describe('below BASE_PATH', () => {
  it('are page, API and sockets, and nowhere else', async () => {
    const door = await start();
    const ann = await door.signIn('Ann');
    for (const path of [
      '/r/lobby',
      '/api/rooms',
      '/signin',
      '/icon.svg',
      '/sw.js',
      '/manifest.webmanifest',
    ]) {
      expect([path, (await ann.get(`/chat${path}`)).status]).toEqual([path, 200]);
      expect([path, (await ann.get(path)).status]).toEqual([path, 404]);
    }
    expect((await door.post('/signin', { name: 'Bob' })).status).toBe(404);
    expect(await ann.knocks('/ws/lobby').closed).toBe(404);
    expect(await ann.knocks('/chatws/lobby').closed).toBe(404);
    const room = await ann.enters('lobby');
    room.says('hi');
    await room.sees({ type: 'chat', id: 1, data: 'hi' });
    expect((await ann.post('/chat/api/rooms/lobby/messages', { data: 'hi' })).status).toBe(201);
  });

  it('is where redirects, cookies and links lead', async () => {
    const door = await start();
    const guest = door.visitor();
    expect(await answerOf(guest, '/chat?a=b')).toEqual([302, '/chat/?a=b']);
    expect(await answerOf(guest, '/chat/')).toEqual([302, '/chat/signin?next=%2Fchat%2Fr%2Flobby']);
    expect(await answerOf(guest, '/chat/r/Kitchen')).toEqual([302, '/chat/r/kitchen']);
    const signedIn = await door.visitor().submits('/chat/signin', { name: 'Ann', next: '/chat/r/kitchen' });
    expect([signedIn.status, signedIn.headers.get('location')]).toEqual([303, '/chat/r/kitchen']);
    const cookies = signedIn.headers.getSetCookie();
    expect(cookies.filter((cookie) => /; path=\/chat\/;/.test(cookie))).toHaveLength(cookies.length);
    const language = await guest.get('/chat/signin?lang=zh-CN');
    expect(language.headers.getSetCookie().join()).toContain('path=/chat/');
    const bob = await door.signIn('Bob');
    const { url } = (await (await bob.post('/chat/api/me/link', {})).json()) as { url: string };
    expect(url).toMatch(new RegExp(`^${door.origin}/chat/link/`));
    const redeemed = await fetch(url, { method: 'POST', redirect: 'manual' });
    expect([redeemed.status, redeemed.headers.get('location')]).toEqual([303, '/chat/']);
    const signedOut = await fetch(`${door.origin}/chat/signout`, {
      method: 'POST',
      headers: { cookie: bob.cookie, accept: 'text/html' },
      redirect: 'manual',
    });
    expect(signedOut.headers.get('location')).toBe('/chat/signin');
  });

  it.each(['/other/', '/chat', '/chat/../other/', '//evil.example/chat/', 'https://evil.example/chat/'])(
    'a sign-in does not lead to %s',
    async (next) => {
      const signedIn = await (await start()).visitor().submits('/chat/signin', { name: 'Ann', next });
      expect(signedIn.headers.get('location')).toBe('/chat/');
    },
  );

  it('are all addresses that the pages and the manifest name', async () => {
    const door = await start();
    const ann = await door.signIn('Ann');
    const headers = { cookie: ann.cookie, accept: 'text/html' };
    const ask = async (path: string) => (await fetch(door.origin + path, { headers })).text();
    for (const path of ['/chat/signin', '/chat/r/lobby', '/chat/nothing', '/elsewhere']) {
      const addresses = [...(await ask(path)).matchAll(/ (?:href|src)="([^"]*)"/g)].map(([, url]) => url);
      expect(addresses.length, path).toBeGreaterThan(2);
      for (const address of addresses) expect(address, path).toMatch(/^\/chat\/([^/]|$)/);
    }
    const manifest = JSON.parse(await ask('/chat/manifest.webmanifest')) as {
      icons: { src: string }[];
      shortcuts: { url: string }[];
    };
    expect(manifest).toMatchObject({ id: '/chat/', start_url: '/chat/', scope: '/chat/' });
    expect(manifest.shortcuts[0]?.url).toBe('/chat/r/lobby');
    for (const { src } of manifest.icons) expect((await ann.get(src)).status).toBe(200);
  });

  it('and at the root are the probes and the metrics', async () => {
    const door = await start();
    for (const path of ['/healthz', '/readyz', '/metrics'])
      for (const base of ['', '/chat'])
        expect([base + path, (await door.visitor().get(base + path)).status]).toEqual([base + path, 200]);
  });
});

it('is part of the address that the server prints', async () => {
  const server = spawnServer({ env: { DATA_DIR: temporaryFolder(), BASE_PATH: '/chat/' } });
  const [line] = server.child.stdout ? await once(server.child.stdout, 'data') : [];
  expect(String(line)).toMatch(/running at http:\/\/127\.0\.0\.1:\d+\/chat\/\n$/);
});
