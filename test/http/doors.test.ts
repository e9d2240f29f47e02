/** What a hostile or broken client sends to each way of reading a room over HTTP: streams, polls and the plain page. */
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Chat, eventually, type Frame, startChat, type Visitor } from '../harness.js';
import { exchange, exchangeUntil } from '../raw.js';

const messages = '/api/rooms/lobby/messages';
const events = '/api/rooms/lobby/events';
const plain = '/r/lobby/plain';

/** A way to read the room, with everything that can be in its path. */
interface Door {
  readonly name: string;
  readonly path: string;
  readonly accept: string;
  /** Returns the text of message `id` as the reader sees it. */
  textOf(reader: Visitor, id: number): Promise<unknown>;
}

function stream(name: string, accept: 'text/event-stream' | 'application/x-ndjson'): Door {
  return {
    name,
    path: `${events}?after=0`,
    accept,
    textOf: async (reader, id) => {
      const room = await reader.reads('lobby', { query: '?after=0', format: accept });
      const { data } = await room.sees({ id });
      await room.leaves();
      return data;
    },
  };
}

/** Undoes what html.ts does to a text. */
function unescaped(html: string): string {
  return html.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
}

const doors: readonly Door[] = [
  stream('an event stream', 'text/event-stream'),
  stream('lines of JSON', 'application/x-ndjson'),
  {
    name: 'a poll',
    path: `${messages}?after=0&wait=1`,
    accept: 'application/json',
    textOf: async (reader, id) => {
      const page = await (await reader.get(`${messages}?after=0&wait=1`)).json();
      return page.messages.find((event: Frame) => event['id'] === id)?.data;
    },
  },
  {
    name: 'the plain page',
    path: plain,
    accept: 'text/html',
    textOf: async (reader, id) => {
      const html = await (await reader.get(`${plain}?edit=${id}`)).text();
      return unescaped(/<textarea[^>]*>\n([\s\S]*?)<\/textarea>/.exec(html)?.[1] ?? '');
    },
  },
];

/** A request as it goes over the wire. */
function request(
  path: string,
  { cookie }: Visitor,
  { method = 'GET', version = '1.1', head = '', body = '' } = {},
): string {
  return `${method} ${path} HTTP/${version}\r\nHost: 127.0.0.1\r\nCookie: ${cookie}\r\n${head}\r\n${body}`;
}

/** A form or JSON that posts. */
function postRequest(path: string, visitor: Visitor, body: string, head = ''): string {
  const type = path === plain ? 'application/x-www-form-urlencoded' : 'application/json';
  const fields = `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${head}`;
  return request(path, visitor, { method: 'POST', head: fields, body });
}

async function says(author: Visitor, data: string): Promise<void> {
  expect((await author.post(messages, { data })).status).toBe(201);
}

function get(
  { path, accept }: Pick<Door, 'path' | 'accept'>,
  { chat, cookie }: Visitor,
  init: RequestInit = {},
) {
  const headers = { cookie, accept, ...init.headers };
  return fetch(chat.origin + path, { redirect: 'manual', ...init, headers });
}

/** Lets the wall clock of a server jump. */
function wallClock() {
  let offset = 0;
  const advance = (ms: number): void => {
    offset += ms;
  };
  return { now: () => Date.now() + offset, advance };
}

/** Each text, as it is sent and as everybody reads it. */
const texts: readonly (readonly [what: string, sent: string, read: string])[] = [
  ['4,000 emoji', '😀'.repeat(4000), '😀'.repeat(4000)],
  ['separators of lines', 'a\u2028b\u2029c\u0085d\u000be\u000cf', 'a\u2028b\u2029cdef'],
  ['NUL and escape sequences', 'a\u0000b\u001b[31mc\u007f', 'ab[31mc'],
  [
    'the syntax of a stream',
    'x\n\nid: e/9\r\nevent: close\rdata: {}\n\n:',
    'x\n\nid: e/9\nevent: close\ndata: {}\n\n:',
  ],
  [
    'the end of a text field',
    '</textarea><script>alert(1)</script>&#60;&amp;',
    '</textarea><script>alert(1)</script>&#60;&amp;',
  ],
  ['a text that turns around', '\u202eabc\u2066def', '\u202eabc\u2066def'],
];

