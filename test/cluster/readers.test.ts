/** Readers over HTTP at several processes of one chat: they resume, wait and are present as with one. */
import { cpSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { oneport } from '../cli/commands.js';
import {
  type Chat,
  type Frame,
  hasTool,
  startChat,
  stopWallClock,
  temporaryFolder,
  type Visitor,
} from '../harness.js';
import {
  at,
  startNode,
  startRedis,
  type TestRedis,
  twoNodes,
  untilEqual,
  untilEqualFor,
  untilReady,
} from '../redis.js';

const hasRedis = hasTool('redis-server') && hasTool('redis-cli');
const messages = '/api/rooms/lobby/messages';
const plain = '/r/lobby/plain';

/** Two processes of one chat that are ready. */
interface Arrangement {
  readonly name: string;
  readonly isAvailable: boolean;
  start(): Promise<readonly [a: Chat, b: Chat]>;
}

/** What `startChat` starts with ARRANGEMENT=workers: connections go to its workers in turn. */
const workers: Arrangement = {
  name: 'two workers',
  isAvailable: true,
  start: async () => {
    const chat = await startChat();
    return [chat, chat];
  },
};

const arrangements: readonly Arrangement[] =
  process.env['ARRANGEMENT'] === 'workers'
    ? [workers]
    : [{ name: 'two nodes', isAvailable: hasRedis, start: async () => twoNodes(await startRedis()) }];

async function says(author: Visitor, data: string, cid = data.replaceAll(' ', '-')): Promise<void> {
  expect((await author.post(messages, { data, cid })).status).toBe(201);
}

async function polls(reader: Visitor, query: string): Promise<Frame> {
  const answer = await reader.get(`${messages}?${query}`);
  return { status: answer.status, ...((await answer.json()) as Frame) };
}

function numbersOf(frames: readonly Frame[]): number[] {
  return frames.flatMap(({ id, type }) => (type !== 'ack' && typeof id === 'number' ? [id] : []));
}

/** Reads what follows `after` until the number `last`, each time by another transport. */
async function readOn(reader: Visitor, turn: number, after: number, epoch: string, last: number) {
  const query = `after=${after}&epoch=${epoch}`;
  if (turn % 4 === 3) {
    const numbers: number[] = [];
    while ((numbers.at(-1) ?? after) < last) {
      const page = await polls(reader, `after=${numbers.at(-1) ?? after}&epoch=${epoch}&wait=5`);
      expect(page).toMatchObject({ status: 200, complete: true });
      numbers.push(...numbersOf(page['messages'] as Frame[]));
    }
    return numbers;
  }
  const format = turn % 4 === 1 ? 'text/event-stream' : 'application/x-ndjson';
  const open =
    turn % 4 === 0
      ? reader.enters('lobby', { query: `?${query}` })
      : reader.reads('lobby', { query: `?${query}`, format });
  const connection = await open;
  await connection.sees({ id: last });
  await connection.leaves();
  expect(connection.frames.find(({ type }) => type === 'hello')).toMatchObject({ complete: true });
  return numbersOf(connection.frames);
}

describe.each(arrangements)('readers over HTTP at $name', ({ isAvailable, start }) => {
  it.runIf(isAvailable)('resume an event stream at the other one by Last-Event-ID', async () => {
    const [a, b] = await start();
    const ann = await a.signIn('Ann');
    const first = await ann.reads('lobby');
    for (const data of ['one', 'two', 'three']) await says(ann, data);
    await first.sees({ id: 3 });
    await first.leaves();
    await says(ann, 'four');
    const headers = { 'last-event-id': first.lastEventId };
    const second = await at(b, ann).reads('lobby', { headers });
    await says(ann, 'five');
    await second.sees({ id: 5 });
    expect(second.messages[0]).toMatchObject({
      id: first.lastEventId,
      data: { type: 'hello', complete: true },
    });
    expect(numbersOf(second.frames)).toEqual([4, 5]);
  });

  it.runIf(isAvailable)(
    'change the process and the transport at every number, without a hole or a repeat',
    async () => {
      const [a, b] = await start();
      const [ann, bob] = [await a.signIn('Ann'), await a.signIn('Bob')];
      const { epoch } = a.server;
      const numbers: number[] = [];
      for (let turn = 0; turn < 16; turn++) {
        const [here, there] = turn % 2 === 0 ? [a, b] : [b, a];
        await says(at(there, bob), `before ${turn}`);
        const reading = readOn(at(here, ann), turn, numbers.at(-1) ?? 0, epoch, 2 * turn + 2);
        await says(at(here, bob), `meanwhile ${turn}`);
        numbers.push(...(await reading));
      }
      expect(numbers).toEqual(Array.from({ length: 32 }, (_, n) => n + 1));
    },
  );

  it.runIf(isAvailable)(
    'wait in a poll for a number that their process has not applied, and get 503 when it does not come',
    async () => {
      const [a, b] = await start();
      const ann = await a.signIn('Ann');
      const query = `epoch=${a.server.epoch}&wait=30`;
      const ahead = polls(at(b, ann), `after=1&${query}`);
      const tooFar = polls(at(b, ann), `after=9&${query}`);
      await says(ann, 'one');
      await says(ann, 'two');
      expect(await ahead).toMatchObject({ status: 200, complete: true, messages: [{ id: 2 }] });
      expect(await tooFar).toMatchObject({ status: 503, error: { code: 'behind' } });
      const withoutEpoch = await polls(at(b, ann), 'after=9&wait=30');
      expect(withoutEpoch).toMatchObject({ status: 200, complete: false, messages: [] });
    },
  );

  it.runIf(isAvailable)('are answered in a poll when somebody writes at the other one', async () => {
    const [a, b] = await start();
    const [ann, bob] = [await a.signIn('Ann'), await b.signIn('Bob')];
    const waiting = polls(bob, 'after=0&wait=30');
    await b.untilOpen('poll');
    await says(ann, 'one');
    expect(await waiting).toMatchObject({ messages: [{ id: 1, data: 'one' }] });
  });

  it.runIf(isAvailable)('are present at both, and sign out at both', async () => {
    const [a, b] = await start();
    const [ann, bob, cleo] = [await a.signIn('Ann'), await b.signIn('Bob'), await b.signIn('Cleo')];
    const room = await ann.enters('lobby');
    const stream = await bob.reads('lobby');
    const poll = polls(cleo, 'after=0&wait=30');
    for (const { user } of [bob, cleo]) await room.sees({ type: 'join', user });
    await stream.sees({ type: 'join', user: cleo.user });
    const other = await at(a, bob).reads('lobby', { format: 'application/x-ndjson' });
    expect(await other.sees({ type: 'list' })).toMatchObject({ count: 3 });
    room.sends({ type: 'typing' });
    await stream.sees({ type: 'typing', user: ann.user });
    for (const visitor of [bob, cleo]) await at(a, visitor).post('/signout', {});
    expect([await stream.closed, await other.closed]).toEqual([4002, 4002]);
    expect(await poll).toMatchObject({ status: 401 });
    for (const { user } of [bob, cleo]) await room.seesAll({ type: 'left', user }, 1, 20_000);
    expect(room.frames.filter(({ type }) => type === 'join')).toHaveLength(2);
  });

  it.runIf(isAvailable)('write once by a plain form that reaches both', async () => {
    const [a, b] = await start();
    const ann = await a.signIn('Ann');
    const form = { data: 'hello', cid: 'c1' };
    const answers = await Promise.all([ann.submits(plain, form), at(b, ann).submits(plain, form)]);
    expect(answers.map(({ status }) => status)).toEqual([303, 303]);
    for (const node of [a, b])
      await expect
        .poll(async () => (await (await at(node, ann).get(plain)).text()).match(/<li id="m\d+">/g))
        .toEqual(['<li id="m1">']);
    expect((await at(b, ann).submits(plain, { target: '1', delete: '1', cid: 'c2' })).status).toBe(303);
    await expect.poll(async () => (await ann.get(plain)).text()).toContain('Message deleted');
  });
});

/** Forgets the stream, and begins a new epoch, as an operator does. Nobody may write meanwhile. */
async function beginNewEpoch(redis: TestRedis, nodes: readonly Chat[]): Promise<void> {
  await redis.command('FLUSHALL');
  for (const node of nodes) await untilReady(node, /run new-epoch/);
  const [{ dataDir } = { dataDir: '' }] = nodes;
  expect(await oneport(['new-epoch'], dataDir, { REDIS_URL: redis.url })).toMatchObject({ code: 0 });
  for (const node of nodes) await untilReady(node);
}

/** The value of a hidden field. */
function hidden(html: string, name: string): string {
  return new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? '';
}

async function texts(reader: Visitor): Promise<unknown[]> {
  const { messages: events } = (await (await reader.get(messages)).json()) as { messages: Frame[] };
  return events.filter(({ type }) => type === 'chat').map(({ data }) => data);
}

describe.skipIf(!hasRedis)('a plain form at one of two nodes', () => {
  it('leads to a page that shows its effect, also at a node that has still to apply it', async () => {
    const redis = await startRedis();
    let isHeld = false;
    const [a, b] = [await startNode(redis), await startNode(redis, { isHeld: () => isHeld })];
    for (const node of [a, b]) await untilReady(node);
    const [ann, bob] = [await a.signIn('Ann'), await a.signIn('Bob')];
    await says(bob, 'a question');
    await untilEqual([a, b]);
    const there = at(b, ann);
    const steps: readonly (readonly [form: Record<string, string>, seen: RegExp])[] = [
      [{ data: 'an answer', cid: 'c1' }, /an answer/],
      [{ target: '2', data: 'a better one', cid: 'c2' }, /a better one/],
      [{ target: '2', delete: '1', cid: 'c3' }, /Message deleted/],
      [{ read: '1' }, /^(?![\s\S]*1 unread message)/],
    ];
    for (const [form, seen] of steps) {
      isHeld = true;
      const { status, headers } = await ann.submits(plain, form);
      const next = there.get(headers.get('location') ?? '');
      expect([status, await (await there.get(plain)).text()]).toEqual([303, expect.not.stringMatching(seen)]);
      isHeld = false;
      expect(await (await next).text()).toMatch(seen);
    }
    for (const position of ['0-0', 'x', ''])
      expect((await there.get(`${plain}?position=${position}`)).status).toBe(200);
    const ahead = await there.get(`${plain}?position=99999999999999-0`);
    expect([ahead.status, ahead.headers.get('retry-after')]).toEqual([503, '2']);
  });

  it('is kept while that node stops, and is carried out once by the other one', async () => {
    const [a, b] = await twoNodes(await startRedis());
    const ann = await a.signIn('Ann');
    await says(ann, 'one');
    await untilEqual([a, b]);
    const mute = await ann.enters('lobby');
    mute.ws.pause(); // never answers our close: draining takes until it is cut
    stopWallClock();
    const forms = [
      { data: 'two', cid: 'c2' },
      { target: '1', data: 'changed', cid: 'c1' },
    ];
    const closing = a.server.close();
    const [page, ...refusals] = await Promise.all([
      ann.get(plain),
      ...forms.map((form) => ann.submits(plain, form)),
    ]);
    mute.ws.terminate();
    await closing;
    expect(page.status).toBe(200);
    for (const [n, refusal] of refusals.entries()) {
      const html = await refusal.text();
      expect([refusal.status, hidden(html, 'cid')]).toEqual([503, forms[n]?.cid]);
      expect(html).toContain(`${forms[n]?.data}</textarea>`);
    }
    for (const form of [...forms, ...forms]) expect((await at(b, ann).submits(plain, form)).status).toBe(303);
    expect(await texts(at(b, ann))).toEqual(['changed', 'two']);
  });

  it('changes no message of another log that has the same number', async () => {
    const redis = await startRedis();
    const [a, b] = await twoNodes(redis);
    const ann = await a.signIn('Ann');
    await says(ann, 'one');
    await untilEqual([a, b]);
    await b.stop();
    await says(ann, 'only at the node that is lost');
    const forms = await (await ann.get(`${plain}?edit=2`)).text();
    await a.stop();
    const copy = temporaryFolder();
    cpSync(b.dataDir, copy, { recursive: true });
    await redis.command('FLUSHALL');
    expect(await oneport(['new-epoch'], b.dataDir, { REDIS_URL: redis.url })).toMatchObject({ code: 0 });
    const nodes = [await startNode(redis, { dataDir: b.dataDir }), await startNode(redis, { dataDir: copy })];
    for (const node of nodes) await untilReady(node);
    const [here, there] = nodes.map((node) => at(node, ann));
    if (!here || !there) throw new Error('two nodes have started');
    for (const query of ['?edit=2', '?reply=2']) expect((await there.get(plain + query)).status).toBe(404);
    const newer = await there.get(`${plain}?after=2`);
    expect([newer.status, await newer.text()]).toEqual([
      200,
      expect.stringMatching(/no messages here[\s\S]*href="\?"/),
    ]);
    await says(here, 'another');
    await untilEqual(nodes);
    const epoch = hidden(forms, 'epoch');
    for (const form of [{ data: 'changed' }, { delete: '1' }]) {
      const answer = await there.submits(plain, { target: '2', epoch, cid: `old-${epoch}`, ...form });
      expect([answer.status, await answer.text()]).toEqual([
        404,
        expect.stringContaining('This message doesn'),
      ]);
    }
    expect((await there.submits(plain, { data: 'mine', epoch, cid: 'c1' })).status).toBe(404);
    expect((await there.submits(plain, { data: 'mine', cid: 'c1' })).status).toBe(303);
    await untilEqual(nodes);
    for (const reader of [here, there]) expect(await texts(reader)).toEqual(['one', 'another', 'mine']);
  });
});

describe.skipIf(!hasRedis)('readers over HTTP, when the epoch changes', () => {
  it('begin anew: streams end with 4510, polls are answered, and an old id is not complete', async () => {
    const redis = await startRedis();
    const nodes = await twoNodes(redis);
    const [a, b] = nodes;
    const ann = await a.signIn('Ann');
    await says(ann, 'one');
    const stream = await at(b, ann).reads('lobby');
    await stream.sees({ id: 1 });
    const poll = polls(at(b, ann), 'after=1&wait=30');
    await b.untilOpen('poll');
    await untilEqualFor(ann, nodes); // new-epoch goes on with what all have
    await beginNewEpoch(redis, nodes);
    expect(await stream.closed).toBe(4510);
    expect(await poll).toMatchObject({ status: 200, epoch: b.server.epoch, messages: [] });
    const headers = { 'last-event-id': stream.lastEventId };
    const again = await at(b, ann).reads('lobby', { headers });
    expect(await again.sees({ type: 'hello' })).toMatchObject({ complete: false, epoch: b.server.epoch });
    await again.sees({ id: 1, data: 'one' });
  });
});
