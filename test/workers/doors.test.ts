/** Every way to read and write a chat, on a server with workers. */
import { describe, expect, it, vi } from 'vitest';
import { oneport } from '../cli/commands.js';
import { agentTo, entersAt, patience, send, startWorkers, type Workers } from './workers.js';

vi.setConfig({ testTimeout: 120_000 }); // three processes start on one core

interface Page {
  readonly last: number;
  readonly messages: readonly { readonly id: number }[];
}

async function metricsOf(server: Workers): Promise<ReadonlyMap<string, number>> {
  const text = await (await server.door.visitor().get('/metrics')).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

describe('a server with workers', () => {
  it('streams, polls, prints and finds what was posted at another worker', async () => {
    const server = await startWorkers();
    const { door, port } = server;
    const [ann, bob] = [await door.signIn('Ann'), await door.signIn('Bob')];
    const [one, two] = [await agentTo(port, 1), await agentTo(port, 2)];
    const lines = await ann.reads('lobby', { format: 'application/x-ndjson' });
    const events = await ann.reads('lobby');
    const post = (data: string) =>
      send(one, port, '/api/rooms/lobby/messages', { method: 'POST', cookie: bob.cookie, body: { data } });
    const poll = send(two, port, '/api/rooms/lobby/messages?after=0&wait=20', { cookie: ann.cookie });
    expect((await post('hello workers')).status).toBe(201);
    for (const stream of [lines, events]) await stream.sees({ type: 'chat', data: 'hello workers', id: 1 });
    expect((JSON.parse((await poll).body) as Page).messages.map(({ id }) => id)).toEqual([1]);
    const plain = await send(two, port, '/r/lobby/plain', { cookie: ann.cookie });
    expect(plain.body).toContain('hello workers');
    await vi.waitFor(async () => {
      const found = await send(two, port, '/api/search?q=workers', { cookie: ann.cookie });
      expect((JSON.parse(found.body) as Page).messages.map(({ id }) => id)).toEqual([1]);
    }, patience);
    await vi.waitFor(async () => {
      const rooms = JSON.parse((await send(two, port, '/api/rooms', { cookie: bob.cookie })).body) as unknown;
      expect(rooms).toMatchObject([{ room: 'lobby', last: 1, people: 1, joined: true }]);
    }, patience);
  });

  it('shows what a plain form did, whichever worker answers next', async () => {
    const { door, port } = await startWorkers();
    const { cookie } = await door.signIn('Ann');
    const [one, two] = [await agentTo(port, 1), await agentTo(port, 2)];
    for (let n = 1; n <= 20; n++) {
      const body = { data: `text ${n}`, cid: `c${n}` };
      const posted = await send(one, port, '/r/lobby/plain', { method: 'POST', cookie, body });
      const next = String(posted.headers['location']);
      expect([posted.status, next]).toEqual([
        303,
        expect.stringMatching(/^\/r\/lobby\/plain\?position=[\d-]+$/),
      ]);
      expect((await send(two, port, next, { cookie })).body).toContain(`text ${n}<`);
    }
  });

  it('ends the sessions of a person at all workers, and moves their read mark and their name', async () => {
    const { door, port } = await startWorkers();
    const ann = await door.signIn('Ann');
    const [one, two] = [await agentTo(port, 1), await agentTo(port, 2)];
    const [here, there] = [await entersAt(ann, 1, 'lobby'), await entersAt(ann, 2, 'lobby')];
    here.says('one');
    await there.sees({ type: 'chat', id: 1 });
    const { cookie } = ann;
    await send(two, port, '/api/rooms/lobby/read', { method: 'PUT', cookie, body: { id: 1 } });
    await here.sees({ type: 'room', room: 'lobby', read: 1, unread: 0 });
    expect(
      (await send(two, port, '/api/me', { method: 'PATCH', cookie, body: { name: 'Anna' } })).status,
    ).toBe(200);
    await here.sees({ type: 'join', user: { id: ann.user.id, name: 'Anna' } });
    expect((await send(two, port, '/signout', { method: 'POST', cookie, body: {} })).status).toBe(204);
    expect(await Promise.all([here.closed, there.closed])).toEqual([4002, 4002]);
    expect((await send(one, port, '/api/me', { cookie })).status).toBe(401);
  });

  it('adds up its metrics, says its role, and lets commands work beside it', async () => {
    const server = await startWorkers();
    const ann = await server.door.signIn('Ann');
    const room = await entersAt(ann, 1, 'lobby');
    await entersAt(ann, 2, 'lobby');
    await room.sees({ type: 'chat', cid: room.says('hi') });
    const names = [
      'oneport_connections',
      'oneport_people',
      'oneport_rooms',
      'oneport_events_total',
      'oneport_workers',
    ];
    const metrics = await vi.waitFor(async () => {
      const read = await metricsOf(server); // without a worker that answers late
      expect(names.map((name) => read.get(name))).toEqual([2, 1, 1, 1, 2]);
      return read;
    }, patience);
    expect(metrics.get('oneport_commit_seconds_count')).toBeGreaterThan(1);
    expect(metrics.get('process_start_time_seconds')).toBeGreaterThan(1e9);
    const ready = await (await ann.get('/readyz')).json();
    expect(ready).toMatchObject({ ready: true, role: 'primary', behind: 0 });
    const status = await oneport(['status', server.origin], server.dataDir);
    expect([status.code, status.out]).toEqual([0, expect.stringContaining('people       1 in 1 room\n')]);
    expect((await oneport(['verify'], server.dataDir)).code).toBe(0);
  });
});

describe('limits', () => {
  it('hold over all workers: sockets and streams of a person, sign-ins, messages', async () => {
    const env = {
      CONNECTIONS_PER_PERSON: '2',
      SIGNINS_PER_MINUTE: '1',
      MESSAGE_RATE: '1',
      MESSAGE_BURST: '4',
    };
    const { door, port } = await startWorkers(env);
    const ann = await door.signIn('Ann');
    const [one, two] = [await agentTo(port, 1), await agentTo(port, 2)];
    const [here, there] = [await entersAt(ann, 1, 'lobby'), await entersAt(ann, 2, 'lobby')];
    expect(await (await entersAt(ann, 2, 'lobby')).closed).toBe(4003);
    const { cookie } = ann;
    expect((await send(one, port, '/api/rooms/lobby/events', { cookie })).status).toBe(429);
    here.ws.close();
    await here.closed;
    const seldom = { ...patience, interval: 500 }; // a user may open 60 sockets in ten seconds
    await vi.waitFor(async () => expect(await stays(await entersAt(ann, 1, 'lobby'))).toBe(true), seldom);
    const post = (agent: typeof one) =>
      send(agent, port, '/api/rooms/lobby/messages', { method: 'POST', cookie, body: { data: 'x' } });
    const statuses: number[] = [];
    const since = performance.now();
    for (let n = 0; n < 4; n++) for (const agent of [one, two]) statuses.push((await post(agent)).status);
    const filled = (performance.now() - since) / 1000; // tokens that have come meanwhile
    expect(statuses.filter((status) => status === 201).length).toBeLessThanOrEqual(4 + filled);
    expect(statuses.slice(0, 4)).toEqual([201, 201, 201, 201]);
    there.says('waits', 'w1'); // its worker has tokens, the primary has not
    await there.seesAll({ type: 'chat', cid: 'w1' }, 1);
    const signIn = (agent: typeof one) =>
      send(agent, port, '/signin', { method: 'POST', body: { name: `N${Math.random()}`.slice(0, 12) } });
    const answers: number[] = [];
    for (let n = 0; n < 31; n++) for (const agent of [one, two]) answers.push((await signIn(agent)).status);
    expect(answers.slice(0, 59)).toEqual(Array(59).fill(200));
    expect(answers.at(-1)).toBe(429);
  });
});

/** Whether a socket was let in. */
async function stays(socket: {
  closed: Promise<number>;
  sees(fields: object): Promise<unknown>;
}): Promise<boolean> {
  return Promise.race([socket.closed.then(() => false), socket.sees({ type: 'hello' }).then(() => true)]);
}
