/** docs/openapi.yaml and docs/asyncapi.yaml: valid, complete, and true of a running server. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asyncApiSchema from '@asyncapi/specs/schemas/3.0.0-without-$id.json' with { type: 'json' };
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { isObject } from '../src/shared/parse.js';
import { type Frame, startChat, type Visitor } from './harness.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

function read(name: string): Frame {
  return parse(readFileSync(join(ROOT, 'docs', name), 'utf8'), { merge: true }) as Frame;
}

const openApi = read('openapi.yaml');
const asyncApi = read('asyncapi.yaml');

/** Returns what a path of keys leads to. */
function at(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce((found, key) => (isObject(found) ? found[key] : undefined), value);
}

/** Follows the reference of a response or a message. */
function resolved(document: Frame, value: unknown): unknown {
  const reference = at(value, '$ref');
  return typeof reference === 'string' ? at(document, ...reference.slice(2).split('/')) : value;
}

/** Allows no fields but those that are described; clients must skip others, but these documents must know all. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, closed(inner)] as const);
  const isClosed = value['type'] === 'object' && 'properties' in value;
  return { ...Object.fromEntries(entries), ...(isClosed ? { additionalProperties: false } : {}) };
}

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ ...(closed(openApi) as Frame), $id: 'http://test/openapi.yaml' });
ajv.addSchema({ ...(closed(asyncApi) as Frame), $id: 'http://test/asyncapi.yaml' });

function faultsOf(pointer: string, value: unknown): string[] {
  const validate = ajv.compile({ $ref: `http://test/${pointer}` });
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${pointer} ${instancePath} ${message}`);
}

/** Returns the parts of a pointer of JSON. */
function pointerOf(...keys: readonly string[]): string {
  return keys.map((key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
}

/** Every answer that was held against the document, as `GET /api/me 200`. */
const held = new Set<string>();

/** Holds an answer against the description of its path. */
async function holds(path: string, answer: Response, method = 'get'): Promise<unknown> {
  const responses = at(openApi, 'paths', path, method, 'responses');
  const key = at(responses, String(answer.status)) === undefined ? 'default' : String(answer.status);
  const response = resolved(openApi, at(responses, key));
  expect([path, method, answer.status, isObject(response)]).toEqual([path, method, answer.status, true]);
  held.add(`${method} ${path} ${answer.status}`);
  const type = answer.headers.get('content-type')?.split(';')[0] ?? '';
  const body = await answer.text();
  if (at(response, 'content') !== undefined)
    expect(Object.keys(at(response, 'content') as object)).toContain(type);
  for (const [name, header] of Object.entries(at(response, 'headers') ?? {}))
    expect([name, answer.headers.get(name)]).toEqual([
      name,
      at(header, 'schema', 'const') ?? expect.any(String),
    ]);
  if (!type.endsWith('json')) return body;
  const value: unknown = JSON.parse(body);
  const reference = at(at(responses, key), '$ref');
  const place =
    typeof reference === 'string' ? reference.slice(2) : pointerOf('paths', path, method, 'responses', key);
  expect(faultsOf(`openapi.yaml#/${place}/content/${pointerOf(type)}/schema`, value)).toEqual([]);
  return value;
}

/** Holds a frame against exactly one of the messages of a channel. */
function holdsFrame(channel: string, frame: Frame): void {
  const messages = Object.keys(at(asyncApi, 'channels', channel, 'messages') as object);
  const faults = messages.map((name) =>
    faultsOf(`asyncapi.yaml#/components/messages/${name}/payload`, frame),
  );
  const fitting = messages.filter((_, n) => faults[n]?.length === 0);
  expect([frame, fitting.length], faults.flat().join('\n')).toEqual([frame, 1]);
}

/** The files that programs load; the others belong to the page. */
const clientFiles = ['get /client.d.ts', 'get /client.js'];

/** The paths of the routes in the sources, in the spelling of OpenAPI, and of the files for programs. */
function routes(): string[] {
  const folder = join(ROOT, 'src', 'http');
  const found = readdirSync(folder).flatMap((file) => {
    const source = readFileSync(join(folder, file), 'utf8');
    const prefix =
      /new Router\(\{ prefix: '([^']+)'/.exec(source)?.[1] ?? (file === 'readers.ts' ? '/api' : '');
    return [
      ...source.matchAll(/(?:router|Router\(\))\s*\.(get|post|put|patch|delete)\(\s*[`']([^`']+)[`']/g),
    ].map(
      ([, method, path = '']) =>
        `${method} ${prefix}${path.replace(/:(\w+)/g, '{$1}').replace(/\$\{\w+\}/, 'manifest.webmanifest')}`,
    );
  });
  return [...new Set([...found, ...clientFiles])].sort();
}

describe('docs/openapi.yaml', () => {
  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(openApi));
    expect([result.errors, validator.version]).toEqual([undefined, '3.1']);
  });

  it('describes every route, and no other', () => {
    const described = Object.entries(at(openApi, 'paths') as object).flatMap(([path, methods]) =>
      Object.keys(methods as object)
        .filter((method) => method !== 'parameters')
        .map((method) => `${method} ${path}`),
    );
    expect(described.sort()).toEqual(routes());
  });

  it('is true of the answers of a running server', async () => {
    const chat = await startChat();
    const { ann, bob } = await inhabit(chat);
    await holdsPages(ann);
    await holdsApi(ann);
    await holdsErrors(chat.visitor(), ann, bob);
    await holdsSessions(await chat.signIn('Carol'));
    expect(held.size).toBeGreaterThan(40);
  });
});

