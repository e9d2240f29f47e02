/** Names and sessions over HTTP: renaming, links to another device, signing out and coming back, names of the silent. */

import { describe, expect, it } from 'vitest';
import { databaseFile } from '../../src/store/database.js';
import Database from '../../src/store/sqlite.js';
import {
  type Chat,
  cookiesOf,
  type Env,
  eventually,
  startChat,
  stopClock,
  type Visitor,
} from '../harness.js';

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;
const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'accept-language': 'en' };
const FORM = { 'content-type': 'application/x-www-form-urlencoded', ...BROWSER };

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function read(answer: Response): Promise<Answer> {
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) };
}

function patch(visitor: Visitor, name: unknown): Promise<Response> {
  return visitor.chat.post('/api/me', { name }, { cookie: visitor.cookie }, 'PATCH');
}

async function deviceLink(visitor: Visitor): Promise<string> {
  const { status, body } = await read(await visitor.post('/api/me/link', {}));
  expect(status).toBe(201);
  return (body as { url: string }).url;
}

function open(url: string, headers: Env = {}, method = 'GET'): Promise<Response> {
  return fetch(url, { method, headers: { ...BROWSER, ...headers }, redirect: 'manual' });
}

function redeem(url: string, headers: Env = {}): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { ...FORM, ...headers }, redirect: 'manual', body: '' });
}

async function statusOfMe(chat: Chat, cookie: string): Promise<number> {
  return (await chat.visitor(cookie).get('/api/me')).status;
}

describe('PATCH /api/me', () => {
  it('renames the user in all rooms', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const room = await bob.enters('lobby');
    await ann.enters('lobby');
    const answer = await patch(ann, '  Anna   Lee ');
    expect(await read(answer.clone())).toEqual({ status: 200, body: { id: ann.user.id, name: 'Anna Lee' } });
    await room.sees({ type: 'join', user: { id: ann.user.id, name: 'Anna Lee' } });
    const renewed = chat.visitor(cookiesOf(answer));
    expect(await read(await renewed.get('/api/me'))).toMatchObject({ body: { name: 'Anna Lee' } });
    expect(await read(await ann.get('/api/me'))).toMatchObject({ body: { name: 'Anna Lee' } }); // the old cookie too
    expect((await chat.post('/signin', { name: 'Ann' })).status).toBe(200); // the old name is free
  });

  it('refuses taken and invalid names, and requests without a session', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    await chat.signIn('Bob');
    for (const [name, status, code] of [
      ['B0b', 409, 'name_taken'],
      ['', 422, 'bad_name'],
      [7, 422, 'bad_name'],
      ['\u2800', 422, 'bad_name'],
    ] as const)
      expect(await read(await patch(ann, name))).toMatchObject({ status, body: { error: { code } } });
    expect((await patch(chat.visitor(), 'Cleo')).status).toBe(401);
    expect((await patch(ann, 'ANN')).status).toBe(200); // another spelling of one's own
  });

  it('counts towards the rate limit of messages', async () => {
    stopClock();
    const chat = await startChat({ env: { MESSAGE_RATE: '1', MESSAGE_BURST: '2' } });
    const ann = await chat.signIn('Ann');
    const statuses = await Promise.all(
      ['A1', 'A2', 'A3', 'A4'].map(async (name) => (await patch(ann, name)).status),
    );
    expect(statuses.sort()).toEqual([200, 200, 429, 429]);
  });
});

