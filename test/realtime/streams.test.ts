/** A room as an event stream, as lines of JSON and by long polling, beside WebSockets, over real sockets. */
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  controlClock,
  eventually,
  type Frame,
  hasWorkers,
  startChat,
  stopClock,
  stopWallClock,
  temporaryFolder,
  type Visitor,
} from '../harness.js';
import { exchangeUntil } from '../raw.js';

const formats = ['text/event-stream', 'application/x-ndjson'] as const;

async function says(visitor: Visitor, data: string, room = 'lobby'): Promise<void> {
  const answer = await visitor.post(`/api/rooms/${room}/messages`, { data });
  expect(answer.status).toBe(201);
}

/** A wall clock that only the test moves. */
function controlNow(): { readonly now: () => number; readonly advance: (ms: number) => void } {
  let now = Date.now();
  return {
    now: () => now,
    advance: (ms) => {
      now += ms;
    },
  };
}

describe.each(formats)('a stream as %s', (format) => {
  it('has the frames of a WebSocket in the same order', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    for (const text of ['one', 'two']) await says(ann, text);
    const socket = await bob.enters('lobby', { query: '?history=1' });
    await socket.sees({ type: 'list' });
    const stream = await bob.reads('lobby', { format, query: '?history=1' });
    await stream.sees({ type: 'list' });
    const ack = await ann.enters('lobby');
    await says(ann, 'three');
    await stream.sees({ id: 3 });
    await socket.sees({ id: 3 });
    expect(stream.frames).toEqual(socket.frames);
    expect(stream.frames.map(({ type }) => type)).toEqual(['hello', 'chat', 'list', 'join', 'chat']);
    ack.ws.terminate();
  });

  it('counts as present, and tells who joins and leaves', async () => {
    const advance = controlClock();
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const room = await ann.enters('lobby');
    const stream = await bob.reads('lobby', { format });
    await room.sees({ type: 'join', user: bob.user });
    await stream.sees({ type: 'list', count: 2 });
    await stream.leaves();
    await chat.untilClosed('sse', 'ndjson');
    advance(5_000);
    await room.sees({ type: 'left', user: bob.user });
  });

  it('keeps line ends, separators and the syntax of the format out of its lines', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const stream = await ann.reads('lobby', { format });
    const text = 'a\nid: x/9\n\ndata: {"type":"close"}\r\revent: close\u2028\u2029\u0085b\\n';
    await says(ann, text);
    const frame = await stream.sees({ id: 1 });
    expect(frame['data']).toBe('a\nid: x/9\n\ndata: {"type":"close"}\n\nevent: close\u2028\u2029b\\n');
    expect(stream.messages.filter(({ event }) => event !== undefined)).toEqual([]);
  });

  it('ends with the reason when the user signs out, and after that answers 401', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const stream = await ann.reads('lobby', { format });
    await stream.sees({ type: 'list' });
    await ann.post('/signout', {});
    expect(await stream.closed).toBe(4002);
    expect((await ann.get('/api/rooms/lobby/events')).status).toBe(401);
  });

  it('ends when its session does, and after a minute', async () => {
    const { now, advance } = controlNow();
    const chat = await startChat({ now });
    const ann = await chat.signIn('Ann');
    const stream = await ann.reads('lobby', { format });
    await stream.sees({ type: 'list' });
    advance(54_000);
    await says(ann, 'still here');
    await stream.sees({ id: 1 });
    advance(6_000);
    expect(await stream.closed).toBe(1000);
    const second = await ann.reads('lobby', { format });
    await second.sees({ type: 'list' });
    advance(31 * 24 * 3600 * 1000);
    expect(await second.closed).toBe(4001);
  });

  it.skipIf(hasWorkers)(
    'is cut when it reads too slowly, and resumes at its number',
    async () => {
      const chat = await startChat({ env: { SEND_BUFFER: '100000' } });
      const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
      const slow = await bob.reads('lobby', { format });
      await slow.sees({ type: 'list' });
      slow.response.pause();
      const writer = await ann.enters('lobby');
      for (let said = 20; said <= 1500; said += 20) {
        for (let n = 0; n < 20; n++) writer.says('x'.repeat(3900)); // no more than the limit, which is also the writer's
        await writer.seesAll({ type: 'chat' }, said);
      }
      slow.response.resume();
      expect(await slow.closed).toBe(0);
      const ids = slow.frames.flatMap(({ id }) => id ?? []);
      const back = await bob.reads('lobby', { format, query: `?after=${ids.at(-1) ?? 0}` });
      await back.sees({ id: 1500 });
      const all = [...ids, ...back.frames.flatMap(({ id }) => id ?? [])];
      expect(all).toEqual(Array.from({ length: 1500 }, (_, n) => n + 1));
    },
    120_000,
  );

  it('is closed with 1012 when the server stops', async () => {
    const chat = await startChat();
    const stream = await (await chat.signIn('Ann')).reads('lobby', { format });
    await stream.sees({ type: 'list' });
    await Promise.all([chat.server.close(), stream.closed]);
    expect(await stream.closed).toBe(1012);
  });
});

