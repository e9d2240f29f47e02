/** The client behind a real nginx that blocks upgrades, buffers answers, or cuts connections. */
import { describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { connect, type RoomClient } from '../../src/connect/client.js';
import { hasTool, startChat } from '../harness.js';
import { freePort } from '../process.js';
import { BLOCKED, BUFFER, GZIP, Nginx, OPEN, type Rules, UPGRADE } from './nginx.js';

/** A server, nginx in front of it, and Ann behind nginx. `states`: all that her connection has been in. */
async function start(rules: Rules) {
  const chat = await startChat({ env: { PUBLIC_ORIGIN: '' } });
  const nginx = new Nginx(await freePort(), chat.port);
  await nginx.start(rules);
  const states: string[] = [];
  const room = connect({
    url: `${nginx.door.origin}/r/lobby`,
    WebSocket,
    onState: ({ state }) => states.push(state),
  });
  onTestFinished(() => room.close());
  await room.signIn('Ann');
  await room.ready();
  const bob = await (await chat.signIn('Bob')).enters('lobby');
  return { nginx, room, bob, states };
}

function transportOf({ state }: RoomClient): string {
  return state.state === 'live' ? state.transport : state.state;
}

/** Reads in the background; resolves when so many events have come, each once and in order. */
function collect(room: RoomClient) {
  const ids: number[] = [];
  void (async () => {
    for await (const { id } of room) ids.push(id);
  })();
  return {
    has: async (count: number): Promise<void> => {
      await expect.poll(() => ids.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(count);
      expect(ids).toEqual(Array.from({ length: ids.length }, (_, n) => n + 1));
    },
  };
}

describe.runIf(hasTool('nginx'))('behind a proxy', { timeout: 150_000 }, () => {
  it('goes over to a stream when upgrades are blocked, and back, and loses nothing', async () => {
    const { nginx, room, bob } = await start(OPEN);
    const seen = collect(room);
    expect(transportOf(room)).toBe('websocket');
    let said = 0;
    const talk = setInterval(() => bob.says(`text ${++said}`), 20);
    onTestFinished(() => clearInterval(talk));
    nginx.change(BLOCKED);
    await expect.poll(() => transportOf(room)).toBe('stream');
    expect(await room.say('over the stream')).toBeGreaterThan(0);
    nginx.change(OPEN);
    await expect.poll(() => transportOf(room), { timeout: 70_000 }).toBe('websocket');
    clearInterval(talk);
    await bob.seesAll({ type: 'chat' }, said + 1, 20_000);
    await seen.has(said + 1);
  });

  it('streams where the proxy drops the headers of an upgrade', async () => {
    const { room, bob } = await start({ sockets: '' });
    const seen = collect(room);
    expect(transportOf(room)).toBe('stream');
    bob.says('one');
    await bob.sees({ type: 'chat', id: 1 });
    expect(await room.say('two')).toBe(2);
    await seen.has(2);
  });

  it.each([
    ['stream', 'buffers unless it is told not to', GZIP],
    ['stream', 'never buffers', `${GZIP}proxy_buffering off;`],
    ['poll', 'always buffers', GZIP + BUFFER],
  ])('uses a %s where the proxy compresses and %s', async (transport, _buffers, rest) => {
    const { room, bob } = await start({ ...BLOCKED, rest });
    const seen = collect(room);
    expect(transportOf(room)).toBe(transport);
    bob.says('one');
    await bob.sees({ type: 'chat', id: 1 });
    await seen.has(1);
    expect([await room.say('two'), transportOf(room)]).toEqual([2, transport]);
    await seen.has(2);
  });

  it.each([
    ['text/event-stream', 'buffers unless it is told not to', GZIP],
    ['text/event-stream', 'never buffers', `${GZIP}proxy_buffering off;`],
    ['application/x-ndjson', 'buffers unless it is told not to', GZIP],
    ['application/x-ndjson', 'never buffers', `${GZIP}proxy_buffering off;`],
  ] as const)(
    'gets each frame as %s at once where the proxy compresses and %s',
    async (format, _buffers, rest) => {
      const { nginx, bob } = await start({ ...BLOCKED, rest });
      const carl = await nginx.door.signIn('Carl');
      const stream = await carl.reads('lobby', { format, headers: { 'accept-encoding': 'gzip' } });
      expect(stream.response.headers['content-encoding']).toBe('gzip');
      const end = format === 'text/event-stream' ? /\}\n\n$/ : /\}\n$/;
      await stream.sees({ type: 'list' });
      for (const data of ['one', 'two', 'three']) {
        bob.says(data);
        await stream.sees({ type: 'chat', data });
        expect(stream.raw).toMatch(end); // no ping had to bring it
      }
    },
  );

  it.each([
    ['buffers unless it is told not to', GZIP],
    ['always buffers', GZIP + BUFFER],
    ['never buffers', `${GZIP}proxy_buffering off;`],
  ])(
    'gets the answer to a long poll at once where the proxy compresses and %s',
    async (_buffers, rest) => {
      const { nginx, bob } = await start({ ...BLOCKED, rest });
      const carl = await nginx.door.signIn('Carl');
      for (const after of [0, 1, 2]) {
        const waiting = carl.get(`/api/rooms/lobby/messages?after=${after}&wait=30`);
        bob.says(`text ${after}`);
        const answer = await waiting;
        expect(answer.headers.get('content-encoding')).toBe('gzip');
        expect(await answer.json()).toMatchObject({
          complete: true,
          messages: [{ id: after + 1, data: `text ${after}` }],
        });
      }
    },
    28_000, // less than the poll would wait
  );

  it('polls where the proxy also holds streams back', async () => {
    const { room, bob } = await start({ ...BLOCKED, rest: BUFFER });
    const seen = collect(room);
    expect(transportOf(room)).toBe('poll');
    bob.says('one');
    await bob.sees({ type: 'chat', id: 1 });
    expect(await room.say('two')).toBe(2);
    await seen.has(2);
  });

  it('polls when the proxy begins to hold a stream back', async () => {
    const { nginx, room } = await start(BLOCKED);
    const seen = collect(room);
    expect([await room.say('one'), transportOf(room)]).toEqual([1, 'stream']);
    nginx.change({ ...BLOCKED, rest: BUFFER });
    await expect.poll(() => transportOf(room), { timeout: 30_000 }).toBe('poll');
    expect(await room.say('two')).toBe(2);
    await seen.has(2);
  });

  it.each(['websocket', 'stream'])('loses nothing where the proxy cuts a silent %s', async (name) => {
    const cut = 'proxy_read_timeout 6s;';
    const { room, bob, states } = await start({
      sockets: name === 'stream' ? 'return 403;' : UPGRADE + cut,
      rest: cut,
    });
    const seen = collect(room);
    for (let round = 0; round < 2; round++) {
      expect(transportOf(room)).toBe(name);
      const known = states.length;
      await expect.poll(() => states.length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(known);
      bob.says('while it was away');
      await expect.poll(() => transportOf(room)).toBe(name);
      await seen.has(round * 2 + 1);
      expect(await room.say('there again')).toBe(round * 2 + 2);
    }
    await seen.has(4);
  });
});
