/** Floods, slow readers, wrong clocks, keys and origins. */
import { once } from 'node:events';
import { connect } from 'node:net';
import Keygrip from 'keygrip';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import WebSocket from 'ws';
import { newKey } from '../../src/session.js';
import { startChat } from '../harness.js';

const KEYS = [newKey(), newKey()] as const;

describe('a server under a flood', () => {
  it('answers sign-ins over the limit with 429 and Retry-After', async () => {
    const chat = await startChat({ env: { SIGNINS_PER_MINUTE: '2' }, now: () => 1_800_000_000_000 });
    for (let n = 0; n < 60; n++) await chat.signIn(`Pupil ${n}`); // a class behind one address
    const refused = await chat.post('/signin', { name: 'Cleo' });
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('30');
    expect(await refused.json()).toMatchObject({ error: { code: 'too_many' } });
  });

  it('answers sockets over the limit of an address with 429, and leaves the others alone', async () => {
    const chat = await startChat({ env: { CONNECTIONS_PER_ADDRESS: '2' } });
    const ann = await chat.signIn('Ann');
    const [one, two] = [await ann.enters('lobby'), await ann.enters('lobby')];
    expect(await ann.knocks('/ws/lobby').closed).toBe(429);
    await two.sees({ type: 'chat', cid: one.says('hello') });
    await two.leaves();
    await chat.untilOpen('websocket', 1);
    const three = await ann.enters('lobby');
    await three.sees({ type: 'hello' });
    await three.leaves();
    await chat.untilOpen('websocket', 1);
    const stranger = chat.visitor().knocks('/ws/lobby');
    expect(await stranger.closed).toBe(4001); // counts only while it was open
    await chat.untilMetric('oneport_closes_total{code="4001"} 1');
    const four = await ann.enters('lobby');
    await four.sees({ type: 'hello' });
    expect(await chat.visitor().knocks('/ws/lobby').closed).toBe(429);
  });

  it('counts at most 64 sockets of an address that are not signed in', async () => {
    const chat = await startChat({ env: { CONNECTIONS_PER_ADDRESS: '1024' } });
    const ann = await chat.signIn('Ann');
    stopTimeouts();
    const strangers = await Promise.all(
      Array.from({ length: 64 }, async () => openSilently(chat.port, '/ws/lobby')),
    );
    expect(strangers.every((head) => head.startsWith('HTTP/1.1 101'))).toBe(true);
    expect(await openSilently(chat.port, '/ws/lobby')).toMatch(/^HTTP\/1\.1 429/);
    await (await ann.enters('lobby')).sees({ type: 'hello' });
  });

  it('counts an IPv6 client by its /64 network', async () => {
    const chat = await startChat({ env: { CONNECTIONS_PER_ADDRESS: '1' } });
    const ann = await chat.signIn('Ann');
    const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });
    await ann.enters('lobby', from('2001:db8:1:2::3'));
    expect(await ann.knocks('/ws/lobby', from('2001:db8:1:2:ffff::4')).closed).toBe(429);
    await (await ann.enters('lobby', from('2001:db8:1:3::3'))).sees({ type: 'hello' });
  });

  it('cuts a peer that sends pings and never reads the answers', async () => {
    const chat = await startChat({ env: { SEND_BUFFER: '65536' } });
    const ann = await chat.signIn('Ann');
    const witness = await ann.enters('lobby');
    const flood = await ann.enters('lobby');
    const raw = rawOf(flood.ws);
    raw.pause();
    const ping = Buffer.concat([Buffer.from([0x89, 0x80 | 125, 0, 0, 0, 0]), Buffer.alloc(125)]);
    const many = Buffer.concat(Array.from({ length: 1000 }, () => ping));
    const gone = new Promise<void>((resolve) => raw.once('close', () => resolve()));
    for (let n = 0; n < 200 && !raw.destroyed; n++)
      if (!raw.write(many)) await Promise.race([once(raw, 'drain').catch(() => {}), gone]);
    raw.resume();
    await gone;
    await witness.sees({ type: 'chat', cid: witness.says('still here') });
  });
});

