/** The hub over sockets that only write down what is sent. */
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.js';
import { Hub } from '../../src/realtime/hub.js';
import { refusedResult } from '../../src/sequencer/sequencer.js';
import type { RoomEvent } from '../../src/shared/protocol.js';
import { stopClock } from '../harness.js';
import { openSocket } from './sockets.js';

function startHub(after: () => readonly RoomEvent[] = () => [], isRefusing = () => false) {
  const submitted: string[] = [];
  const seen: string[] = [];
  const replies: (() => void)[] = [];
  const names = new Map<string, string>();
  const hub = new Hub({
    log: { last: () => 0, after },
    epoch: 'e',
    limits: readConfig({}).limits,
    now: () => 0,
    submit: (command, reply) => {
      submitted.push(command.kind);
      if (isRefusing()) reply?.(refusedResult);
      else replies.push(() => reply?.({ kind: 'seen' }));
    },
    countUnread: () => undefined,
    onSeen: ({ name }) => seen.push(name),
    nameOf: (id) => names.get(id),
    publish: () => {},
  });
  const enter = (name: string) => openSocket(hub, name);
  /** Another process says this. */
  const hears = (...notices: readonly unknown[]): void =>
    hub.peers?.receive('other', JSON.stringify(notices));
  /** Answers all commands. */
  const commit = (): void => {
    for (const reply of replies.splice(0)) reply();
  };
  return { hub, enter, seen, submitted, names, hears, commit };
}

/** The frame that tells that Bob left. */
const left = { type: 'left', user: { id: 'Bob', name: 'Bob' }, data: 'Bob left.' };

describe('the hub', () => {
  it('tells at once that a user left whose socket did not answer a ping', async () => {
    const { enter } = startHub();
    const [ann, bob] = [enter('Ann'), enter('Bob')];
    bob.connection.ping();
    expect(await ann.allSent()).not.toContainEqual(left);
    bob.connection.ping();
    expect(await ann.allSent()).toContainEqual(left);
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
    expect(await ann.allSent()).not.toContainEqual(left);
  });

  it('tells at once that a user left who has signed out', async () => {
    const { hub, enter } = startHub();
    const [ann] = [enter('Ann'), enter('Bob')];
    hub.deliver([{ kind: 'signed-out', user: { id: 'Bob', name: 'Bob' } }]);
    expect(await ann.allSent()).toContainEqual(left);
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

  it('tells nothing of a user of another process who is back within the leave delay', async () => {
    const clock = stopClock();
    const { hub, enter, hears } = startHub();
    const ann = enter('Ann');
    hears(['join', 'lobby', 'b', 'Bob']);
    hears(['left', 'lobby', 'b', false]);
    clock(2000);
    hub.everySecond();
    hears(['join', 'lobby', 'b', 'Bob']);
    clock(5000);
    hub.everySecond();
    const told = (await ann.allSent()).map(({ type }) => type);
    expect(told).toEqual(['hello', 'list', 'join']);
  });

  it('makes a user a member of the room once something can be stored again', () => {
    let isRefusing = true;
    const { hub, enter, submitted } = startHub(undefined, () => isRefusing);
    enter('Ann');
    enter('Bob').leave();
    expect(submitted.splice(0)).toEqual(['enter', 'enter']);
    hub.everySecond();
    expect(submitted.splice(0)).toEqual(['enter']); // Bob has left
    isRefusing = false;
    hub.everySecond();
    hub.everySecond();
    expect(submitted).toEqual(['enter']);
  });

  it('forgets a user of another process some time after they have left', () => {
    const clock = stopClock();
    const { hub, hears } = startHub();
    hears(['join', 'lobby', 'b', 'Bob'], ['left', 'lobby', 'b', false]);
    hub.everySecond();
    expect(hub.userCount).toBe(1);
    clock(11_000);
    hub.everySecond();
    expect(hub.userCount).toBe(0);
  });

  it('shows a user of another process under the name that was committed, when that process tells an older one', async () => {
    const { enter, names, hears } = startHub();
    const ann = enter('Ann');
    names.set('b', 'Bobby');
    hears(['typing', 'lobby', 'b', 'Bob'], ['join', 'lobby', 'b', 'Bob']);
    expect(await ann.allSent()).toContainEqual({
      ...{ type: 'join', data: 'Bobby joined.' },
      user: { id: 'b', name: 'Bobby' },
    });
  });
});