describe('an event stream', () => {
  it('numbers its messages, so that an EventSource resumes at them', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const { epoch } = chat.server;
    for (const text of ['one', 'two', 'three']) await says(ann, text);
    const stream = await ann.reads('lobby', { query: '?after=1' });
    await stream.sees({ type: 'list' });
    expect(stream.raw).toMatch(/^retry: 1000\n\n/);
    expect(stream.messages.map(({ id, data }) => [id, data['type']])).toEqual([
      [`${epoch}/1`, 'hello'],
      [`${epoch}/2`, 'chat'],
      [`${epoch}/3`, 'chat'],
      [undefined, 'list'],
    ]);
    await stream.leaves();
    await says(ann, 'four');
    const headers = { 'last-event-id': stream.lastEventId };
    const back = await ann.reads('lobby', { query: '?after=0&epoch=other', headers });
    await back.sees({ id: 4 });
    expect(back.frames.find(({ type }) => type === 'hello')).toMatchObject({ complete: true, last: 4 });
    expect(back.frames.flatMap(({ id }) => id ?? [])).toEqual([4]);
  });

  it('begins anew for another epoch and for a number that the log does not have', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    await says(ann, 'one');
    // a node waits for a number of its epoch (cluster/nodes.test.ts)
    const ahead = process.env['ARRANGEMENT'] === 'redis' ? [] : ['7', '99999999999999999999'];
    for (const id of ['other/1', ...ahead.map((number) => `${chat.server.epoch}/${number}`)]) {
      const stream = await ann.reads('lobby', { headers: { 'last-event-id': id } });
      await stream.sees({ id: 1 });
      expect(stream.messages[0]).toMatchObject({
        id: `${chat.server.epoch}/0`,
        data: { type: 'hello', complete: false },
      });
    }
  });

  it('is neither compressed, nor collected, nor stored on its way', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const { response } = await ann.reads('lobby', { headers: { 'accept-encoding': 'gzip, br' } });
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      vary: 'Accept',
    });
    expect(response.headers['content-encoding']).toBeUndefined();
  });

  it('writes a comment every 15 seconds', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const chat = await startChat();
    const stream = await (await chat.signIn('Ann')).reads('lobby');
    await stream.sees({ type: 'list' });
    vi.advanceTimersByTime(15_000);
    await eventually(() => expect(stream.raw).toContain('\n\n:\n\n'));
  });

  it('works over HTTP/1.0, and ignores a range', async () => {
    const chat = await startChat();
    const { cookie } = await chat.signIn('Ann');
    const head = `Host: 127.0.0.1\r\nCookie: ${cookie}\r\nRange: bytes=0-9`;
    const request = `GET /api/rooms/lobby/events HTTP/1.0\r\n${head}\r\n\r\n`;
    const text = (await exchangeUntil(chat.port, request, '"list"')).toString();
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).not.toMatch(/^transfer-encoding/im);
    expect(text).toContain('\r\n\r\nretry: 1000\n\nid: ');
  });

  it('goes on when its client sends another request, and leaves nothing behind', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const head = `Host: 127.0.0.1\r\nCookie: ${ann.cookie}`;
    const socket = connect(chat.port, '127.0.0.1');
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString();
    });
    socket.write(`GET /api/rooms/lobby/events HTTP/1.1\r\n${head}\r\n\r\n`);
    await eventually(() => expect(text).toContain('"list"'));
    socket.write(`GET /api/me HTTP/1.1\r\n${head}\r\n\r\n`);
    await says(ann, 'still here');
    await eventually(() => expect(text).toContain('still here'));
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    socket.destroy();
    await eventually(async () => {
      await says(ann, 'more'); // the server notices when it writes
      const metrics = await (await ann.get('/metrics')).text();
      expect(metrics).toContain('oneport_connections_by_transport{transport="sse"} 0');
    });
  });

  it('answers HEAD with the head alone', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const answer = await fetch(`${chat.origin}/api/rooms/lobby/events`, {
      method: 'HEAD',
      headers: { cookie: ann.cookie },
    });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
    ]);
    expect(await (await ann.get('/metrics')).text()).toContain('oneport_connections 0');
  });
});

