/** The hub over sockets that only write down what is sent. */
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.js';
import type { ConnectionOptions } from '../../src/realtime/connection.js';
import { Hub } from '../../src/realtime/hub.js';
import type { RoomEvent } from '../../src/shared/protocol.js';

function startHub(after: () => readonly RoomEvent[] = () => []) {
  const seen: string[] = [];
  const replies: (() => void)[] = [];
  const hub = new Hub({
    log: { last: () => 0, after },
    epoch: 'e',
    limits: readConfig({}).limits,
    now: () => 0,
    submit: (_, reply) => replies.push(() => reply?.({ kind: 'seen' })),
    countUnread: () => undefined,
    onSeen: ({ name }) => seen.push(name),
  });
  const enter = (name: string) => {
    const closed = (): void => hub.close(ws as never);
    const ws = {
      isPaused: false,
      pause() {
        this.isPaused = true;
      },
      resume() {
        this.isPaused = false;
      },
      terminate: closed,
      close: closed,
    };
    let sent = '';
    const write = (bytes: Buffer): boolean => {
      sent += bytes.toString('latin1');
      return true;
    };
    const socket = { writableLength: 0, write };
    const user = hub.user({ id: name, name });
    const options = { ws, socket, user, json: true, sessionExpiresAt: Number.POSITIVE_INFINITY };
    const connection = hub.open(options as unknown as ConnectionOptions, 'lobby', {
      after: undefined,
      epoch: undefined,
      history: 0,
    });
    /** Everything that was sent so far, once nothing is pending. */
    const allSent = async (): Promise<string> => {
      await hub.broadcaster.whenIdle();
      return sent;
    };
    return { connection, leave: closed, allSent };
  };
  /** Answers all commands. */
  const commit = (): void => {
    for (const reply of replies.splice(0)) reply();
  };
  return { hub, enter, seen, commit };
}

describe('the hub', () => {
  it('tells at once that a user left whose socket did not answer a ping', async () => {
    const { enter } = startHub();
    const [ann, bob] = [enter('Ann'), enter('Bob')];
    bob.connection.ping();
    expect(await ann.allSent()).not.toContain('"left"');
    bob.connection.ping();
    expect(await ann.allSent()).toContain('"left"');
  });

  it('notes who connected once a second, some hundreds at a time, also when they have left', () => {
    const { hub, enter, seen, commit } = startHub();
    for (let n = 0; n < 700; n++) enter(`user ${n}`).leave();
    commit();
    expect(seen).toEqual([]);
    hub.everySecond();
    expect(seen.length).toBeLessThan(700);
    hub.everySecond();
    expect(new Set(seen).size).toBe(700);
  });

  it('notes nobody whose entering is not stored yet, because that stores their visit too', () => {
    const { hub, enter, seen, commit } = startHub();
    enter('Ann');
    hub.everySecond();
    expect(seen).toEqual([]);
    commit();
    hub.everySecond();
    expect(seen).toContain('Ann');
  });

  it('does not tell at once that a user left whose socket was closed', async () => {
    const { enter } = startHub();
    const [ann, bob] = [enter('Ann'), enter('Bob')];
    bob.leave();
    expect(await ann.allSent()).not.toContain('"left"');
  });

  it('tells at once that a user left who has signed out', async () => {
    const { hub, enter } = startHub();
    const [ann] = [enter('Ann'), enter('Bob')];
    hub.deliver([{ kind: 'signed-out', user: { id: 'Bob', name: 'Bob' } }]);
    expect(await ann.allSent()).toContain('"left"');
  });

  it('closes the sockets of a room when it lacks an event and the log cannot be read', () => {
    const { hub, enter } = startHub(() => {
      throw new Error('disk I/O error');
    });
    enter('Ann');
    const user = { id: 'Bob', name: 'Bob' };
    const event = { id: 5, type: 'chat', user, data: 'hi', at: 0 } as const;
    hub.deliver([{ kind: 'accepted', room: 'lobby', event, mentioned: [], messageCount: 5 }]);
    expect([hub.connections.size, hub.roomCount]).toEqual([0, 0]);
  });

  it('keeps no room without a socket', () => {
    const { hub, enter } = startHub();
    const [ann, bob] = [enter('Ann'), enter('Bob')];
    ann.leave();
    expect([hub.roomCount, hub.presenceCount('lobby')]).toEqual([1, 2]);
    bob.leave();
    expect([hub.roomCount, hub.presenceCount('lobby')]).toEqual([0, 0]);
  });

  it('does not cut a client that could not answer a ping because its reading was paused', () => {
    const { hub, enter } = startHub();
    const { connection } = enter('Ann');
    connection.pause();
    connection.ping();
    connection.ping();
    connection.resume();
    connection.ping();
    expect(hub.connections.size).toBe(1);
    connection.ping();
    expect(hub.connections.size).toBe(0);
  });
});