/** Signs two people in, and makes events of all types with all fields. */
async function inhabit(chat: Awaited<ReturnType<typeof startChat>>) {
  const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
  const commands: readonly Frame[] = [
    { data: 'hello @Bob', cid: 'c1' },
    { type: 'edit', target: 1, data: 'hello again @Bob', cid: 'c2' },
    { type: 'react', target: 1, data: '🎉' },
    { type: 'unreact', target: 1, data: '🎉' },
    { type: 'react', target: 1, data: '👍' },
    { data: 'an answer', reply: 1 },
    { data: 'to be deleted' },
    { type: 'delete', target: 7 },
  ];
  const path = '/api/rooms/{room}/messages';
  for (const command of commands) {
    expect(faultsOf('openapi.yaml#/components/schemas/PostCommand', command)).toEqual([]);
    await holds(path, await ann.post('/api/rooms/lobby/messages', command), 'post');
  }
  await holds(path, await ann.post('/api/rooms/lobby/messages', commands[0]), 'post'); // the same cid
  await holds(path, await ann.post('/api/rooms/lobby/messages', { data: '' }), 'post');
  return { ann, bob };
}

async function holdsPages(ann: Visitor): Promise<void> {
  for (const [path, url] of [
    ['/', '/'],
    ['/r/{room}', '/r/lobby'],
    ['/r/{room}', '/r/Lobby'],
    ['/r/{room}/plain', '/r/lobby/plain'],
    ['/r/{room}/plain', '/r/Lobby/plain'],
    ['/r/{room}/plain', '/r/lobby/plain?room=a+b'],
    ['/r/{room}/plain', '/r/lobby/plain?edit=7'],
    ['/signin', '/signin'],
    ['/manifest.webmanifest', '/manifest.webmanifest'],
    ['/client.js', '/client.js'],
    ['/client.d.ts', '/client.d.ts'],
    ['/healthz', '/healthz'],
    ['/readyz', '/readyz'],
    ['/metrics', '/metrics'],
    ['/ws/{room}', '/ws/lobby'],
  ] as const)
    await holds(path, await ann.get(url));
}

async function holdsApi(ann: Visitor): Promise<void> {
  await expect
    .poll(async () => (await (await ann.get('/api/search?q=again')).json()).messages.length)
    .toBe(1);
  for (const [path, url] of [
    ['/api/me', '/api/me'],
    ['/api/rooms', '/api/rooms'],
    ['/api/rooms/{room}/messages', '/api/rooms/lobby/messages'],
    ['/api/rooms/{room}/messages', '/api/rooms/lobby/messages?after=2&wait=1'],
    ['/api/rooms/{room}/head', '/api/rooms/lobby/head'],
    ['/api/search', '/api/search?q=again'],
    ['/api/mentions', '/api/mentions'],
    ['/api/people', '/api/people?q=b'],
  ] as const)
    await holds(path, await ann.get(url));
  await holds('/api/rooms/{room}/read', await ann.put('/api/rooms/lobby/read', { id: 1 }), 'put');
}

