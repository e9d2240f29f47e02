// @ts-check
/** The attacks: what each sends. Every one of them comes from an address of its own. */
import { textFrame, upgradeRequest } from '../load/frame.js';

/** @typedef {import('./attacker.js').Attack} Attack */

/** People who attack; a limit by person is passed by several of them. */
export const ATTACKERS = 60;
const CHUNK = 64 * 1024;

/** @param {string | Buffer} bytes */
const base64 = (bytes) => Buffer.from(bytes).toString('base64');

/** One frame or request again and again, as a chunk. @param {string | Buffer} bytes */
function repeated(bytes) {
  const one = Buffer.from(bytes);
  return base64(
    Buffer.concat(Array.from({ length: Math.max(1, Math.floor(CHUNK / one.length)) }, () => one)),
  );
}

/** A masked frame of any kind. @param {number} first @param {number} size */
function frameOf(first, size) {
  const bytes = Buffer.alloc(6 + size, 0x61);
  bytes.set([first, 0x80 | size, 0, 0, 0, 0]);
  return bytes;
}

/** @param {unknown} command */
const command = (command) => textFrame(JSON.stringify(command));

/** @param {string} line @param {string} [headers] */
const request = (line, headers = '') => `${line} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`;

/** @param {string} path @param {string} cookie @param {string} body */
function post(path, cookie, body) {
  const type = 'Content-Type: application/json\r\n';
  return request(`POST ${path}`, `Cookie: ${cookie}\r\n${type}Content-Length: ${body.length}\r\n`) + body;
}

/** @param {number} count @param {(n: number) => string | Buffer} make */
const several = (count, make) => Array.from({ length: count }, (_, n) => base64(make(n)));

/**
 * @param {string[]} cookies of the attackers
 * @param {string} room of the honest people
 * @returns {Attack[]}
 */
