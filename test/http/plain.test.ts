/** The room as plain HTML: its forms and links, as a browser without JavaScript uses them. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { hasChromium, openBrowser } from '../chromium.js';
import {
  type Chat,
  hasTool,
  startChat,
  stopClock,
  stopWallClock,
  temporaryFolder,
  type Visitor,
} from '../harness.js';

const plain = '/r/lobby/plain';

async function htmlOf(visitor: Visitor, query = ''): Promise<string> {
  return (await visitor.get(plain + query)).text();
}

/** The values of the hidden fields of a page, by name. */
function hiddenFields(html: string, name: string): string[] {
  return [...html.matchAll(new RegExp(`name="${name}" value="([^"]*)"`, 'g'))].map(([, value = '']) => value);
}

/** The numbers of the messages on a page, in its order. */
function idsOf(html: string): number[] {
  return [...html.matchAll(/<li id="m(\d+)">/g)].map(([, id]) => Number(id));
}

async function pageOf(chat: Chat): Promise<Record<string, unknown>[]> {
  const reader = await chat.signIn(`Reader ${Math.random().toString(36).slice(2)}`);
  return (await (await reader.get('/api/rooms/lobby/messages')).json()).messages;
}

describe('the plain page', () => {
  it('writes, replies, edits and deletes by forms that answer 303', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const [cid = ''] = hiddenFields(await htmlOf(ann), 'cid');
    const answer = await ann.submits(plain, { data: 'one\r\ntwo', cid });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, plain]);
    expect(await htmlOf(ann)).toContain('one<br>two');
    const edit = await htmlOf(ann, '?edit=1');
    expect(edit).toContain('one\ntwo</textarea>');
    const [saveCid = '', deleteCid = ''] = hiddenFields(edit, 'cid');
    expect((await ann.submits(plain, { target: '1', data: 'changed', cid: saveCid })).status).toBe(303);
    const [replyTo = ''] = hiddenFields(await htmlOf(ann, '?reply=1'), 'reply');
    expect((await ann.submits(plain, { data: 'an answer', reply: replyTo, cid: 'r1' })).status).toBe(303);
    expect((await ann.submits(plain, { target: '1', delete: '1', cid: deleteCid })).status).toBe(303);
    expect(await pageOf(chat)).toMatchObject([
      { id: 1, type: 'chat', data: '', deleted: 4, cid },
      { id: 2, type: 'edit', target: 1, cid: saveCid },
      { id: 3, type: 'chat', data: 'an answer', reply: { id: 1 } },
      { id: 4, type: 'delete', target: 1, cid: deleteCid },
    ]);
    expect(await htmlOf(ann)).toContain('Message deleted');
  });

  it('writes once when a form is sent twice, and keeps another text that is sent by the same form', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const form = { data: 'once', cid: 'c1' };
    const answers = await Promise.all([ann.submits(plain, form), ann.submits(plain, form)]);
    expect(answers.map(({ status }) => status)).toEqual([303, 303]);
    const conflict = await ann.submits(plain, { data: 'another', cid: 'c1' });
    expect(conflict.status).toBe(409);
    const html = await conflict.text();
    expect(html).toContain('another</textarea>');
    const [cid = ''] = hiddenFields(html, 'cid');
    expect((await ann.submits(plain, { data: 'another', cid })).status).toBe(303);
    expect((await pageOf(chat)).map(({ data }) => data)).toEqual(['once', 'another']);
  });

  it('shows texts, names and searches as text, has no script, and keeps the policy of the page', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('<img src=x>');
    const text =
      '</li><script>alert(1)</script> {{site}} "\' javascript:x https://a.example/?q="><b> https://b.example.';
    await ann.submits(plain, { data: text, cid: 'c1' });
    for (const query of ['', '?edit=1', '?reply=1', '?q=%22%3E%3Cscript%3E']) {
      const answer = await ann.get(plain + query);
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none';script-src 'self'");
      expect(answer.headers.get('cache-control')).toBe('no-store');
      const html = await answer.text();
      expect(html).not.toMatch(/<script|<img|<b>(?!<bdi>)|javascript:x"|\sstyle=|\son\w+=/);
    }
    const html = await htmlOf(ann);
    expect(html).toContain('&#60;script&#62;alert(1)');
    expect([...html.matchAll(/<a href="(http[^"]*)"/g)].map(([, url]) => url)).toEqual([
      'https://a.example/?q=',
      'https://b.example',
    ]);
  });

  it('deletes by a button without a value', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    await ann.submits(plain, { data: 'mine', cid: 'c1' });
    const answer = await ann.submits(plain, { target: '1', delete: '', cid: 'c2' });
    expect([answer.status, await pageOf(chat)]).toMatchObject([303, [{ deleted: 2 }, { type: 'delete' }]]);
  });

  it('refuses forms of other sites, and mistakes with the form again', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const evil = await ann.submits(plain, { data: 'x', cid: 'c1' }, { origin: 'http://evil.example' });
    expect(evil.status).toBe(403);
    await ann.submits(plain, { data: 'mine', cid: 'c2' });
    const cases: readonly (readonly [fields: Record<string, string>, status: number])[] = [
      [{ data: ' ', cid: 'a1' }, 422],
      [{ data: 'x'.repeat(4001), cid: 'a2' }, 422],
      [{ data: 'x', cid: 'not a cid' }, 422],
      [{ target: '1', data: 'not mine', cid: 'a3' }, 403],
      [{ target: '9', data: 'nothing', cid: 'a4' }, 404],
      [{ target: 'x', delete: '1', cid: 'a5' }, 422],
    ];
    for (const [fields, status] of cases) {
      const answer = await bob.submits(plain, fields);
      expect([fields, answer.status]).toEqual([fields, status]);
      expect(await answer.text()).toContain('role="alert"');
    }
    expect(await pageOf(chat)).toHaveLength(1);
  });

  it('keeps the text and the cid of a form that a stopping server refuses', async () => {
    const dataDir = temporaryFolder();
    const chat = await startChat({ dataDir });
    const ann = await chat.signIn('Ann');
    const mute = await ann.enters('lobby');
    mute.ws.pause(); // never answers our close: draining takes until it is cut
    stopWallClock();
    const closing = chat.server.close();
    const form = { data: 'hello', cid: 'c1' };
    const [refused, page] = await Promise.all([ann.submits(plain, form), ann.get(plain)]);
    mute.ws.terminate();
    await closing;
    const html = await refused.text();
    expect([page.status, refused.status, hiddenFields(html, 'cid')]).toEqual([200, 503, ['c1']]);
    expect(html).toMatch(/The server is restarting[\s\S]*hello<\/textarea>/);
    const again = await startChat({ dataDir });
    for (let times = 0; times < 2; times++)
      expect((await again.visitor(ann.cookie).submits(plain, form)).status).toBe(303);
    expect((await pageOf(again)).map(({ data }) => data)).toEqual(['hello']);
  });

  it('says that a message cannot be changed or answered, and keeps what was typed', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    await ann.submits(plain, { data: 'one', cid: 'c1' });
    await ann.submits(plain, { data: 'two', cid: 'c2' });
    await ann.submits(plain, { target: '2', delete: '1', cid: 'c3' });
    const links: readonly (readonly [Visitor, string, number, RegExp])[] = [
      [ann, '?edit=9', 404, /doesn’t exist/],
      [ann, '?reply=9', 404, /doesn’t exist/],
      [ann, '?edit=2', 410, /was deleted/],
      [ann, '?reply=2', 410, /was deleted/],
      [bob, '?edit=1', 403, /Only the author/],
      [ann, '?edit=3', 404, /doesn’t exist/], // the number of the deletion
    ];
    for (const [visitor, query, status, text] of links) {
      const answer = await visitor.get(plain + query);
      expect([query, answer.status]).toEqual([query, status]);
      expect(await answer.text()).toMatch(new RegExp(`role="alert">[^<]*${text.source}`));
    }
    for (const form of [{ target: '2' }, { reply: '2' }]) {
      const answer = await ann.submits(plain, { ...form, data: 'my words', cid: 'c4' });
      const html = await answer.text();
      expect([answer.status, hiddenFields(html, 'target'), hiddenFields(html, 'reply')]).toEqual([
        410,
        [],
        [],
      ]);
      expect(html).toContain('my words</textarea>');
    }
  });

  it('changes nothing by the form of a log that was replaced', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    await bob.submits(plain, { data: 'one', cid: 'c1' });
    await ann.submits(plain, { data: 'two', cid: 'c1' });
    for (const page of [await htmlOf(ann, '?edit=2'), await htmlOf(bob, '?reply=2'), await htmlOf(bob)])
      expect(new Set(hiddenFields(page, 'epoch'))).toEqual(new Set([chat.server.epoch]));
    const forms: readonly (readonly [Visitor, Record<string, string>])[] = [
      [ann, { target: '2', data: 'changed', cid: 'c2' }],
      [ann, { target: '2', delete: '1', cid: 'c3' }],
      [bob, { reply: '2', data: 'an answer', cid: 'c4' }],
      [bob, { read: '2' }],
    ];
    for (const [visitor, form] of forms)
      expect((await visitor.submits(plain, { ...form, epoch: 'another' })).status).toBe(404);
    expect(await pageOf(chat)).toMatchObject([{ data: 'one' }, { data: 'two' }]);
    expect(await htmlOf(bob)).toContain('1 unread message');
    for (const [visitor, form] of forms)
      expect((await visitor.submits(plain, { ...form, epoch: chat.server.epoch })).status).toBe(
        form['reply'] ? 410 : 303, // it was deleted by then
      );
  });

  it('counts towards the message limit', async () => {
    stopClock();
    const chat = await startChat({ env: { MESSAGE_RATE: '1', MESSAGE_BURST: '1' } });
    const ann = await chat.signIn('Ann');
    await ann.submits(plain, { data: 'one', cid: 'c1' });
    const answer = await ann.submits(plain, { data: 'two', cid: 'c2' });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await answer.text()).toContain('two</textarea>');
  });

  it('leads to the sign-in form and back, and to the room’s own address', async () => {
    const chat = await startChat();
    const signin = `/signin?next=${encodeURIComponent(plain)}`;
    const visitor = chat.visitor();
    const answer = await visitor.get(plain);
    expect([answer.status, answer.headers.get('location')]).toEqual([302, signin]);
    expect((await visitor.submits(plain, { data: 'x', cid: 'c1' })).status).toBe(303);
    const back = await visitor.submits('/signin', { name: 'Ann', next: plain }, { cookie: 'form=1' });
    expect([back.status, back.headers.get('location')]).toEqual([303, plain]);
    const ann = await chat.signIn('Bob');
    for (const path of ['/r/Lobby/plain', '/r/lobby/plain/']) {
      const moved = await ann.get(`${path}?at=1`);
      expect([moved.status, moved.headers.get('location')]).toEqual([302, `${plain}?at=1`]);
    }
    expect((await ann.get('/r/a%20b/plain')).status).toBe(404);
  });

  it('pages by number, the newest message first, and shows the messages around a number', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    for (let n = 1; n <= 120; n++) await ann.post('/api/rooms/lobby/messages', { data: `m${n}` });
    const newest = await htmlOf(ann);
    expect([idsOf(newest)[0], idsOf(newest).at(-1)]).toEqual([120, 71]);
    expect(newest).toContain('href="?before=71"');
    const older = await htmlOf(ann, '?before=71');
    expect([idsOf(older)[0], idsOf(older).at(-1)]).toEqual([70, 21]);
    expect(older).toContain('href="?after=70"');
    expect(idsOf(await htmlOf(ann, '?after=70'))).toHaveLength(50);
    expect(idsOf(await htmlOf(ann, '?at=40'))).toContain(40);
    expect((await ann.get(`${plain}?before=x`)).status).toBe(400);
    for (const after of [120, 999]) {
      const html = await htmlOf(ann, `?after=${after}`);
      expect(html).toMatch(/There are no messages here\.[\s\S]*<a href="\?">Newest messages/);
      expect(idsOf(html)).toEqual([]);
    }
  });

  it('reloads when it is told to, and then has no form that would be emptied', async () => {
    const ann = await (await startChat()).signIn('Ann');
    expect(await htmlOf(ann)).not.toContain('http-equiv');
    const html = await htmlOf(ann, '?refresh=30');
    expect(html).toContain('<meta http-equiv="refresh" content="30">');
    expect(html).not.toContain('<textarea');
    expect(await htmlOf(ann, '?refresh=1')).toContain('content="5"');
  });

  it('lists rooms with what is unread, opens others, marks as read, and searches', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    await bob.submits(plain, { data: 'first', cid: 'b1' });
    await ann.submits(plain, { data: 'a needle', cid: 'c1' });
    expect(await htmlOf(bob)).toContain('1 unread message');
    const [last = ''] = hiddenFields(await htmlOf(bob), 'read');
    expect((await bob.submits(plain, { read: last })).status).toBe(303);
    expect(await htmlOf(bob)).not.toContain('unread message');
    const moved = await bob.get(`${plain}?room=Hall`);
    expect([moved.status, moved.headers.get('location')]).toEqual([302, '/r/hall/plain']);
    expect((await bob.get(`${plain}?room=a+b`)).status).toBe(404);
    await expect.poll(() => htmlOf(bob, '?q=needle')).toContain(`href="${plain}?at=2#m2"`);
  });

  it('speaks the language that was chosen', async () => {
    const ann = await (await startChat()).signIn('Ann');
    const answer = await ann.get(`${plain}?lang=zh-CN`);
    expect(answer.headers.get('set-cookie')).toContain('lang=zh-CN');
    expect(await answer.text()).toMatch(/<html lang="zh-CN">[\s\S]*写消息/);
  });

  it('is linked from the page for browsers without JavaScript', async () => {
    const chat = await startChat();
    const html = await (await (await chat.signIn('Ann')).get('/r/hall')).text();
    expect(html).toMatch(/<noscript>[\s\S]*<a href="\/r\/hall\/plain">[\s\S]*<\/noscript>/);
  });
});

