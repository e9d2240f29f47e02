/** Bytes that no correct client sends. After each, the server still delivers a numbered message to an open socket. */
import type { Socket as TcpSocket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Chat, startChat, type Visitor } from '../harness.js';
import { closeCodeOf, exchange, frame, handshake, KEY, statusesOf, statusOf } from '../raw.js';

const CLOSE = 'Connection: close\r\n';

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
    ['to a list of protocols', handshake('/ws/lobby', '', { upgrade: 'websocket, h2c' }), 101],
    ['by POST', handshake('/ws/lobby', 'Content-Length: 0\r\n', { method: 'POST' }), 405],
    ['of version 12', handshake('/ws/lobby', '', { version: '12' }), 426],
    ['with a bad key', handshake('/ws/lobby', '', { key: 'short' }), 400],
    ['from another origin', handshake('/ws/lobby', 'Origin: http://evil.example\r\n'), 403],
    ['from a longer origin', handshake('/ws/lobby', 'Origin: http://127.0.0.1.evil\r\n'), 403],
    ['from an upper case origin', handshake('/ws/lobby', 'Origin: HTTP://127.0.0.1\r\n'), 403],
    ['with 17 KB of headers', handshake('/ws/lobby', `X: ${'x'.repeat(17_000)}\r\n`), 431],
    ['without Host', handshake('/ws/lobby').replace('Host: 127.0.0.1\r\n', ''), 400],
    ['with two Hosts', handshake('/ws/lobby', 'Host: 127.0.0.1\r\n'), 400],
    ['with a broken Host', handshake('/ws/lobby').replace('127.0.0.1', 'a/b'), 400],
    ['by HTTP/1.0', handshake('/ws/lobby').replace('HTTP/1.1', 'HTTP/1.0'), 400],
    ['by HTTP/2.0', handshake('/ws/lobby').replace('HTTP/1.1', 'HTTP/2.0'), 400],
    ['without a version', handshake('/ws/lobby').replace(/Sec-WebSocket-Version.*\r\n/, ''), 426],
    ['with the version twice', handshake('/ws/lobby', 'Sec-WebSocket-Version: 13\r\n'), 400],
    ['without a key', handshake('/ws/lobby').replace(/Sec-WebSocket-Key.*\r\n/, ''), 400],
    ['with the key twice', handshake('/ws/lobby', `Sec-WebSocket-Key: ${KEY}\r\n`), 400],
    ['without Upgrade', handshake('/ws/lobby').replace('Upgrade: websocket\r\n', CLOSE), 426],
    ['without Connection', handshake('/ws/lobby').replace('Connection: Upgrade', 'Connection: close'), 426],
    ['with an empty after', handshake('/ws/lobby?after='), 400],
    ['with after and no value', handshake('/ws/lobby?after'), 400],
    ['with a negative after', handshake('/ws/lobby?after=-1'), 400],
    ['with an after that is no number', handshake('/ws/lobby?after=x'), 400],
    ['with a broken after', handshake('/ws/lobby?after=1.5'), 400],
    ['with after twice', handshake('/ws/lobby?after=1&after=2'), 400],
    ['with an empty epoch', handshake('/ws/lobby?epoch='), 400],
    ['with a history over 500', handshake('/ws/lobby?history=501'), 400],
    ['with a history that is no number', handshake('/ws/lobby?history=all'), 400],
    ['with an after above 2^53', handshake(`/ws/lobby?after=${'9'.repeat(30)}`), 101],
    ['from an opaque origin', handshake('/ws/lobby', 'Origin: null\r\n'), 403],
    [
      'from our own page that hides its origin',
      handshake('/ws/lobby', 'Origin: null\r\nSec-Fetch-Site: same-origin\r\n'),
      101,
    ],
  ])('%s is answered with its status, and harms nobody', async (_, request, status) => {
    const { chat, stillAlive } = await startWatched();
    expect(await statusOf(chat.port, request)).toBe(status);
    await stillAlive();
  });

  it('leaves nothing behind when the peer resets it', async () => {
    const { chat, ann, stillAlive } = await startWatched();
    for (let n = 0; n < 20; n++)
      await exchange(chat.port, handshake('/ws/lobby', `Cookie: ${ann.cookie}\r\n`), (socket) =>
        socket.resetAndDestroy(),
      );
    for (let n = 0; n < 20; n++)
      await exchange(chat.port, handshake('//'), (socket) => socket.resetAndDestroy());
    await stillAlive();
  });
});

