/** Frames and requests made by chance, from a fixed seed, so that a failure can be seen again. */
import { expect, it } from 'vitest';
import { startChat } from '../harness.js';
import { closeCodeOf, exchange, frame, handshake, serverFrames } from '../raw.js';

/** mulberry32: small, and the same on every machine. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Random = ReturnType<typeof createRandom>;

const pick = <T>(random: Random, from: readonly T[]): T => from[random(from.length)] as T;
const bytesOf = (random: Random, length: number): Buffer =>
  Buffer.from(Array.from({ length }, () => random(256)));

const COMMANDS = [
  '{"type":"ping"}',
  '{"type":"typing"}',
  '{"type":"chat","data":"hi","cid":"a"}',
  '{"type":"chat","data":1}',
  '{"type":"edit","target":1,"data":"x"}',
  '{"type":"react","target":1,"data":"🎉"}',
  '{"__proto__":{"type":"chat"},"data":"x"}',
  '[1,2]',
  'null',
  '{"type":"chat","data":"\\ud800"}',
  `${'['.repeat(5000)}`,
  '',
];
const LENGTHS = [
  125n,
  126n,
  65_535n,
  65_536n,
  65_537n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** One frame: mostly of a valid kind, with a payload, a header or a length that may be wrong. */
function randomFrame(random: Random): Buffer {
  const payload = random(2) === 0 ? Buffer.from(pick(random, COMMANDS)) : bytesOf(random, random(200));
  const first = pick(random, [0x81, 0x81, 0x81, 0x01, 0x00, 0x80, 0x82, 0x88, 0x89, 0x8a, random(256)]);
  if (random(6) === 0) return frame(first, payload, pick(random, LENGTHS));
  const whole = frame(first, payload);
  if (random(8) === 0) whole[random(whole.length)] = random(256);
  return random(10) === 0 ? whole.subarray(0, random(whole.length)) : whole;
}

it('answers random frames with valid frames or a close, and goes on', { timeout: 60_000 }, async () => {
  const chat = await startChat();
  const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
  const room = await ann.enters('lobby');
  const codes = new Set<number | undefined>();
  for (let seed = 1; seed <= 400; seed++) {
    const random = createRandom(seed);
    const upgrade = handshake(
      '/ws/noise?history=0',
      `Cookie: ${bob.cookie}\r\nSec-WebSocket-Protocol: superchat\r\n`,
    );
    const frames = Buffer.concat(Array.from({ length: 1 + random(12) }, () => randomFrame(random)));
    const answer = await exchange(chat.port, upgrade, (socket) => {
      const cut = random(frames.length + 1);
      socket.write(frames.subarray(0, cut));
      setImmediate(() => socket.end(frames.subarray(cut)));
    });
    expect(answer.toString('latin1'), `seed ${seed}`).toMatch(/^HTTP\/1\.1 101 /);
    for (const { opcode, payload } of serverFrames(answer)) {
      expect([1, 8, 9, 10], `seed ${seed}`).toContain(opcode);
      if (opcode === 1) JSON.parse(payload.toString());
    }
    codes.add(closeCodeOf(answer));
  }
  expect([...codes]).toEqual(expect.arrayContaining([1002, 1003, 1007, 1009, 4400]));
  expect(await room.sees({ type: 'chat', cid: room.says('still here') })).toMatchObject({ id: 1 });
});

const LINES = [
  'GET /healthz HTTP/1.1',
  'GET /ws/lobby HTTP/1.1',
  'POST /signin HTTP/1.1',
  'GET /r/lobby HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'GET http://localhost/api/me HTTP/1.1',
];
const HEADERS = [
  'Host: localhost',
  'Connection: Upgrade',
  'Connection: keep-alive, Upgrade',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Content-Length: 5',
  'Content-Type: application/json',
  'Transfer-Encoding: chunked',
  'Expect: 100-continue',
  'Origin: null',
  'Cookie: name=x; name.sig=y',
  'X-Forwarded-For: 1.2.3.4, junk',
  'Accept-Language: zh-Hans,*;q=0.1,x;q=9',
  'If-None-Match: "',
  'Range: bytes=0-0,5-',
];

it('answers random requests with a status, and goes on', { timeout: 60_000 }, async () => {
  const chat = await startChat();
  const room = await (await chat.signIn('Ann')).enters('lobby');
  for (let seed = 1; seed <= 400; seed++) {
    const random = createRandom(seed);
    const headers = Array.from({ length: random(9) }, () => pick(random, HEADERS));
    const request = Buffer.from(
      `${[pick(random, LINES), 'Host: localhost', ...headers].join('\r\n')}\r\n\r\n{"a":1}`,
    );
    if (random(3) === 0) request[random(request.length)] = random(256);
    const answer = await exchange(chat.port, request, (socket) => void socket.end());
    const statuses = [...answer.toString('latin1').matchAll(/^HTTP\/1\.1 (\d+) /gm)].map(([, status]) =>
      Number(status),
    );
    expect(
      statuses.filter((status) => status >= 500 && status !== 501),
      `seed ${seed}`,
    ).toEqual([]);
  }
  expect(await room.sees({ type: 'chat', cid: room.says('still here') })).toMatchObject({ id: 1 });
});