const queries = [
  '',
  '?edit=1',
  '?reply=1',
  '?q=one',
  '?refresh=30',
  '?before=3',
  '?after=1',
  '?room=a+b',
  '?lang=zh-CN',
];

describe.runIf(hasChromium)('a browser without JavaScript', () => {
  it('shows the way to the plain page, and writes there', { timeout: 60_000 }, async () => {
    const chat = await startChat();
    const browser = await openBrowser();
    const page = await browser.newPage({ javaScriptEnabled: false });
    await page.goto(`${chat.origin}/r/lobby`);
    await page.locator('input[name=name]').fill('Ann');
    await page.locator('form[method=post] button').first().click();
    const link = page.locator('noscript a');
    const box = await link.boundingBox();
    expect(box && box.y + box.height).toBeLessThan(page.viewportSize()?.height ?? 0);
    await link.click();
    await page.locator('textarea').fill('hello\n  world');
    await page.locator('main form button').click();
    expect(page.url()).toBe(chat.origin + plain);
    await page.locator('.messages').getByText('world').waitFor();
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('form').first().isVisible()).toBe(false);
  });
});

describe.runIf(hasTool('tidy'))('the HTML of the plain page', () => {
  it('is valid', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    for (const data of ['one', 'two & <three>', 'four'])
      await ann.post('/api/rooms/lobby/messages', { data, reply: data === 'four' ? 1 : undefined });
    await ann.post('/api/rooms/lobby/messages', { type: 'react', target: 1, data: '🎉' });
    for (const query of queries) {
      const { stdout, stderr } = spawnSync('tidy', ['-e', '-q'], {
        input: await htmlOf(ann, query),
        encoding: 'utf8',
      });
      // older versions do not know ARIA
      expect(`${query}${stdout}${stderr.replace(/^.*proprietary attribute "aria-current"\n/gm, '')}`).toBe(
        query,
      );
    }
  });
});

describe.each([
  ['lynx', ['-stdin', '-dump', '-display_charset=utf-8', '-assume_charset=utf-8']],
  ['w3m', ['-T', 'text/html', '-I', 'utf-8', '-O', 'utf-8', '-dump']],
] as const)('the plain page in %s', (tool, args) => {
  it.runIf(hasTool(tool))('can be read', async () => {
    const ann = await (await startChat()).signIn('Ann');
    await ann.submits(plain, { data: 'hello, 世界', cid: 'c1' });
    const { stdout } = spawnSync(tool, args, { input: await htmlOf(ann), encoding: 'utf8' });
    for (const text of ['lobby', 'Write a message', 'Send', 'Ann', '#1', 'hello, 世界', 'Edit #1', 'Rooms'])
      expect(stdout).toContain(text);
    expect(stdout).not.toContain('<');
  });
});