describe.each(doors)('$name', (door) => {
  it.each(texts)('delivers %s as it was written', async (_what, sent, read) => {
    const ann = await (await startChat()).signIn('Ann');
    await says(ann, sent);
    expect((await ann.submits(plain, { data: sent, cid: 'c2' })).status).toBe(303);
    expect(await door.textOf(ann, 1)).toBe(read);
    expect(await door.textOf(ann, 2)).toBe(read);
  });

  it('is closed to a cookie that is missing, damaged or over', async () => {
    const { now, advance } = wallClock();
    const chat = await startChat({ now });
    const ann = await chat.signIn('Ann');
    advance(31 * 24 * 3600 * 1000);
    for (const cookie of ['', 'name=eyJ9; name.sig=x', `${ann.cookie}x`, ann.cookie]) {
      const answer = await get(door, chat.visitor(cookie));
      expect([cookie, answer.status]).toEqual([cookie, door.path === plain ? 302 : 401]);
      expect(answer.headers.get('location')).toBe(
        door.path === plain ? `/signin?next=${encodeURIComponent(plain)}` : null,
      );
    }
  });

  it('answers HEAD without a body', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const head = `Accept: ${door.accept}\r\nConnection: close\r\n`;
    const answer = (await exchange(chat.port, request(door.path, ann, { method: 'HEAD', head }))).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer.indexOf('\r\n\r\n')).toBe(answer.length - 4);
  });

  it('speaks HTTP/1.0, and ignores a range', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    await says(ann, 'hello');
    const head = `Accept: ${door.accept}\r\nRange: bytes=0-3\r\n`;
    const answer = await exchangeUntil(
      chat.port,
      request(door.path, ann, { version: '1.0', head }),
      '"list"', // a stream would go on
    );
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer.toString()).not.toMatch(/^(transfer-encoding|content-range)/im);
    expect(answer.toString()).toContain('hello');
  });

  it('is answered in its turn when requests do not wait for answers', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const head = `Accept: ${door.accept}\r\n`;
    const requests = [
      request(`${messages}?after=0&wait=1`, ann),
      postRequest(messages, ann, '{"data":"one"}'),
      request(door.path, ann, { head }),
      request('/api/me', ann, { head: 'Connection: close\r\n' }),
    ];
    const text = (await exchangeUntil(chat.port, requests.join(''), '"list"')).toString();
    const [poll = '', posted = '', third = '', ...rest] = text.split(/(?=HTTP\/1\.1 \d{3} )/);
    expect(poll).toContain('"messages":[]');
    expect(posted).toMatch(/^HTTP\/1\.1 201 /);
    expect(third).toContain('one');
    expect(rest.length).toBe(door.path.startsWith(events) ? 0 : 1); // a stream is the last answer of its connection
  });

  it('has nothing of a text that was deleted while somebody read', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    await says(ann, 'a-secret');
    expect(await door.textOf(ann, 1)).toBe('a-secret');
    const [room, poll] = [await ann.reads('lobby'), ann.get(`${messages}?after=1&wait=30`)];
    await chat.untilOpen('poll');
    await ann.post(messages, { type: 'delete', target: 1 });
    await room.sees({ type: 'delete', target: 1 });
    expect(await (await poll).json()).toMatchObject({ messages: [{ type: 'delete', target: 1 }] });
    expect(await door.textOf(ann, 1)).toBe('');
  });

  it('sends no header that a query or a name of a room contains', async () => {
    const ann = await (await startChat()).signIn('Ann');
    const evil = '%0d%0aX-Evil:%201%0d%0a%0d%0a<script>';
    const [path] = door.path.split('?');
    for (const url of [
      `${path}?after=0&wait=1&epoch=${evil}&room=${evil}`,
      `${path?.replace('lobby', `Lobby${evil}`)}`,
    ]) {
      const answer = await get({ ...door, path: url }, ann, { method: 'HEAD' });
      expect(answer.headers.get('x-evil')).toBeNull();
      expect(answer.headers.get('location') ?? '').not.toMatch(/[\r\n<]/);
    }
  });
});