/** A request that is refused before the stream: its headers, its path, and the answer. */
const refusals: readonly (readonly [
  name: string,
  path: string,
  headers: Record<string, string>,
  status: number,
  code: string,
])[] = [
  ['a wrong Origin', '/api/rooms/lobby/events', { origin: 'http://evil.example' }, 403, 'wrong_origin'],
  [
    'a wrong Origin of a poll',
    '/api/rooms/lobby/messages?after=0&wait=1',
    { origin: 'null' },
    403,
    'wrong_origin',
  ],
  ['no room', '/api/rooms/a%20b/events', {}, 404, 'invalid_room'],
  ['a number that is none', '/api/rooms/lobby/events?after=x', {}, 400, 'bad_request'],
  ['a parameter without a value', '/api/rooms/lobby/events?after=', {}, 400, 'bad_request'],
  ['too much history', '/api/rooms/lobby/events?history=501', {}, 400, 'bad_request'],
  ['an id without a number', '/api/rooms/lobby/events', { 'last-event-id': 'abc' }, 400, 'bad_request'],
  ['an id without an epoch', '/api/rooms/lobby/events', { 'last-event-id': '/7' }, 400, 'bad_request'],
  ['an id with a number below 0', '/api/rooms/lobby/events', { 'last-event-id': 'e/-1' }, 400, 'bad_request'],
  ['an empty id', '/api/rooms/lobby/events', { 'last-event-id': '' }, 400, 'bad_request'],
  ['a format that we do not have', '/api/rooms/lobby/events', { accept: 'text/html' }, 406, 'not_acceptable'],
  ['a wait without a number', '/api/rooms/lobby/messages?wait=1', {}, 400, 'bad_request'],
  ['a wait with before', '/api/rooms/lobby/messages?before=9&wait=1', {}, 400, 'bad_request'],
  ['a wait of no time', '/api/rooms/lobby/messages?after=0&wait=0', {}, 400, 'bad_request'],
  ['a wait of 31 seconds', '/api/rooms/lobby/messages?after=0&wait=31', {}, 400, 'bad_request'],
  ['a wait that is no number', '/api/rooms/lobby/messages?after=0&wait=1.5', {}, 400, 'bad_request'],
];

/** Waits for an event after a number. */
async function polls(visitor: Visitor, after: number, wait: number, room = 'lobby') {
  const answer = await visitor.get(`/api/rooms/${room}/messages?after=${after}&wait=${wait}`);
  return { status: answer.status, ...((await answer.json()) as Frame) };
}