describe('a link to another device', () => {
  it('signs in as the same person, once, and only when its form is sent', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const url = await deviceLink(ann);
    expect(url).toMatch(new RegExp(`^${chat.origin}/link/[\\w-]{32}$`));
    for (const method of ['GET', 'HEAD', 'GET']) {
      const page = await open(url, { 'sec-purpose': 'prefetch' }, method);
      expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'no-store']);
      expect(page.headers.get('referrer-policy')).toBe('strict-origin');
      expect(page.headers.getSetCookie()).toEqual([]);
    }
    const page = await (await open(url)).text();
    expect(page).toContain('Continue as \u2068Ann\u2069');
    expect(page).not.toMatch(/\{\{|<script|style=|signed in here/);
    const answer = await redeem(url, { origin: chat.origin });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/']);
    const phone = chat.visitor(cookiesOf(answer));
    expect(await read(await phone.get('/api/me'))).toEqual({ status: 200, body: ann.user });
    expect(await statusOfMe(chat, ann.cookie)).toBe(200); // the first device stays
    for (const again of [await open(url), await redeem(url)]) expect(again.status).toBe(410);
    expect(await read(await open(url, { accept: 'application/json' }))).toMatchObject({
      body: { error: { code: 'link_over' } },
    });
    expect(await (await open(url)).text()).toContain('already used or has expired');
  });

  it('expires after ten minutes, or when a newer one is created', async () => {
    let now = Date.now();
    const chat = await startChat({ now: () => now });
    const ann = await chat.signIn('Ann');
    const { body } = await read(await ann.post('/api/me/link', {}));
    const { url, expires } = body as { url: string; expires: number };
    expect(expires).toBe(now + 600_000);
    const newer = await deviceLink(ann);
    expect((await open(url)).status).toBe(410);
    now += 599_999;
    expect((await open(newer)).status).toBe(200);
    now += 1;
    expect([(await open(newer)).status, (await redeem(newer)).status]).toEqual([410, 410]);
  });

  it('names the user that it replaces in this browser', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('<b>Bob')];
    const url = await deviceLink(ann);
    const page = await (await open(url, { cookie: bob.cookie })).text();
    expect(page).toContain('You are signed in here as \u2068&#60;b&#62;Bob\u2069');
    expect(await (await open(url, { cookie: ann.cookie })).text()).toContain('already signed in here');
    const chinese = await (await open(`${url}?lang=zh-CN`)).text();
    expect(chinese).toContain('<html lang="zh-CN">');
    const answer = await redeem(url, { cookie: bob.cookie });
    expect(await read(await chat.visitor(cookiesOf(answer)).get('/api/me'))).toMatchObject({
      body: ann.user,
    });
  });

  it('is not created without a session, not guessed, and not redeemed from other sites', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    expect((await chat.post('/api/me/link', {})).status).toBe(401);
    for (const path of ['/link/x', `/link/${'A'.repeat(32)}`, '/link/%00', `/link/${'x'.repeat(9000)}`])
      expect([path.slice(0, 9), (await open(chat.origin + path)).status]).toEqual([path.slice(0, 9), 410]);
    const url = await deviceLink(ann);
    expect((await redeem(url, { origin: 'http://evil.example' })).status).toBe(403);
    expect((await open(url)).status).toBe(200);
  });

  it('is stored as a hash only', async () => {
    const chat = await startChat();
    const url = await deviceLink(await chat.signIn('Ann'));
    const db = new Database(databaseFile(chat.dataDir), { readonly: true });
    const [row] = db.prepare('SELECT hash FROM links').all() as { hash: string }[];
    db.close();
    expect(row?.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(url).not.toContain(row?.hash);
  });

  it('is redeemed by one of several concurrent requests', async () => {
    const chat = await startChat();
    const url = await deviceLink(await chat.signIn('Ann'));
    const answers = await Promise.all([redeem(url), redeem(url), redeem(url)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 410, 410]);
  });
});

describe('signing out', () => {
  it('ends all sessions of the person and keeps the name reserved', async () => {
    let now = Date.now();
    const chat = await startChat({ now: () => now });
    const ann = await chat.signIn('Ann');
    await ann.post('/api/rooms/lobby/messages', { data: 'hi' });
    const phone = chat.visitor(cookiesOf(await redeem(await deviceLink(ann))));
    const [desk, hand] = [await ann.enters('lobby'), await phone.enters('garden')];
    const answer = await ann.post('/signout', {});
    expect([answer.status, await answer.text()]).toEqual([204, '']);
    expect([await desk.closed, await hand.closed]).toEqual([4002, 4002]);
    for (const cookie of [ann.cookie, phone.cookie]) {
      expect(await statusOfMe(chat, cookie)).toBe(401);
      expect(await (await chat.visitor(cookie).enters('lobby')).closed).toBe(4001);
    }
    expect((await chat.post('/signin', { name: 'Ann' })).status).toBe(409);
    const bob = await chat.signIn('Bob');
    expect(await read(await bob.get('/api/people?q=a'))).toMatchObject({ body: { people: [] } });
    now += 30 * DAY - 1;
    expect((await chat.post('/signin', { name: 'Ann' })).status).toBe(409);
    now += 1;
    expect((await chat.post('/signin', { name: 'Ann' })).status).toBe(200);
    expect((await ann.post('/signout', {})).status).toBe(204); // again, by nobody
  });

  it('with "return" gives a link that brings the same person back', async () => {
    let now = Date.now();
    const chat = await startChat({ now: () => now });
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    await ann.post('/api/rooms/lobby/messages', { data: 'question' });
    await bob.post('/api/rooms/lobby/messages', { data: 'answer', reply: 1 });
    const { status, body } = await read(await ann.post('/signout', { return: true }));
    const { url, expires } = body as { url: string; expires: number };
    expect([status, expires]).toEqual([200, now + 30 * DAY]);
    expect(await statusOfMe(chat, ann.cookie)).toBe(401);
    now += 29 * DAY;
    expect(await (await open(url)).text()).toContain('Continue as \u2068Ann\u2069');
    const back = chat.visitor(cookiesOf(await redeem(url)));
    expect(await read(await back.get('/api/me'))).toEqual({ status: 200, body: ann.user });
    expect(await statusOfMe(chat, ann.cookie)).toBe(401); // made before: worthless for ever
    const { body: rooms } = await read(await back.get('/api/rooms'));
    expect(rooms).toMatchObject([{ room: 'lobby', joined: true, unread: 1, mentions: 1 }]);
    const room = await back.enters('lobby', { query: '?after=2' });
    room.sends({ type: 'edit', target: 1, data: 'my own', cid: 'e' });
    await room.sees({ type: 'edit', cid: 'e' });
    expect((await open(url)).status).toBe(410);
  });

  it('with "return" needs a session', async () => {
    const chat = await startChat();
    expect((await chat.post('/signout', { return: true })).status).toBe(401);
    const ann = await chat.signIn('Ann');
    await ann.post('/signout', {});
    expect((await ann.post('/signout', { return: true })).status).toBe(401);
  });

  it('by a form shows the link on a page without JavaScript', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const answer = await fetch(`${chat.origin}/signout`, {
      method: 'POST',
      headers: { ...FORM, cookie: ann.cookie },
      redirect: 'manual',
      body: 'return=on',
    });
    const page = await answer.text();
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const [, url = ''] = /href="(http[^"]+\/link\/[\w-]+)"/.exec(page) ?? [];
    expect(page).toContain('You are signed out');
    expect((await redeem(url)).status).toBe(303);
  });

  it('at the same time as signing in never ends in a dead cookie', async () => {
    const chat = await startChat();
    for (let n = 0; n < 20; n++) {
      const ann = await chat.signIn(`Ann ${n}`);
      const [out, into] = await Promise.all([
        ann.post('/signout', {}),
        ann.post('/signin', { name: `Anna ${n}` }),
      ]);
      expect(out.status).toBe(204);
      if (into.status === 200) expect(await statusOfMe(chat, cookiesOf(into))).toBeOneOf([200, 401]);
      else expect(into.status).toBe(409);
      const later = await chat.post('/signin', { name: `Zoe ${n}` }, { cookie: cookiesOf(into) });
      expect(later.status).toBe(200);
      expect(await statusOfMe(chat, cookiesOf(later))).toBe(200);
    }
  });
});

