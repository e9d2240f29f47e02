/** Two nodes on one Redis, each with workers: one chat. */
import { describe, expect, it, vi } from 'vitest';
import { hasTool, Visitor } from '../harness.js';
import { startRedis, untilReady } from '../redis.js';
import { entersAt, patience, startWorkers, type Workers } from './workers.js';

vi.setConfig({ testTimeout: 120_000 }); // three processes start on one core

const hasRedis = hasTool('redis-server') && hasTool('redis-cli');

function at({ door }: Workers, { user, cookie }: Visitor): Visitor {
  return new Visitor(door, user, cookie);
}

describe.skipIf(!hasRedis)('two nodes with two workers each', () => {
  it('number one room, share presence, typing and sign-out, and give each position to a waiting client', async () => {
    const redis = await startRedis();
    const [a, b] = await Promise.all([
      startWorkers({ REDIS_URL: redis.url }),
      startWorkers({ REDIS_URL: redis.url }),
    ]);
    for (const node of [a, b]) expect(await untilReady(node)).toMatchObject({ role: 'node' });
    const [ann, bob] = [await a.door.signIn('Ann'), await b.door.signIn('Bob')];
    const rooms = [
      await entersAt(ann, 1, 'lobby'),
      await entersAt(ann, 2, 'lobby'),
      await entersAt(bob, 1, 'lobby'),
      await entersAt(at(b, ann), 2, 'lobby'),
    ];
    const [first, , bobs, abroad] = rooms;
    if (!first || !bobs || !abroad) throw new Error('nobody came');
    await first.sees({ type: 'join', user: bob.user });
    bobs.sends({ type: 'typing' });
    await first.sees({ type: 'typing', user: bob.user });
    for (let n = 0; n < 20; n++) rooms[n % 4]?.says(`m${n}`);
    for (const room of rooms) await room.seesAll({ type: 'chat' }, 20);
    const orders = rooms.map(({ numbered }) =>
      numbered.map(({ id, data }) => `${String(id)} ${String(data)}`),
    );
    for (const order of orders) expect(order).toEqual(orders[0]);
    const posted = await ann.post('/api/rooms/lobby/messages', { data: 'last' });
    const headers = { cookie: ann.cookie, 'Oneport-Position': posted.headers.get('Oneport-Position') ?? '' };
    const page = await fetch(`${b.origin}/api/rooms/lobby/messages`, { headers });
    expect(await page.json()).toMatchObject({ last: 21 });
    await ann.post('/signout', {});
    const closed = [rooms[0], rooms[1], rooms[3]].map((room) => room?.closed);
    expect(await Promise.all(closed)).toEqual([4002, 4002, 4002]);
    await bobs.seesAll({ type: 'left', user: ann.user }, 1, 20_000);
  });

  it('serve while Redis is gone, and continue when it is back', async () => {
    const redis = await startRedis();
    const a = await startWorkers({ REDIS_URL: redis.url });
    await untilReady(a);
    const ann = await a.door.signIn('Ann');
    const room = await entersAt(ann, 1, 'lobby');
    await room.sees({ type: 'chat', cid: room.says('one') });
    await redis.kill();
    await untilReady(a, /Redis/);
    expect((await ann.get('/api/rooms/lobby/messages')).status).toBe(200);
    await redis.start();
    await untilReady(a);
    await vi.waitFor(
      async () => expect((await ann.post('/api/rooms/lobby/messages', { data: 'two' })).status).toBe(201),
      patience,
    );
    await room.sees({ type: 'chat', data: 'two', id: 2 });
  });
});
