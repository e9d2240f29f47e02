/** A server with workers: one chat, whichever worker somebody is connected to. */
import { describe, expect, it, vi } from 'vitest';
import { agentTo, entersAt, send, startWorkers } from './workers.js';

vi.setConfig({ testTimeout: 120_000 }); // three processes start on one core

describe('two workers', () => {
  it('number one room together, and show every message to everyone', async () => {
    const { door } = await startWorkers();
    const [ann, bob] = [await door.signIn('Ann'), await door.signIn('Bob')];
    const [here, there] = [await entersAt(ann, 1, 'lobby'), await entersAt(bob, 2, 'lobby')];
    here.says('from one');
    await there.sees({ type: 'chat', data: 'from one', id: 1 });
    there.says('from two');
    for (const room of [here, there]) await room.sees({ type: 'chat', data: 'from two', id: 2 });
    const { epoch } = await here.sees({ type: 'hello' });
    const resumed = await entersAt(ann, 2, 'lobby', { query: `?after=1&epoch=${String(epoch)}` });
    expect(await resumed.sees({ type: 'hello' })).toMatchObject({ last: 2, complete: true });
    await resumed.sees({ type: 'list' }); // follows the replay
    expect(resumed.numbered.map(({ id }) => id)).toEqual([2]);
  });

  it('list the people of both, and tell who comes, goes and types', async () => {
    const { door } = await startWorkers();
    const [ann, bob] = [await door.signIn('Ann'), await door.signIn('Bob')];
    const here = await entersAt(ann, 1, 'lobby');
    await here.sees({ type: 'list', count: 1 });
    const there = await entersAt(bob, 2, 'lobby');
    expect(await there.sees({ type: 'list' })).toMatchObject({ count: 2 });
    await here.sees({ type: 'join', user: bob.user });
    there.sends({ type: 'typing' });
    await here.sees({ type: 'typing', user: bob.user });
    const second = await entersAt(bob, 1, 'lobby');
    await second.sees({ type: 'list', count: 2 });
    there.ws.close();
    second.ws.close();
    await here.seesAll({ type: 'left', user: bob.user }, 1, 20_000);
    expect(here.frames.filter(({ type }) => type === 'join')).toHaveLength(1);
  });

  it('answer a request that sends back the position of the other one', async () => {
    const { door, port } = await startWorkers();
    const ann = await door.signIn('Ann');
    const [one, two] = [await agentTo(port, 1), await agentTo(port, 2)];
    const { cookie } = ann;
    await entersAt(ann, 2, 'lobby');
    for (let n = 1; n <= 20; n++) {
      const body = { data: `m${n}` };
      const posted = await send(one, port, '/api/rooms/lobby/messages', { method: 'POST', cookie, body });
      expect(posted.status).toBe(201);
      const position = String(posted.headers['oneport-position']);
      const headers = { 'oneport-position': position };
      const page = await send(two, port, '/api/rooms/lobby/messages', { cookie, headers });
      expect((JSON.parse(page.body) as { last: number }).last).toBe(n);
    }
  });
});