describe('a name whose owner never posted', () => {
  const takes = async (chat: Chat, name: string): Promise<number> =>
    (await chat.post('/signin', { name })).status;

  it('is free after a day without a request, and then its former owner must take another', async () => {
    let now = Date.now();
    const chat = await startChat({ now: () => now });
    const [ann, writer] = [await chat.signIn('Ann'), await chat.signIn('Writer')];
    await writer.post('/api/rooms/lobby/messages', { data: 'hi' });
    now += 23 * HOUR;
    expect((await ann.get('/api/me')).status).toBe(200); // reading is being here
    now += 23 * HOUR;
    expect(await takes(chat, 'Ann')).toBe(409);
    now += 1 * HOUR;
    expect([await takes(chat, 'Ann'), await takes(chat, 'Writer')]).toEqual([200, 409]);
    expect(await statusOfMe(chat, ann.cookie)).toBe(401);
    expect(await (await ann.enters('lobby')).closed).toBe(4001);
    expect((await ann.get('/r/lobby')).status).toBe(302);
    const answer = await ann.post('/signin', { name: 'Anna' });
    expect(await read(answer.clone())).toEqual({ status: 200, body: { id: ann.user.id, name: 'Anna' } });
    expect(await statusOfMe(chat, cookiesOf(answer))).toBe(200);
  });

  it('is kept by an open socket', async () => {
    let now = Date.now();
    const chat = await startChat({ now: () => now });
    const ann = await chat.signIn('Ann');
    await ann.enters('lobby');
    const db = new Database(databaseFile(chat.dataDir), { readonly: true });
    const seen = (): unknown => db.prepare('SELECT seen FROM people').pluck().get();
    now += 23 * HOUR;
    await eventually(() => expect(seen()).toBe(now));
    db.close();
    now += 23 * HOUR;
    expect(await takes(chat, 'Ann')).toBe(409);
  });
});

describe('an open socket', () => {
  it('lives as long as its cookie is renewed over HTTP, unlike that of another device', async () => {
    let now = Date.now();
    const chat = await startChat({ now: () => now });
    const ann = await chat.signIn('Ann');
    now += 1000;
    const phone = chat.visitor(cookiesOf(await redeem(await deviceLink(ann))));
    const [desk, hand] = [await ann.enters('lobby'), await phone.enters('lobby')];
    now += 20 * DAY;
    await ann.get('/api/me');
    now += 11 * DAY;
    expect(await hand.closed).toBe(4001);
    await desk.sees({ type: 'chat', cid: desk.says('still here') });
  });
});

describe('a reader who never posts again', () => {
  it('keeps the name as long as they come back within 30 days', async () => {
    let now = Date.now();
    const chat = await startChat({ now: () => now });
    let ann = await chat.signIn('Ann');
    await ann.post('/api/rooms/lobby/messages', { data: 'hi' });
    for (const days of [10, 10, 9, 20]) {
      now += days * DAY;
      const answer = await ann.get('/api/rooms/lobby/messages');
      expect(answer.status).toBe(200);
      ann = chat.visitor(cookiesOf(answer));
      expect((await chat.post('/signin', { name: 'Ann' })).status).toBe(409);
    }
  });
});