export function allAttacks(cookies, room) {
  const [one = ''] = cookies;
  /** @param {string} path @param {string} cookie */
  const upgrade = (path, cookie) => upgradeRequest('127.0.0.1', path, 'superchat', cookie);
  /** One person's sockets in a room. @param {string} where */
  const enter = (where) => [base64(upgrade(`/ws/${where}`, one))];
  /** Sockets of many people. @param {string} path */
  const crowd = (path) => cookies.map((cookie) => base64(upgrade(path, cookie)));
  const pages = '/api/rooms/big/messages?limit=500';
  /** Requests of many people. @param {string} path */
  const requests = (path) => cookies.map((cookie) => base64(request(`GET ${path}`, `Cookie: ${cookie}\r\n`)));
  /** @type {Omit<Attack, 'address'>[]} */
  const attacks = [
    { name: 'replays of long messages, unread', sockets: 600, open: crowd('/ws/big?after=0'), unread: true },
    {
      name: 'replays of long messages, again and again',
      ...{ sockets: 32, open: crowd('/ws/big?after=0'), reopen: true, hangUpAfter: 500_000 },
    },
    {
      name: 'pages of history, unread',
      ...{
        sockets: 200,
        open: several(cookies.length, (n) => request(`GET ${pages}`, `Cookie: ${cookies[n]}\r\n`).repeat(8)),
      },
      unread: true,
    },
    {
      name: 'pages of history, as fast as they come',
      ...{
        sockets: 16,
        open: [base64('')],
        reopen: true,
        loop: [base64(request(`GET ${pages}`, `Cookie: ${one}\r\n`))],
      },
    },
    {
      name: 'pages of history, one after the other',
      ...{
        sockets: 200,
        open: [base64(request(`GET ${pages}`, `Cookie: ${one}\r\n`))],
        polite: true,
        reopen: true,
      },
      loop: [base64(request(`GET ${pages}`, `Cookie: ${one}\r\n`))],
    },
    {
      name: 'the page itself, as fast as it comes',
      ...{
        sockets: 16,
        open: [base64('')],
        reopen: true,
        loop: [base64(request('GET /r/big', `Cookie: ${one}\r\n`))],
      },
    },
    {
      name: 'searches and lists',
      ...{ sockets: 16, open: [base64('')], reopen: true },
      loop: ['/api/search?q=the', '/api/rooms', '/api/mentions', '/api/people?q=p'].map((path) =>
        base64(request(`GET ${path}`, `Cookie: ${one}\r\n`)),
      ),
    },
    {
      name: 'typing',
      sockets: 4,
      open: enter('a'),
      loop: [repeated(command({ type: 'typing' }))],
      reopen: true,
    },
    {
      name: 'pings in JSON',
      sockets: 4,
      open: enter('a'),
      loop: [repeated(command({ type: 'ping' }))],
      reopen: true,
    },
    {
      name: 'ping frames, answers unread',
      sockets: 4,
      open: enter('a'),
      loop: [repeated(frameOf(0x89, 125))],
      unread: true,
      reopen: true,
    },
    {
      name: 'refused commands',
      ...{ sockets: 4, open: enter('a'), reopen: true },
      loop: [repeated(command({ type: 'react', target: 1, data: 'xx' }))],
    },
    {
      name: 'texts too long',
      sockets: 4,
      open: enter('a'),
      loop: [repeated(command({ type: 'chat', data: 'x'.repeat(60_000) }))],
      reopen: true,
    },
    {
      name: 'messages of ten people, without a pause',
      ...{ sockets: 10, open: crowd(`/ws/${room}`).slice(0, 10), reopen: true },
      loop: [repeated(command({ type: 'chat', data: 'x'.repeat(4000) }))],
    },
    {
      name: 'empty fragments',
      ...{ sockets: 4, open: enter('a'), reopen: true },
      loop: [base64(frameOf(0x01, 1)), repeated(frameOf(0x00, 0))],
    },
    {
      name: 'binary noise in frames',
      sockets: 4,
      open: enter('a'),
      loop: [repeated(frameOf(0x82, 100))],
      reopen: true,
    },
    { name: 'coming and going', sockets: 8, open: enter(room), reopen: true, hangUpAfter: 200 },
    {
      name: 'coming and going of many people',
      sockets: 16,
      open: crowd(`/ws/${room}`),
      reopen: true,
      hangUpAfter: 200,
    },
    {
      name: 'sockets without a cookie',
      sockets: 32,
      open: [base64(upgrade('/ws/a', ''))],
      reopen: true,
      hangUpAfter: 140,
    },
    { name: 'broken upgrades', sockets: 32, open: [base64(upgrade('//', ''))], reopen: true },
    {
      name: 'upgrades to another protocol',
      ...{ sockets: 16, open: [base64('')], reopen: true },
      loop: [base64(request('GET /healthz', 'Connection: Upgrade\r\nUpgrade: h2c\r\n').repeat(8))],
    },
    {
      name: 'sign-ins',
      ...{ sockets: 16, open: [base64('')], reopen: true },
      loop: several(500, (n) => post('/signin', '', JSON.stringify({ name: `Sybil ${n}` }))),
    },
    {
      name: 'sign-ins, one after the other',
      ...{
        sockets: 200,
        open: [base64(post('/signin', '', '{"name":"Sybil"}'))],
        polite: true,
        reopen: true,
      },
      loop: several(500, (n) => post('/signin', '', JSON.stringify({ name: `Sybil ${n}` }))),
    },
    {
      name: 'new rooms over HTTP',
      ...{ sockets: 16, open: [base64('')], reopen: true },
      loop: several(500, (n) =>
        post(`/api/rooms/x${n}/messages`, cookies[n % cookies.length] ?? '', '{"data":"x"}'),
      ),
    },
    { name: 'connections that say nothing', sockets: 2500, open: [base64('')], reopen: true },
    {
      name: 'headers by the byte',
      sockets: 1500,
      open: [base64('GET / HTTP/1.1\r\nHost: a\r\nX: ')],
      loop: [base64('x')],
      everyMs: 200,
      reopen: true,
    },
    {
      name: 'bodies by the byte',
      ...{
        sockets: 1000,
        open: [
          base64(request('POST /signin', 'Content-Type: application/json\r\nContent-Length: 60000\r\n')),
        ],
      },
      ...{ loop: [base64(' ')], everyMs: 200, reopen: true },
    },
    {
      name: 'the largest file, unread',
      ...{ sockets: 500, open: [base64(request('GET /icon-512.png').repeat(8))], unread: true },
    },
    {
      name: 'streams of long messages, unread',
      ...{ sockets: 600, open: requests('/api/rooms/big/events?after=0'), unread: true, reopen: true },
    },
    {
      name: 'streams, opened and closed',
      ...{ sockets: 32, open: requests(`/api/rooms/${room}/events`), reopen: true, hangUpAfter: 200 },
    },
    {
      name: 'streams of one person',
      ...{ sockets: 200, open: requests(`/api/rooms/${room}/events`).slice(0, 1), reopen: true },
    },
    {
      name: 'long polls that wait',
      ...{ sockets: 600, open: requests('/api/rooms/a/messages?after=0&wait=30'), reopen: true },
    },
    {
      name: 'long polls in a busy room',
      ...{ sockets: 300, open: requests(`/api/rooms/${room}/messages?after=0&wait=30`), polite: true },
      ...{ loop: requests(`/api/rooms/${room}/messages?after=0&wait=30`), reopen: true },
    },
    {
      name: 'long polls, opened and dropped',
      ...{ sockets: 64, open: requests('/api/rooms/a/messages?after=0&wait=30') },
      ...{ reopen: true, hangUpMs: 5 },
    },
    {
      name: 'plain pages and sign-in forms',
      ...{ sockets: 16, open: [base64('')], reopen: true },
      loop: ['/r/big/plain', '/signin', `/r/${room}/plain`, '/r/big/plain?before=300'].map((path) =>
        base64(request(`GET ${path}`, `Cookie: ${one}\r\n`)),
      ),
    },
    {
      name: 'pong frames',
      ...{ sockets: 4, open: enter('a'), reopen: true },
      loop: [repeated(frameOf(0x8a, 0))],
    },
    { name: 'readers with a shut window', sockets: 600, open: crowd(`/ws/${room}`), unread: true },
  ];
  return attacks.map((attack, n) => ({ ...attack, address: `127.0.1.${n + 1}` }));
}