describe('a page of an allowed origin', () => {
  const origin = 'https://www.example.org';

  it.each(doors.slice(0, 3))('may read $name, and why it is refused', async ({ path, accept }) => {
    const ann = await (await startChat({ env: { ALLOWED_ORIGINS: origin } })).signIn('Ann');
    const bad = path.replace('after=0', 'after=x');
    for (const [url, method, status] of [
      [path, 'HEAD', 200],
      [bad, 'GET', 400],
    ] as const) {
      const { status: found, headers } = await get({ path: url, accept }, ann, {
        method,
        headers: { origin },
      });
      expect([url, found]).toEqual([url, status]);
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('vary')).toMatch(/\borigin\b/i);
    }
    const headers = {
      origin,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'last-event-id',
    };
    const preflight = await get({ path, accept }, ann.chat.visitor(), { method: 'OPTIONS', headers });
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([
      204,
      expect.stringContaining('Last-Event-ID'),
    ]);
  });
});

describe.each([
  [messages, '{"data":"one","cid":"c"}', 201],
  [plain, 'data=one&cid=c', 303],
] as const)('a post to %s', (path, body, status) => {
  it('may wait for 100 Continue', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const [head = '', rest = ''] = postRequest(
      path,
      ann,
      body,
      'Expect: 100-continue\r\nConnection: close\r\n',
    ).split(/(?<=\r\n\r\n)/);
    const answer = await exchange(chat.port, head, (socket) => {
      socket.once('data', () => socket.write(rest));
    });
    expect(answer.toString()).toMatch(new RegExp(`^HTTP/1\\.1 100 Continue\r\n\r\nHTTP/1\\.1 ${status} `));
  });

  it('stores nothing when its body is cut off, and everything when only its answer is', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const whole = postRequest(path, ann, body);
    await exchange(chat.port, whole.slice(0, -3), (socket) => socket.end());
    await new Promise<void>((resolve) => {
      const socket = connect(chat.port, '127.0.0.1', () => {
        socket.write(whole);
        socket.destroySoon();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve());
    });
    await eventually(async () => {
      const page = await (await ann.get(messages)).json();
      expect(page.messages.map(({ data }: Frame) => data)).toEqual(['one']);
    });
  });

  it('is refused when its text is no Unicode', async () => {
    const ann = await (await startChat()).signIn('Ann');
    const bad = path === plain ? 'data=%ED%A0%80&cid=c' : '{"data":"\\ud800"}';
    const answer = await exchange(
      (ann.chat as Chat).port,
      postRequest(path, ann, bad, 'Connection: close\r\n'),
    );
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 4(00|22) /);
    expect(await (await ann.get(messages)).json()).toMatchObject({ last: 0 });
  });
});

describe('a poll that waits', () => {
  it('is answered with 401 when the session ends', async () => {
    const { now, advance } = wallClock();
    const chat = await startChat({ now });
    const ann = await chat.signIn('Ann');
    const waiting = ann.get(`${messages}?after=0&wait=30`);
    await chat.untilOpen('poll');
    advance(31 * 24 * 3600 * 1000);
    expect((await waiting).status).toBe(401);
  });

  it('is one of at most as many as a user may have connections, and delays nobody', async () => {
    const chat = await startChat({ env: { CONNECTIONS_PER_PERSON: '10' } });
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const answers: unknown[] = [];
    const flood = Array.from({ length: 200 }, async () => {
      const answer = await ann.get(`${messages}?after=0&wait=30`);
      answers.push([answer.status, answer.headers.get('retry-after')]);
    });
    const [hall, lobby] = [await bob.enters('hall'), await bob.enters('lobby')];
    hall.says('hello');
    await hall.sees({ id: 1 });
    await eventually(() => expect(answers).toEqual(Array.from({ length: 190 }, () => [429, '10'])));
    lobby.says('hello');
    await lobby.sees({ id: 1 });
    await Promise.all(flood);
    expect(answers.slice(190)).toEqual(Array.from({ length: 10 }, () => [200, null]));
  });
});