/** Stops the timeouts of this process: the server cuts nobody who does not answer a close frame. */
function stopTimeouts(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
}

/** Without a cookie, so that the server upgrades it and closes with 4001. */
const handshake =
  'GET /ws/lobby HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

describe('a slow reader', () => {
  it('is cut when it is over its limit, and resumes at its number without a gap or a repeat', async () => {
    const chat = await startChat({ env: { SEND_BUFFER: '100000' } });
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const speaker = await ann.enters('lobby');
    const slow = await bob.enters('lobby');
    rawOf(slow.ws).pause();
    let said = 0;
    while (chat.server.http.listening && said < 6000 && (await connectionsOf(ann)) > 1) {
      for (const end = said + 250; said < end; ) {
        for (let n = 0; n < 25; n++) speaker.says('x'.repeat(3500)); // no more than the limit, which is also the speaker's
        said += 25;
        await speaker.seesAll({ type: 'chat' }, said);
      }
    }
    expect(await connectionsOf(ann)).toBe(1);
    rawOf(slow.ws).resume();
    expect(await slow.closed).toBe(1006);
    const seen = slow.numbered.length;
    const again = await bob.enters('lobby', { query: `?after=${seen}` });
    await again.seesAll({ type: 'chat' }, said - seen);
    expect([...slow.numbered, ...again.numbered].map(({ id }) => id)).toEqual(
      Array.from({ length: said }, (_, n) => n + 1),
    );
  }, 60_000);

  it('is cut two seconds after a close frame that it does not answer', async () => {
    const chat = await startChat();
    const socket = connect(chat.port, '127.0.0.1');
    const from = Date.now();
    socket.write(handshake);
    socket.resume();
    await once(socket, 'close');
    expect(Date.now() - from).toBeGreaterThan(1500);
    expect(Date.now() - from).toBeLessThan(15_000); // 30 seconds are what ws would wait
  }, 40_000);

  it('is cut before that when it sends frames after the close', async () => {
    const chat = await startChat();
    stopTimeouts();
    const ended: string[] = [];
    const open = async (name: string) => {
      const socket = connect(chat.port, '127.0.0.1').resume();
      onTestFinished(() => void socket.destroy());
      socket.once('end', () => ended.push(name));
      socket.write(handshake);
      await once(socket, 'data'); // the close frame with 4001
      return socket;
    };
    const [silent, noisy] = [await open('silent'), await open('noisy')];
    noisy.write(Buffer.from([0x81, 0x80, 0, 0, 0, 0]));
    await once(noisy, 'end');
    expect(ended).toEqual(['noisy']);
    vi.advanceTimersByTime(2000);
    await once(silent, 'end');
  });

  it('is cut at once by an abort, like every other socket: admitted, rejected or silent', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const admitted = await ann.enters('lobby');
    stopTimeouts(); // it needs no time
    const [silent, refused] = [connect(chat.port, '127.0.0.1'), connect(chat.port, '127.0.0.1')];
    refused.write(handshake);
    await once(refused, 'data');
    const gone = Promise.all([silent, refused].map((socket) => once(socket.resume(), 'close')));
    chat.server.abort();
    await gone;
    expect(await admitted.closed).toBe(1006);
  });
});

describe('a connection', () => {
  it('uses no compression, even when the client offers it', async () => {
    const chat = await startChat();
    const { cookie } = await chat.signIn('Ann');
    const url = `ws://127.0.0.1:${chat.port}/ws/lobby`;
    const ws = new WebSocket(url, { perMessageDeflate: true, headers: { cookie } });
    await once(ws, 'open');
    expect(ws.extensions).toBe('');
    ws.terminate();
  });

  it('gets numbers without a gap and times that never go back when the clock does', async () => {
    let now = Date.parse('2030-01-01');
    const chat = await startChat({ now: () => now });
    const room = await (await chat.signIn('Ann')).enters('lobby');
    const ats: unknown[] = [];
    for (const jump of [0, -3_600_000, 5_000]) {
      now += jump;
      const { id, at } = await room.sees({ type: 'chat', cid: room.says('tick') });
      expect(id).toBe(ats.push(at));
    }
    expect(ats).toEqual([...ats].sort());
    expect(ats[0]).toBe(Date.parse('2030-01-01'));
  });
});

