import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.js';
import type { Connection } from '../../src/realtime/connection.js';
import { ConnectedUser } from '../../src/realtime/user.js';

const { limits } = readConfig({});
const longAgo = 60_000;

function newUser(): ConnectedUser {
  return new ConnectedUser({ id: 'a', name: 'Ann' }, limits);
}

/** A user only holds connections, so any three objects will do. */
const [one, two, three] = [{}, {}, {}] as unknown as readonly [Connection, Connection, Connection];

describe('a connected user', () => {
  it('holds no socket, one or several, and drops each that is closed', () => {
    const ann = newUser();
    const held = (): number[] => [ann.connectionCount, [...ann.connections].length];
    expect(held()).toEqual([0, 0]);
    ann.addConnection(one);
    ann.addConnection(one);
    expect([...ann.connections]).toEqual([one]);
    ann.addConnection(two);
    ann.addConnection(three);
    expect([...ann.connections]).toEqual([one, two, three]);
    ann.removeConnection(one, 0);
    expect([...ann.connections]).toEqual([two, three]);
    ann.removeConnection(three, 0);
    ann.removeConnection(three, 0);
    ann.removeConnection(two, 0);
    expect(held()).toEqual([0, 0]);
    ann.addConnection(two);
    expect([...ann.connections]).toEqual([two]);
  });

  it('may open 60 sockets in ten seconds, and more in the next ten', () => {
    const ann = newUser();
    for (let n = 0; n < 60; n++) expect(ann.refuseConnection(longAgo + n)).toBe(null);
    expect(ann.refuseConnection(longAgo + 60)).toBe('rate');
    expect(ann.refuseConnection(longAgo + 9_999)).toBe('rate');
    expect(ann.refuseConnection(longAgo + 10_000)).toBe(null);
  });

  it('is idle until a message is sent, and again once the burst is full', () => {
    const ann = newUser();
    expect(ann.isIdle(longAgo)).toBe(true);
    ann.throttle.takeMessageTokens(longAgo, 1);
    expect(ann.isIdle(longAgo)).toBe(false);
    expect(ann.isIdle(longAgo + 1000)).toBe(true);
  });

  it('is idle ten seconds after the last socket closed, or was opened', () => {
    const [ann, bob] = [newUser(), newUser()];
    ann.addConnection(one);
    ann.removeConnection(one, longAgo);
    bob.refuseConnection(longAgo);
    for (const user of [ann, bob])
      expect([9_999, 10_000].map((ms) => user.isIdle(longAgo + ms))).toEqual([false, true]);
  });

  it('drops what waits when it is disconnected, and closes all sockets with 4429', () => {
    const ann = newUser();
    const codes: number[] = [];
    const socket = { closeFlood: ([code]: [number]) => codes.push(code), resume: () => {} };
    ann.addConnection(socket as unknown as Connection);
    ann.throttle.queueFrame(100, () => codes.push(0));
    ann.disconnect();
    expect(ann.runQueued(longAgo)).toBe(true);
    expect([codes, ann.queuedBytes]).toEqual([[4429], 0]);
  });

  it('reads from all sockets again when little waits any more', () => {
    const ann = newUser();
    let resumed = 0;
    const socket = { resume: () => resumed++ };
    ann.addConnection(socket as unknown as Connection);
    while (ann.throttle.takeFrameToken(0));
    for (let n = 0; n < 10; n++) ann.throttle.queueFrame(100, () => {});
    expect(ann.runQueued(100)).toBe(false);
    expect(resumed).toBe(0);
    expect(ann.runQueued(200)).toBe(true);
    expect(resumed).toBe(1);
  });
});