describe.skipIf(hasWorkers)('a poll', () => {
  it('is answered at once when its number belongs to another log, so that its client starts over', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    await says(ann, 'one');
    const path = '/api/rooms/lobby/messages?after=1&epoch=';
    for (const wait of ['', '&wait=30']) {
      const page = await (await ann.get(`${path}another${wait}`)).json();
      expect(page).toMatchObject({ epoch: chat.server.epoch, last: 1, complete: false });
    }
    expect(await (await ann.get(path + chat.server.epoch)).json()).toMatchObject({ complete: true });
  });

  it('answers at once when there is something, and else with the next event', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    await says(ann, 'one');
    const { epoch } = chat.server;
    expect(await polls(bob, 0, 30)).toMatchObject({ status: 200, epoch, last: 1, complete: true });
    const waiting = polls(bob, 1, 30);
    await chat.untilOpen('poll');
    await (await ann.enters('lobby')).leaves(); // neither a join nor a leave is an event
    await says(ann, 'two');
    expect(await waiting).toMatchObject({ last: 2, complete: true, messages: [{ id: 2, data: 'two' }] });
    const socket = await ann.enters('lobby');
    socket.says('three');
    await socket.sees({ id: 3 });
    const four = polls(bob, 3, 30); // also when the event before is still on its way to the readers
    await says(ann, 'four');
    expect(await four).toMatchObject({ messages: [{ id: 4 }] });
  });

  it('answers with the page of its own number, however many others ask', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    for (let n = 1; n <= 40; n++) await says(ann, `m${n}`);
    for (let round = 0; round < 2; round++)
      for (let after = 0; after < 40; after++) {
        const page: Frame = await polls(ann, after, 1);
        expect(page['messages']).toMatchObject([
          { id: after + 1 },
          ...Array.from({ length: 39 - after }, () => ({})),
        ]);
      }
  });

  it('answers without messages when the time is over, and at once for a number that the log does not have', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const start = performance.now();
    expect(await polls(ann, 0, 1)).toMatchObject({ status: 200, last: 0, complete: true, messages: [] });
    expect(performance.now() - start).toBeGreaterThanOrEqual(990);
    expect(await polls(ann, 7, 30)).toMatchObject({ last: 0, complete: false, messages: [] });
  });

  it('counts as present until 40 seconds later', async () => {
    const advance = stopClock();
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const carol = await chat.signIn('Carol');
    await says(ann, 'one');
    const room = await ann.enters('lobby');
    await polls(bob, 0, 1);
    await room.sees({ type: 'join', user: bob.user });
    advance(39_000);
    await polls(bob, 0, 1);
    await polls(bob, 1, 1);
    await (await carol.enters('lobby')).leaves();
    await chat.untilOpen('websocket', 1);
    advance(37_000);
    await room.sees({ type: 'left', user: carol.user });
    expect(room.frames.filter(({ type }) => type === 'left')).toHaveLength(1);
    advance(3_000);
    await room.sees({ type: 'left', user: bob.user });
    expect(room.frames.filter(({ type }) => type === 'join')).toHaveLength(2); // Bob once, and Carol
  });

  it('is answered with 401 when the user signs out', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const waiting = polls(ann, 0, 30);
    await chat.untilOpen('poll');
    await ann.post('/signout', {});
    expect(await waiting).toMatchObject({ status: 401, error: { code: 'not_signed_in' } });
  });

  it('is answered at once when the server stops, and refused after that', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const socket = await ann.enters('lobby');
    const waiting = polls(ann, 0, 30);
    await chat.untilOpen('poll');
    socket.ws.pause(); // does not answer the close, so that the server waits
    stopWallClock();
    const closing = chat.server.close();
    const next = ann.get('/api/rooms/lobby/messages?after=0&wait=30');
    expect(await waiting).toMatchObject({ status: 200, messages: [] });
    const refused = await next;
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2']);
    socket.ws.terminate();
    await closing;
  });

  it('makes place for a poll in another room, unless all of the user wait', async () => {
    const chat = await startChat({ env: { CONNECTIONS_PER_PERSON: '2' } });
    const ann = await chat.signIn('Ann');
    for (const room of ['a', 'b', 'c', 'd']) expect((await polls(ann, 9, 1, room)).status).toBe(200);
    const waiting = [polls(ann, 0, 30, 'c'), polls(ann, 0, 30, 'c'), polls(ann, 0, 30, 'd')];
    for (const room of ['c', 'e'])
      await eventually(async () => expect(await polls(ann, 9, 1, room)).toMatchObject({ status: 429 }));
    for (const room of ['c', 'd']) await says(ann, 'an end', room);
    for (const { status } of await Promise.all(waiting)) expect(status).toBe(200);
  });
});