describe('an upgrade to another protocol', () => {
  const h2c = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
  const head = (request: string): string => `${request} HTTP/1.1\r\nHost: 127.0.0.1\r\n`;
  const last = `${head('GET /healthz')}${CLOSE}\r\n`;
  const signin = `${head('POST /signin')}${h2c}Content-Type: application/json\r\n`;
  const length = 'Content-Length: 14\r\n\r\n';

  it('is answered as if it asked for none, on a connection that stays open', async () => {
    const { chat, stillAlive } = await startWatched();
    const get = `${head('GET /healthz')}${h2c}\r\n`;
    expect(await statusesOf(chat.port, get + get + last)).toEqual([200, 200, 200]);
    expect(
      await statusOf(chat.port, get.replace('h2c', 'TLS/1.0').replace('Upgrade,', 'close, Upgrade,')),
    ).toBe(200);
    await stillAlive();
  });

  it('is answered with its body, also when that comes later and in parts', async () => {
    const { chat, stillAlive } = await startWatched();
    expect(await statusesOf(chat.port, `${signin}${length}{"name":"Zoe"}${last}`)).toEqual([200, 200]);
    const answer = await exchange(chat.port, signin + length, async (socket) => {
      for (const part of ['{"name', '":"Bo" }', last]) {
        await new Promise((resolve) => setImmediate(resolve));
        socket.write(part);
      }
    });
    expect(answer.toString()).toContain('"name":"Bo"');
    await stillAlive();
  });

  it('of a chunked body is answered with it', async () => {
    const { chat } = await startWatched();
    const chunks = '8\r\n{"name":\r\n6\r\n"Zara"\r\n1\r\n}\r\n0\r\n\r\n';
    const request = `${signin}Transfer-Encoding: chunked\r\n\r\n${chunks}`;
    expect(await statusesOf(chat.port, request + last)).toEqual([200, 200]);
  });

  it('has no effect on a request over the limits of HTTP', async () => {
    const { chat, stillAlive } = await startWatched();
    const big = `${signin}Content-Length: 4294967296\r\n\r\n`;
    expect(await statusOf(chat.port, big)).toBe(413);
    expect(await statusOf(chat.port, `${head('GET /ws/lobby')}${h2c}\r\n`)).toBe(426);
    await stillAlive();
  });
});

describe('a frame', () => {
  it.each([
    ['unmasked', Buffer.from([0x81, 1, 65]), 1002],
    ['with a reserved bit', frame(0xc1, 'x'), 1002],
    ['of an unknown opcode', frame(0x83, 'x'), 1002],
    ['that is a fragmented ping', frame(0x09, 'x'), 1002],
    ['that is a long ping', frame(0x89, Buffer.alloc(126)), 1002],
    ['with a bad close code', frame(0x88, Buffer.from([0x03, 0xec])), 1002],
    ['with the second reserved bit', frame(0xa1, 'x'), 1002],
    ['with the third reserved bit', frame(0x91, 'x'), 1002],
    ['of an unknown control opcode', frame(0x8b, 'x'), 1002],
    ['that continues nothing', frame(0x80, 'x'), 1002],
    ['that begins anew within a message', Buffer.concat([frame(0x01, 'x'), frame(0x81, 'y')]), 1002],
    ['that is a pong in fragments', frame(0x0a, 'x'), 1002],
    ['that is a long pong', frame(0x8a, Buffer.alloc(126)), 1002],
    ['that closes in fragments', frame(0x08, Buffer.from([3, 232])), 1002],
    ['that closes with one byte', frame(0x88, 'x'), 1002],
    ['that closes with a code below 1000', frame(0x88, Buffer.from([3, 231])), 1002],
    ['that closes with 1005', frame(0x88, Buffer.from([3, 237])), 1002],
    ['that closes with 1006', frame(0x88, Buffer.from([3, 238])), 1002],
    ['that closes with 1015', frame(0x88, Buffer.from([3, 247])), 1002],
    ['that closes with 5000', frame(0x88, Buffer.from([0x13, 0x88])), 1002],
    ['that closes with bad UTF-8', frame(0x88, Buffer.from([3, 232, 0xc3, 0x28])), 1007],
    ['of half a character', frame(0x81, Buffer.from([0xe2, 0x82])), 1007],
    ['of a surrogate in UTF-8', frame(0x81, Buffer.from([0xed, 0xa0, 0x80])), 1007],
    ['of a character that is too long', frame(0x81, Buffer.from([0xc0, 0x80])), 1007],
    ['of a character above U+10FFFF', frame(0x81, Buffer.from([0xf4, 0x90, 0x80, 0x80])), 1007],
    ['of binary data in fragments', Buffer.concat([frame(0x02, 'x'), frame(0x80, 'y')]), 1003],
    [
      'of 64 KiB in fragments',
      Buffer.concat([frame(0x01, Buffer.alloc(60_000, 97)), frame(0x80, '', 6000n)]),
      1009,
    ],
    ['of bad UTF-8', frame(0x81, Buffer.from([0xc3, 0x28])), 1007],
    [
      'of bad UTF-8 in two fragments',
      Buffer.concat([frame(0x01, Buffer.from([0xe2, 0x82])), frame(0x80, Buffer.from([0x28]))]),
      1007,
    ],
    ['of binary data', frame(0x82, 'x'), 1003],
    ['of 64 KiB and one byte', frame(0x81, '', 65_537n), 1009],
    ['of 2^31 announced', frame(0x81, '', 2n ** 31n), 1009],
    ['of 2^63 announced', frame(0x81, '', 2n ** 63n), 1009],
    [
      'in thousands of fragments',
      Buffer.concat([frame(0x01, 'x'), ...Array.from({ length: 3000 }, () => frame(0x00, ''))]),
      1008,
    ],
  ])('%s is closed with its code', async (_, bytes, code) => {
    const { chat, ann, stillAlive } = await startWatched();
    const answer = await exchange(
      chat.port,
      Buffer.concat([Buffer.from(handshake('/ws/lobby?history=0', `Cookie: ${ann.cookie}\r\n`)), bytes]),
    );
    expect(answer.toString('latin1')).toContain('101 Switching');
    expect(closeCodeOf(answer)).toBe(code);
    await stillAlive();
  });
});

