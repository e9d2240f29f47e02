/** SITE_NAME and DEFAULT_ROOM in what the server sends. test/page/base-path.test.ts sees them in a browser. */
import { describe, expect, it } from 'vitest';
import { startChat } from '../harness.js';

const env = { SITE_NAME: 'Tea & {{title}} <b>', DEFAULT_ROOM: 'Küche' };
const escaped = 'Tea &#38; &#123;&#123;title&#125;&#125; &#60;b&#62;';
const browser = { accept: 'text/html' };

describe('SITE_NAME', () => {
  it.each(['en', 'zh-CN'])('is in the titles of all pages in %s', async (language) => {
    const chat = await startChat({ env });
    const ann = await chat.signIn('Ann');
    const headers = { ...browser, cookie: `${ann.cookie}; lang=${language}` };
    const ask = async (path: string) => (await fetch(chat.origin + path, { headers })).text();
    const link = (await (await ann.post('/api/me/link', {})).json()) as { url: string };
    for (const path of ['/signin', '/r/lobby', '/nothing', new URL(link.url).pathname]) {
      const html = await ask(path);
      expect(html, path).toMatch(new RegExp(`<title>([^<]* · )?${escaped}</title>`));
      expect(html, path).toContain(`<html lang="${language}"`);
      expect(html, path).not.toContain('Oneport');
    }
    expect(await ask('/signin')).toContain(`<h1>${escaped}</h1>`);
  });

  it('is the name of the installed page', async () => {
    const chat = await startChat({ env });
    const manifest = await (await chat.visitor().get('/manifest.webmanifest')).json();
    expect(manifest).toMatchObject({ name: env.SITE_NAME, short_name: env.SITE_NAME });
  });
});

describe('DEFAULT_ROOM', () => {
  it('is where / leads, and where the shortcut of the installed page leads', async () => {
    const chat = await startChat({ env });
    const ann = await chat.signIn('Ann');
    expect((await ann.get('/')).headers.get('location')).toBe('/r/k%C3%BCche');
    const signin = await chat.visitor().get('/');
    expect(signin.headers.get('location')).toBe('/signin?next=%2Fr%2Fk%25C3%25BCche');
    expect(await (await ann.get('/r/kitchen')).text()).toContain('data-room="küche"');
    const manifest = await (await ann.get('/manifest.webmanifest')).json();
    expect(manifest).toMatchObject({ shortcuts: [{ name: 'küche', url: '/r/k%C3%BCche' }] });
  });
});