describe('a reader over HTTP', () => {
  it.each(refusals)('is refused for %s', async (_name, path, headers, status, code) => {
    const chat = await startChat();
    const { cookie } = await chat.signIn('Ann');
    const answer = await fetch(chat.origin + path, { headers: { cookie, ...headers } });
    expect([answer.status, (await answer.json()).error.code]).toEqual([status, code]);
    expect(answer.headers.get('content-type')).toContain('application/json');
  });

  it('must be signed in, and use GET', async () => {
    const chat = await startChat();
    expect((await chat.visitor().get('/api/rooms/lobby/events')).status).toBe(401);
    expect((await (await chat.signIn('Ann')).post('/api/rooms/lobby/events', {})).status).toBe(405);
  });

  it('may be a page of an allowed origin', async () => {
    const origin = 'https://chat.example.org';
    const chat = await startChat({ env: { ALLOWED_ORIGINS: origin } });
    const ann = await chat.signIn('Ann');
    const { response } = await ann.reads('lobby', { headers: { origin } });
    expect(response.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
    });
  });

  it('opens no more streams and sockets than a user or an address may have', async () => {
    const chat = await startChat({ env: { CONNECTIONS_PER_PERSON: '2', CONNECTIONS_PER_ADDRESS: '3' } });
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const stream = await ann.reads('lobby');
    const socket = await ann.enters('lobby');
    for (const path of ['/api/rooms/lobby/events', '/api/rooms/hall/messages?after=0&wait=1']) {
      const refused = await ann.get(path);
      expect([refused.status, (await refused.json()).error.code]).toEqual([429, 'too_many_connections']);
      expect(refused.headers.get('retry-after')).toBe('10');
    }
    expect(await ann.knocks('/ws/lobby').closed).toBe(4003);
    await stream.leaves();
    await socket.leaves();
    await chat.untilClosed('sse', 'websocket');
    const others = [await ann.reads('lobby'), await bob.reads('lobby'), await bob.reads('lobby')];
    expect((await ann.get('/api/rooms/lobby/events')).status).toBe(429);
    await Promise.all(others.map((other) => other.leaves()));
  });

  it('opens at most 60 streams in ten seconds', async () => {
    stopClock();
    const chat = await startChat({ env: { CONNECTIONS_PER_PERSON: '100' } });
    const ann = await chat.signIn('Ann');
    for (let n = 0; n < 60; n++) await (await ann.reads('lobby')).leaves();
    const refused = await ann.get('/api/rooms/lobby/events');
    expect([refused.status, (await refused.json()).error.code]).toEqual([429, 'too_fast']);
  });

  it('leaves nothing behind when it goes away at once', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }); // without pings, which would notice it too
    onTestFinished(() => void vi.useRealTimers());
    const chat = await startChat();
    const { cookie } = await chat.signIn('Ann');
    const paths = ['/api/rooms/lobby/events', '/api/rooms/lobby/messages?after=0&wait=30'];
    for (let n = 0; n < 100; n++)
      await new Promise<void>((resolve) => {
        const socket = connect(chat.port, '127.0.0.1', () => {
          const path = paths[n % paths.length];
          socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${cookie}\r\n\r\n`);
          if (n % 3 === 0) socket.resetAndDestroy();
          else socket.destroySoon();
        });
        socket.on('error', () => {});
        socket.on('close', () => resolve());
      });
    const bob = await chat.signIn('Bob');
    await chat.untilClosed('sse');
    const room = await bob.enters('lobby');
    await says(bob, 'all is well');
    await room.sees({ id: 1 });
  });

  it('changes its transport in the middle of a stream and while the server restarts, without a hole or a repeat', async () => {
    const dataDir = temporaryFolder();
    let chat = await startChat({ dataDir });
    const { cookie } = await chat.signIn('Ann');
    const ids: number[] = [];
    const collect = (frames: readonly Record<string, unknown>[]): void => {
      ids.push(...frames.flatMap(({ id, type }) => (type !== 'ack' && typeof id === 'number' ? [id] : [])));
    };
    let last = 0;
    for (let turn = 0; turn < 16; turn++) {
      if (turn % 5 === 4) {
        await chat.stop();
        chat = await startChat({ dataDir });
      }
      const ann = chat.visitor(cookie);
      const after = ids.at(-1) ?? 0;
      const query = `?after=${after}&epoch=${chat.server.epoch}`;
      await says(ann, `before ${turn}`);
      last += 2;
      if (turn % 4 === 3) {
        const first = await (await ann.get(`/api/rooms/lobby/messages?after=${after}&wait=30`)).json();
        collect(first.messages);
        const waiting = ann.get(`/api/rooms/lobby/messages?after=${ids.at(-1)}&wait=30`);
        await says(ann, `after ${turn}`);
        collect((await (await waiting).json()).messages);
        continue;
      }
      const reader =
        turn % 4 === 0
          ? await ann.enters('lobby', { query })
          : await ann.reads('lobby', { query, ...formatOfTurn(turn) });
      await says(ann, `after ${turn}`);
      await reader.sees({ id: last });
      collect(reader.frames);
      await reader.leaves();
    }
    expect(ids).toEqual(Array.from({ length: last }, (_, n) => n + 1));
  }, 30_000);
});

function formatOfTurn(turn: number): { readonly format: (typeof formats)[number] } {
  return { format: formats[turn % 2] ?? 'text/event-stream' };
}