/** Violations of RFC 9112, by its sections. None reaches a handler. */
describe('a request that RFC 9112 calls invalid', () => {
  const get = (line: string, headers = 'Host: localhost\r\n'): string => `${line}\r\n${headers}${CLOSE}\r\n`;
  const post = (headers: string, body = ''): string =>
    `${get('POST /signin HTTP/1.1', `Host: localhost\r\nContent-Type: application/json\r\n${headers}`)}${body}`;
  const chunked = 'Transfer-Encoding: chunked\r\n';
  it.each([
    ['2.2: with bare line feeds', get('GET /healthz HTTP/1.1').replaceAll('\r\n', '\n')],
    ['2.2: with a bare carriage return', get('GET /healthz HTTP/1.1', 'X: a\rb\r\nHost: localhost\r\n')],
    ['2.2: with space before the first header', get('GET /healthz HTTP/1.1', ' X: a\r\nHost: localhost\r\n')],
    ['2.3: of HTTP/0.9', 'GET /healthz\r\n\r\n'],
    ['2.3: of HTTP/2.0', get('GET /healthz HTTP/2.0')],
    ['2.3: of HTTP/1.2', get('GET /healthz HTTP/1.2')],
    ['2.3: of http/1.1 in lower case', get('GET /healthz http/1.1')],
    ['2.3: that begins HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['3: with a space in its target', get('GET /a b HTTP/1.1')],
    ['3: with a tab in its target', get('GET /a\tb HTTP/1.1')],
    ['3: with bytes above ASCII in its target', get('GET /r/\u00e4 HTTP/1.1')],
    ['3.1: of an unknown method', get('FOO / HTTP/1.1')],
    ['3.1: of a method in lower case', get('get / HTTP/1.1')],
    ['3.2: with a fragment in its target', get('GET /healthz#x HTTP/1.1')],
    ['3.2: of another scheme', get('GET ftp://localhost/ HTTP/1.1')],
    ['3.2: of an address that is none', get('GET http://[ HTTP/1.1')],
    ['3.2: without Host', get('GET /healthz HTTP/1.1', '')],
    ['3.2: with two Hosts', get('GET /healthz HTTP/1.1', 'Host: localhost\r\nHost: localhost\r\n')],
    ['3.2: with a space in Host', get('GET /healthz HTTP/1.1', 'Host: a b\r\n')],
    ['3.2: with a path in Host', get('GET /healthz HTTP/1.1', 'Host: localhost/x\r\n')],
    ['3.2: with a user in Host', get('GET /healthz HTTP/1.1', 'Host: a@localhost\r\n')],
    ['3.2: with two hosts in Host', get('GET /healthz HTTP/1.1', 'Host: localhost, evil\r\n')],
    ['5.1: with space before a colon', get('GET /healthz HTTP/1.1', 'Host : localhost\r\n')],
    ['5.1: with a header without a colon', get('GET /healthz HTTP/1.1', 'Host: localhost\r\nX\r\n')],
    ['5.1: with a header without a name', get('GET /healthz HTTP/1.1', 'Host: localhost\r\n: x\r\n')],
    ['5.2: with a folded header', get('GET /healthz HTTP/1.1', 'Host: localhost\r\nX: a\r\n b\r\n')],
    ['5.5 of RFC 9110: with NUL in a header', get('GET /healthz HTTP/1.1', 'Host: localhost\r\nX: a\0b\r\n')],
    ['6.1: with a length and chunks', post(`Content-Length: 2\r\n${chunked}`, '0\r\n\r\n')],
    ['6.1: with chunks in HTTP/1.0', post(chunked, '0\r\n\r\n').replace('HTTP/1.1', 'HTTP/1.0')],
    ['6.1: of a coding without chunks', post('Transfer-Encoding: gzip\r\n', '{}')],
    ['6.1: with chunks that are not the last coding', post('Transfer-Encoding: chunked, gzip\r\n')],
    ['6.1: with chunks twice', post(chunked + chunked, '0\r\n\r\n')],
    ['6.1: of an unknown coding', post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n')],
    ['6.3: with two lengths', post('Content-Length: 2\r\nContent-Length: 3\r\n', '{}')],
    ['6.3: with a list of lengths', post('Content-Length: 2, 2\r\n', '{}')],
    ['6.3: with a signed length', post('Content-Length: +2\r\n', '{}')],
    ['6.3: with a negative length', post('Content-Length: -2\r\n', '{}')],
    ['6.3: with a length in hex', post('Content-Length: 0x2\r\n', '{}')],
    ['6.3: with a length above 2^64', post('Content-Length: 99999999999999999999\r\n', '{}')],
    ['7.1: with a chunk of no length', post(chunked, 'zz\r\n\r\n')],
    ['7.1: with a chunk above 2^64', post(chunked, 'fffffffffffffffff\r\n\r\n')],
    ['7.1: with a chunk that is too long', post(chunked, '2\r\n{}x\r\n0\r\n\r\n')],
    ['that is TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s is answered with 400', async (_, request) => {
    const { chat, stillAlive } = await startWatched();
    expect(await statusesOf(chat.port, request)).toEqual([400]);
    await stillAlive();
  });

  it.each([
    ['an absolute target', get('GET http://localhost/healthz HTTP/1.1'), 200],
    ['HTTP/1.0 without Host', 'GET /healthz HTTP/1.0\r\n\r\n', 200],
    ['an empty line first', `\r\n${get('GET /healthz HTTP/1.1')}`, 200],
    ['chunks', post(chunked, 'e\r\n{"name":"Zoe"}\r\n0\r\n\r\n'), 200],
    ['an extension of a chunk', post(chunked, 'e;a=b\r\n{"name":"Zoe"}\r\n0\r\nX: y\r\n\r\n'), 200],
    ['extensions of 20 KB', post(chunked, `e;${'a'.repeat(20_000)}\r\n`), 413],
    ['a target of 20 KB', get(`GET /${'a'.repeat(20_000)} HTTP/1.1`), 431],
    ['TRACE', get('TRACE / HTTP/1.1'), 501],
    ['an expectation that nobody knows', post('Expect: 200-ok\r\nContent-Length: 2\r\n', '{}'), 417],
  ])('is no request with %s', async (_, request, status) => {
    const { chat } = await startWatched();
    expect(await statusOf(chat.port, request)).toBe(status);
  });
});

describe('a connection that is reset while its requests wait', () => {
  it('harms nobody', async () => {
    const { chat, ann, stillAlive } = await startWatched();
    const get = `GET /r/lobby HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${ann.cookie}\r\n`;
    const h2c = `${get}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`;
    for (let n = 0; n < 60; n++) {
      const requests = (n % 2 === 0 ? `${get}\r\n` : h2c).repeat(50);
      const reset = (socket: TcpSocket): void => void setTimeout(() => socket.resetAndDestroy(), n % 10);
      await exchange(chat.port, requests, reset);
    }
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
    expect(await statusOf(chat.port, request)).toBe(status);
    await stillAlive();
  });

  it('is closed after eight seconds when its headers never end or never begin', async () => {
    const { chat, stillAlive } = await startWatched();
    const { http } = chat.server;
    expect([http.headersTimeout, http.requestTimeout]).toEqual([8_000, 15_000]);
    Object.assign(http, { headersTimeout: 100, requestTimeout: 0 }); // shorter here, and alone
    const [slow, silent] = await Promise.all([
      exchange(chat.port, 'GET / HTTP/1.1\r\nHost: localhost\r\n'),
      exchange(chat.port, ''),
    ]);
    expect(slow.toString()).toContain('408');
    expect(silent.length).toBeLessThan(200);
    await stillAlive();
  });

  it('to sign in redirects only to local paths', async () => {
    const { chat } = await startWatched();
    for (const [n, next] of ['//evil', '/\\evil', 'https://evil', '/r/kitchen'].entries()) {
      const answer = await chat.visitor().submits('/signin', { name: `Visitor ${'abcd'[n]}`, next });
      expect([answer.status, answer.headers.get('location')]).toEqual([
        303,
        next === '/r/kitchen' ? next : '/',
      ]);
    }
  });
});
