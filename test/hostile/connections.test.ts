/** Plain connections that nobody uses, and answers that nobody reads. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readConfig } from '../../src/config.js';
import { PlainConnections, UnreadAnswers } from '../../src/http/connections.js';
import { startChat } from '../harness.js';
import { exchange, handshake, statusesOf } from '../raw.js';

const withoutProxies = { TRUSTED_PROXIES: 'none' };

/** A connection from an address of this machine, open. */
async function dial(port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

const closed = (socket: Socket): Promise<unknown> => once(socket.resume(), 'close');
const healthz = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('plain connections of one address over the limit', () => {
  it('push out the one that was idle longest, and no other address', async () => {
    const chat = await startChat({ env: { ...withoutProxies, CONNECTIONS_PER_ADDRESS: '3' } });
    const other = await dial(chat.port, '127.0.0.2');
    const [first, second] = [await dial(chat.port), await dial(chat.port)];
    first.write(healthz);
    await once(first, 'data'); // it was used last
    const gone = closed(second);
    const rest = [await dial(chat.port), await dial(chat.port)];
    await gone;
    for (const socket of [other, first, ...rest]) {
      socket.write(healthz);
      expect(String(await once(socket, 'data'))).toContain('200 OK');
    }
  });

  it('are closed at once while all others have a request under way', async () => {
    const chat = await startChat({ env: { ...withoutProxies, CONNECTIONS_PER_ADDRESS: '2' } });
    const post =
      'POST /signin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n';
    const busy = [await dial(chat.port), await dial(chat.port)];
    for (const socket of busy) {
      socket.write(`${post}{`);
      await once(chat.server.http, 'request');
    }
    await closed(await dial(chat.port));
    const [first] = busy;
    first?.write('"name":"Ann" }');
    expect(String(await once(first as Socket, 'data'))).toContain('"name":"Ann"');
  });

  it('do not count those that became WebSockets', async () => {
    const chat = await startChat({ env: { ...withoutProxies, CONNECTIONS_PER_ADDRESS: '2' } });
    const ann = await chat.signIn('Ann');
    const sockets = [await ann.enters('lobby'), await ann.enters('lobby')];
    expect((await ann.get('/api/me')).status).toBe(200);
    for (const socket of sockets) await socket.sees({ type: 'hello' });
  });

  it('of a trusted proxy are closed only when they are idle', async () => {
    const chat = await startChat({ env: { CONNECTIONS_PER_ADDRESS: '1' } });
    const first = await dial(chat.port);
    const gone = closed(first);
    const second = await dial(chat.port);
    await gone;
    second.write('POST /signin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n');
    await once(chat.server.http, 'request');
    const third = await dial(chat.port);
    third.write(healthz);
    expect(String(await once(third, 'data'))).toContain('200 OK');
  });
});

describe('a server without descriptors for more', () => {
  it('closes idle connections of the address that has most of them', async () => {
    const server = createServer((_, response) => void response.end());
    const connections = new PlainConnections(0, readConfig({}).trustedProxies);
    connections.attach(server);
    server.on('request', (request, response) => connections.onRequest(request.socket, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const many = [await dial(port), await dial(port), await dial(port)];
    const few = await dial(port, '127.0.0.2');
    const gone = Promise.all(many.slice(0, 2).map(closed));
    expect(connections.closeIdle(2)).toBe(2);
    await gone;
    expect([few, many[2]].map((socket) => socket?.destroyed)).toEqual([false, false]);
    expect(connections.closeIdle(9)).toBe(2);
    expect(connections.closeIdle(-5)).toBe(0);
  });
});

describe('answers that nobody reads', () => {
  it('are cut over 8 MiB, the oldest of the address with most of them first', () => {
    const unread = new UnreadAnswers(readConfig({}).trustedProxies);
    const cut: string[] = [];
    const answer = (name: string, address: string, writableLength: number) => {
      const request = { headers: {}, socket: { remoteAddress: address } };
      const response = { writableLength, once: () => {}, destroy: () => cut.push(name) };
      unread.add(request as never, response as never);
    };
    answer('honest', '192.0.2.1', 256 * 1024);
    for (let n = 1; n <= 34; n++) answer(`attack ${n}`, '192.0.2.2', 256 * 1024);
    expect(cut).toEqual(['attack 1', 'attack 2', 'attack 3']);
  });

  it('are cut after thirty seconds without progress', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const room = await ann.enters('lobby');
    for (let n = 0; n < 20; n++) room.says('😀'.repeat(4000));
    await room.seesAll({ type: 'chat' }, 20);
    const get = `GET /api/rooms/lobby/messages?limit=500 HTTP/1.1\r\nHost: localhost\r\nCookie: ${ann.cookie}\r\n\r\n`;
    const reader = await dial(chat.port);
    reader.pause();
    reader.write(get.repeat(40)); // 10 MB: more than the kernel takes
    const timeouts = new Set<number | undefined>();
    await new Promise<void>((resolve) => {
      chat.server.http.on('request', ({ socket }) => {
        timeouts.add(socket.timeout);
        socket.setTimeout(200);
        socket.once('close', () => resolve());
      });
    });
    expect([...timeouts]).toEqual([30_000]);
    await room.sees({ type: 'chat', cid: room.says('still here') });
  });
});

describe('requests that do not wait for answers', () => {
  it('are answered in order', async () => {
    const chat = await startChat();
    const paths = Array.from({ length: 90 }, (_, n) => (n % 3 === 0 ? '/healthz' : '/api/me'));
    const head = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n`;
    const requests = paths.map((path) => `${head(path)}\r\n`).join('');
    const last = `${head('/readyz')}Connection: close\r\n\r\n`;
    expect(await statusesOf(chat.port, requests + last)).toEqual([
      ...paths.map((path) => (path === '/healthz' ? 200 : 401)),
      200,
    ]);
  });

  it('run one after the other, also by the thousand', async () => {
    const chat = await startChat();
    const room = await (await chat.signIn('Ann')).enters('lobby');
    let [running, most] = [0, 0];
    chat.server.http.on('request', (_, response) => {
      most = Math.max(most, ++running);
      response.once('close', () => running--);
    });
    const last = healthz.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
    const answers = statusesOf(chat.port, healthz.repeat(3000) + last);
    await room.sees({ type: 'chat', cid: room.says('meanwhile') });
    expect(await answers).toEqual(Array.from({ length: 3001 }, () => 200));
    expect(most).toBe(1);
  });

  it('may be followed by an upgrade', async () => {
    const chat = await startChat();
    expect(await statusesOf(chat.port, healthz + healthz + handshake('/ws/lobby'))).toEqual([200, 200, 101]);
  });
});

describe('a page of history', () => {
  it('has at most 256 KiB, nearest to the number asked for, and at least one event', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const room = await ann.enters('lobby');
    for (let n = 0; n < 40; n++) room.says('😀'.repeat(4000));
    await room.seesAll({ type: 'chat' }, 40);
    const page = async (query: string) => {
      const text = await (await ann.get(`/api/rooms/lobby/messages?limit=500${query}`)).text();
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(256 * 1024);
      const { messages, complete, last } = JSON.parse(text) as {
        messages: { id: number }[];
        complete: boolean;
        last: number;
      };
      expect([complete, last]).toEqual([true, 40]);
      return messages.map(({ id }) => id);
    };
    const sixteen = (from: number): number[] => Array.from({ length: 16 }, (_, n) => from + n);
    expect(await page('')).toEqual(sixteen(25));
    expect(await page('&before=30')).toEqual(sixteen(14));
    expect(await page('&after=3')).toEqual(sixteen(4));
    expect(await page('&after=39')).toEqual([40]);
  });

  it('of mentions has at most 256 KiB, and the next one begins where it ends', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const room = await ann.enters('lobby');
    for (let n = 0; n < 40; n++) room.says(`@Bob ${'😀'.repeat(3990)}`);
    await room.seesAll({ type: 'chat' }, 40);
    const seen: number[] = [];
    for (let before = ''; ; ) {
      const text = await (await bob.get(`/api/mentions?limit=100${before}`)).text();
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(256 * 1024);
      const { messages, next } = JSON.parse(text) as { messages: { id: number }[]; next?: number };
      seen.push(...messages.map(({ id }) => id));
      if (next === undefined) break;
      before = `&before=${next}`;
    }
    expect(seen).toEqual(Array.from({ length: 40 }, (_, n) => 40 - n));
  });
});

describe('a connection', () => {
  it('is kept longer than proxies keep idle connections', async () => {
    const chat = await startChat();
    expect((await chat.visitor().get('/healthz')).headers.get('keep-alive')).toBe('timeout=125');
  });
});

describe('a room of long messages', () => {
  it('is replayed to 16 readers at once in a few seconds of processor time', {
    timeout: 60_000,
  }, async () => {
    const chat = await startChat({ env: { SEND_BUFFER: '0' } });
    const ann = await chat.signIn('Ann');
    const room = await ann.enters('lobby');
    for (let n = 0; n < 500; n++) room.says('😀'.repeat(4000));
    await room.seesAll({ type: 'chat' }, 500, 20_000);
    const before = process.cpuUsage();
    const read = async (): Promise<void> => {
      const reader = await dial(chat.port);
      reader.write(
        `GET /api/rooms/lobby/events?after=0 HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\nCookie: ${ann.cookie}\r\n\r\n`,
      );
      let tail: Buffer = Buffer.alloc(0);
      await new Promise<void>((resolve) => {
        reader.on('data', (chunk: Buffer) => {
          const seam = Buffer.concat([tail, chunk.subarray(0, 16)]);
          if (chunk.includes('{"id":500,') || seam.includes('{"id":500,')) resolve();
          tail = chunk.subarray(-16);
        });
      });
    };
    await Promise.all(Array.from({ length: 16 }, read));
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(9); // 3 s on a busy machine; 14 s at rest when a page read 256 events to send 8
  });
});

describe('an upgrade that is refused', () => {
  it('ends its connection', async () => {
    const chat = await startChat();
    expect((await exchange(chat.port, handshake('//'))).toString()).toContain('Connection: close');
  });
});
