/** Bytes that no correct client sends. After each, the server still delivers a numbered message to an open socket. */
import { connect, type Socket as TcpSocket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Chat, startChat, type Visitor } from '../harness.js';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

function handshake(
  path: string,
  extra = '',
  { method = 'GET', version = '13', key = KEY, upgrade = 'websocket' } = {},
): string {
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\nSec-WebSocket-Version: ${version}\r\nSec-WebSocket-Key: ${key}\r\n${extra}\r\n`;
}

/** Sends bytes. Resolves with everything that came back until the server closed. */
function exchange(chat: Chat, bytes: string | Buffer, then?: (socket: TcpSocket) => void): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(chat.port, '127.0.0.1', () => {
      socket.write(bytes);
      then?.(socket);
    });
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
}

async function statusOf(chat: Chat, request: string): Promise<number> {
  return Number((await exchange(chat, request)).toString('latin1').split(' ')[1]);
}

/** Starts a server with one open socket; `stillAlive` checks that it gets the next number. */
async function startWatched(): Promise<{ chat: Chat; ann: Visitor; stillAlive: () => Promise<void> }> {
  const chat = await startChat();
  const ann = await chat.signIn('Ann');
  const room = await ann.enters('lobby');
  let said = 0;
  const stillAlive = async (): Promise<void> => {
    room.says(`alive ${++said}`);
    await room.sees({ type: 'chat', id: said });
  };
  return { chat, ann, stillAlive };
}

describe('an upgrade', () => {
  it.each([
    ['to //', handshake('//'), 400],
    ['to //:', handshake('//:'), 400],
    ['to /\\', handshake('/\\'), 400],
    ['to http://[', handshake('http://['), 400],
    ['to *', handshake('*'), 400],
    ['to another path', handshake('/other'), 404],
    ['with a broken escape', handshake('/ws/%E0%A4%A'), 101],
    ['to h2c', handshake('/ws/lobby', '', { upgrade: 'h2c' }), 400],
    ['by POST', handshake('/ws/lobby', 'Content-Length: 0\r\n', { method: 'POST' }), 405],
    ['of version 12', handshake('/ws/lobby', '', { version: '12' }), 426],
    ['with a bad key', handshake('/ws/lobby', '', { key: 'short' }), 400],
    ['from another origin', handshake('/ws/lobby', 'Origin: http://evil.example\r\n'), 403],
    ['from a longer origin', handshake('/ws/lobby', 'Origin: http://127.0.0.1.evil\r\n'), 403],
    ['from an upper case origin', handshake('/ws/lobby', 'Origin: HTTP://127.0.0.1\r\n'), 403],
    ['with 17 KB of headers', handshake('/ws/lobby', `X: ${'x'.repeat(17_000)}\r\n`), 431],
  ])('%s is answered with its status, and harms nobody', async (_, request, status) => {
    const { chat, stillAlive } = await startWatched();
    expect(await statusOf(chat, request)).toBe(status);
    await stillAlive();
  });

  it('leaves nothing behind when the peer resets it', async () => {
    const { chat, ann, stillAlive } = await startWatched();
    for (let n = 0; n < 20; n++)
      await exchange(chat, handshake('/ws/lobby', `Cookie: ${ann.cookie}\r\n`), (socket) =>
        socket.resetAndDestroy(),
      );
    for (let n = 0; n < 20; n++) await exchange(chat, handshake('//'), (socket) => socket.resetAndDestroy());
    await stillAlive();
  });
});

describe('a frame', () => {
  const masked = (first: number, payload: Buffer, length = payload.length): Buffer => {
    const header =
      length < 126
        ? Buffer.from([first, 0x80 | length])
        : Buffer.from([first, 0xfe, length >> 8, length & 255]);
    return Buffer.concat([header, Buffer.alloc(4), payload]);
  };
  const huge = (size: bigint): Buffer => {
    const header = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.writeBigUInt64BE(size, 2);
    return header;
  };
  it.each([
    ['unmasked', Buffer.from([0x81, 1, 65]), 1002],
    ['with a reserved bit', masked(0xc1, Buffer.from('x')), 1002],
    ['of an unknown opcode', masked(0x83, Buffer.from('x')), 1002],
    ['that is a fragmented ping', masked(0x09, Buffer.from('x')), 1002],
    ['that is a long ping', masked(0x89, Buffer.alloc(126)), 1002],
    ['with a bad close code', masked(0x88, Buffer.from([0x03, 0xec])), 1002],
    ['of bad UTF-8', masked(0x81, Buffer.from([0xc3, 0x28])), 1007],
    [
      'of bad UTF-8 in two fragments',
      Buffer.concat([masked(0x01, Buffer.from([0xe2, 0x82])), masked(0x80, Buffer.from([0x28]))]),
      1007,
    ],
    ['of binary data', masked(0x82, Buffer.from('x')), 1003],
    ['of 64 KiB and one byte', huge(65_537n), 1009],
    ['of 2^31 announced', huge(2n ** 31n), 1009],
    ['of 2^63 announced', huge(2n ** 63n), 1009],
    [
      'in thousands of fragments',
      Buffer.concat([
        masked(0x01, Buffer.from('x')),
        ...Array.from({ length: 3000 }, () => masked(0x00, Buffer.alloc(0))),
      ]),
      1008,
    ],
  ])('%s is closed with its code', async (_, frame, code) => {
    const { chat, ann, stillAlive } = await startWatched();
    const answer = await exchange(
      chat,
      Buffer.concat([Buffer.from(handshake('/ws/lobby?history=0', `Cookie: ${ann.cookie}\r\n`)), frame]),
    );
    const at = answer.lastIndexOf(Buffer.from([code >> 8, code & 255]));
    expect(answer.toString('latin1')).toContain('101 Switching');
    expect(at).toBeGreaterThan(0);
    expect(answer[at - 2]).toBe(0x88);
    await stillAlive();
  });
});

describe('a request', () => {
  it.each([
    ['up the tree', 'GET /../package.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 404],
    [
      'up the tree, encoded',
      'GET /%2e%2e/package.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      404,
    ],
    ['with a NUL', 'GET /%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 404],
    [
      'with a body of 4 GB announced',
      'POST /signin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4294967296\r\n\r\n',
      413,
    ],
    [
      'with Expect: 100-continue and a body of 4 GB',
      'POST /signin HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 4294967296\r\n\r\n',
      413,
    ],
    [
      'from another site',
      'POST /signout HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
      403,
    ],
    ['to sign out by an image', 'GET /signout HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 405],
  ])('%s is refused with its status', async (_, request, status) => {
    const { chat, stillAlive } = await startWatched();
    expect(await statusOf(chat, request)).toBe(status);
    await stillAlive();
  });

  it('is closed within about ten seconds when its headers never end or never begin', {
    timeout: 25_000,
  }, async () => {
    const { chat, stillAlive } = await startWatched();
    const start = Date.now();
    const [slow, silent] = await Promise.all([
      exchange(chat, 'GET / HTTP/1.1\r\nHost: localhost\r\n'),
      exchange(chat, ''),
    ]);
    expect(Date.now() - start).toBeLessThan(12_000);
    expect(slow.toString()).toContain('408');
    expect(silent.length).toBeLessThan(200);
    await stillAlive();
  });

  it('to sign in redirects only to local paths', async () => {
    const { chat } = await startWatched();
    for (const [n, next] of ['//evil', '/\\evil', 'https://evil', '/r/kitchen'].entries()) {
      const body = new URLSearchParams({ name: `Visitor ${'abcd'[n]}`, next });
      const answer = await fetch(`${chat.origin}/signin`, { method: 'POST', body, redirect: 'manual' });
      expect([answer.status, answer.headers.get('location')]).toEqual([
        303,
        next === '/r/kitchen' ? next : '/',
      ]);
    }
  });
});