describe('a cookie', () => {
  it('is accepted with an older key and signed again over HTTP, and rejected with an unknown key', async () => {
    const chat = await startChat({ env: { SESSION_KEYS: KEYS.join(',') } });
    const signed = (key: string): string => {
      const session = { id: 'aaaaaaaaaaaa', name: 'Ann', iat: Math.floor(Date.now() / 1000) };
      const value = Buffer.from(JSON.stringify(session)).toString('base64');
      return `name=${value}; name.sig=${new Keygrip([key], 'sha256').sign(`name=${value}`)}`;
    };
    const old = chat.visitor(signed(KEYS[1]));
    await (await old.enters('lobby')).sees({ type: 'hello' });
    const me = await old.get('/api/me');
    expect([me.status, me.headers.getSetCookie().length]).toEqual([200, 4]);
    const stranger = chat.visitor(signed(newKey()));
    expect((await stranger.get('/api/me')).status).toBe(401);
    expect(await stranger.knocks('/ws/lobby').closed).toBe(4001);
  });

  it('is Secure only behind a trusted proxy that uses TLS', async () => {
    const chat = await startChat();
    const plain = await chat.post('/signin', { name: 'Ann' });
    expect(plain.headers.getSetCookie().join()).not.toMatch(/secure/i);
    const secure = await chat.post('/signin', { name: 'Bob' }, { 'x-forwarded-proto': 'https' });
    expect(secure.headers.getSetCookie().every((cookie) => /;\s*secure/i.test(cookie))).toBe(true);
    const untrusting = await startChat({ env: { TRUSTED_PROXIES: 'none' } });
    const ignored = await untrusting.post('/signin', { name: 'Cleo' }, { 'x-forwarded-proto': 'https' });
    expect([ignored.status, ignored.headers.getSetCookie().join()]).toEqual([
      200,
      expect.not.stringMatching(/secure/i),
    ]);
  });
});

describe('PUBLIC_ORIGIN', () => {
  it('makes HTTP and upgrades refuse other hosts and origins with 403', async () => {
    const chat = await startChat({ env: { PUBLIC_ORIGIN: 'https://chat.example.org' } });
    const ann = chat.visitor();
    expect((await ann.get('/signin')).status).toBe(403);
    expect(await ann.knocks('/ws/lobby').closed).toBe(403);
    const host = { host: 'chat.example.org' };
    for (const origin of [
      'https://chat.example.org.evil',
      'http://chat.example.org',
      'https://CHAT.example.org',
    ])
      expect(await ann.knocks('/ws/lobby', { headers: { ...host, origin } }).closed).toBe(403);
    const ours = { ...host, origin: 'https://chat.example.org' };
    expect(await ann.knocks('/ws/lobby', { headers: ours }).closed).toBe(4001);
  });
});

/** The TCP socket under a client's WebSocket. */
function rawOf(ws: WebSocket): import('node:net').Socket {
  return (ws as unknown as { _socket: import('node:net').Socket })._socket; // ws keeps it there, and has no other way to it
}

async function connectionsOf(visitor: { get(path: string): Promise<Response> }): Promise<number> {
  const text = await (await visitor.get('/metrics')).text();
  return Number(/^oneport_connections (\d+)/m.exec(text)?.[1]);
}

/** Opens a socket that never answers the close frame; resolves with the head of the response. */
async function openSilently(port: number, path: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  const [head] = await once(socket, 'data');
  return String(head);
}