async function holdsErrors(nobody: Visitor, ann: Visitor, bob: Visitor): Promise<void> {
  for (const [path, url] of [
    ['/api/me', '/api/me'],
    ['/api/rooms', '/api/rooms'],
    ['/api/rooms/{room}/events', '/api/rooms/lobby/events'],
    ['/api/search', '/api/search'],
  ] as const)
    await holds(path, await nobody.get(url));
  for (const [path, url] of [
    ['/api/rooms/{room}/messages', '/api/rooms/lobby/messages?wait=1'],
    ['/api/rooms/{room}/messages', '/api/rooms/a%20b/messages'],
    ['/api/rooms/{room}/events', '/api/rooms/a%20b/events'],
    ['/api/rooms/{room}/events', '/api/rooms/lobby/events?after=x'],
    ['/link/{secret}', '/link/none'],
  ] as const)
    await holds(path, await ann.get(url));
  await holds('/signin', await bob.post('/signin', { name: 'Ann' }), 'post');
  await holds('/signin', await bob.post('/signin', { name: '' }), 'post');
}

async function holdsSessions(carol: Visitor): Promise<void> {
  await holds('/signin', await carol.post('/signin', { name: 'Carla' }), 'post');
  const rename = { method: 'PATCH', headers: { cookie: carol.cookie, 'content-type': 'application/json' } };
  const renamed = await fetch(`${carol.chat.origin}/api/me`, { ...rename, body: '{"name":"Carol"}' });
  await holds('/api/me', renamed, 'patch');
  const link = await holds('/api/me/link', await carol.post('/api/me/link', {}), 'post');
  const { pathname } = new URL(String(at(link, 'url')));
  await holds('/link/{secret}', await carol.get(pathname));
  await holds('/link/{secret}', await carol.post(pathname, {}), 'post');
  await holds('/signout', await carol.post('/signout', { return: true }), 'post');
  await holds('/signout', await carol.post('/signout', {}), 'post');
}

describe('docs/asyncapi.yaml', () => {
  it('is valid AsyncAPI 3.0', () => {
    const official = new Ajv({ strict: false, validateFormats: false });
    const validate = official.compile(asyncApiSchema);
    validate(asyncApi);
    expect(validate.errors).toBeNull();
  });

  it('is true of every frame of sockets and streams', async () => {
    const chat = await startChat();
    const { ann, bob } = await inhabit(chat);
    const socket = await ann.enters('lobby', { query: '?after=0' });
    const other = await ann.enters('hall');
    const streams = await Promise.all(
      (['text/event-stream', 'application/x-ndjson'] as const).map((format) =>
        bob.reads('lobby', { format, query: '?after=0' }),
      ),
    );
    const commands: readonly Frame[] = [
      { type: 'ping' },
      { type: 'typing' },
      { type: 'chat', data: 'x', cid: 'c1' },
    ];
    for (const command of [...commands, { type: 'chat', data: 'hello @Bob', cid: 'c1' }]) {
      expect(faultsOf('asyncapi.yaml#/components/messages/command/payload', command)).toEqual([]);
      socket.sends(command);
    }
    await bob.post('/api/rooms/lobby/messages', { data: 'hello @Ann' });
    await ann.put('/api/rooms/lobby/read', { id: 9 });
    for (const type of ['error', 'ack', 'pong']) await socket.sees({ type });
    await other.sees({ type: 'room' });
    for (const stream of streams) await stream.sees({ type: 'typing' });
    await bob.post('/signout', {});
    await Promise.all(streams.map((stream) => stream.closed));
    await socket.sees({ type: 'left' });
    for (const frame of [...socket.frames, ...other.frames]) holdsFrame('socket', frame);
    for (const { messages } of streams) for (const { data } of messages) holdsFrame('stream', data);
    const types = new Set([...socket.frames, ...other.frames].map(({ type }) => type));
    expect(types).toContain('unreact');
    expect(types.size).toBeGreaterThanOrEqual(13);
  });
});
