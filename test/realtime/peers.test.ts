/** The people of other processes, with a clock that the test moves. */
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.js';
import { Peers } from '../../src/realtime/peers.js';
import { ConnectedUser } from '../../src/realtime/user.js';
import type { User } from '../../src/shared/protocol.js';
import { stopClock } from '../harness.js';

const ANN = { id: 'a', name: 'Ann' };
const BOB = { id: 'b', name: 'Bob' };

function recorded(local: readonly (readonly [string, readonly User[]])[] = []) {
  const log: string[] = [];
  const sent: string[] = [];
  const { limits } = readConfig({});
  const peers = new Peers({
    publish: (text) => sent.push(text),
    local: () => local,
    enter: (room, profile) => {
      log.push(`${profile.name} enters ${room}`);
      return new ConnectedUser(profile, limits);
    },
    leave: (room, user, atOnce) => log.push(`${user.profile.name} leaves ${room}${atOnce ? ' at once' : ''}`),
    typing: (room, profile) => log.push(`${profile.name} types in ${room}`),
  });
  const hears = (...notices: readonly unknown[]): void => peers.receive('other', JSON.stringify(notices));
  return { peers, log, sent, hears };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('peers', () => {
  it('count each user of another process once in each room', () => {
    const { log, hears } = recorded();
    hears(['join', 'lobby', 'a', 'Ann'], ['join', 'lobby', 'a', 'Ann'], ['join', 'kitchen', 'a', 'Ann']);
    hears(['left', 'lobby', 'a', false], ['left', 'lobby', 'a', false], ['left', 'lobby', 'b', false]);
    expect(log).toEqual(['Ann enters lobby', 'Ann enters kitchen', 'Ann leaves lobby']);
  });

  it('take the list of another process as the truth', () => {
    const { log, hears } = recorded();
    hears(['join', 'lobby', 'a', 'Ann']);
    hears(['list', [['lobby', [['b', 'Bob']]]]]);
    expect(log).toEqual(['Ann enters lobby', 'Ann leaves lobby', 'Bob enters lobby']);
    hears(['list', [['lobby', [['b', 'Bob']]]]]);
    expect(log).toHaveLength(3);
  });

  it('drop the people of a process that is silent for 30 s, or says goodbye', () => {
    stopClock();
    const { peers, log, hears } = recorded();
    hears(['join', 'lobby', 'a', 'Ann']);
    for (let second = 1; second <= 30; second++) peers.everySecond(performance.now());
    expect(log).toEqual(['Ann enters lobby']);
    peers.everySecond(performance.now());
    hears(['join', 'lobby', 'b', 'Bob'], ['bye']);
    expect(log).toEqual([
      'Ann enters lobby',
      'Ann leaves lobby at once',
      'Bob enters lobby',
      'Bob leaves lobby',
    ]);
  });

  it('send nothing after goodbye', async () => {
    const { peers, sent, hears } = recorded([['lobby', [ANN]]]);
    peers.joined('lobby', ANN);
    peers.bye();
    peers.joined('lobby', BOB);
    hears(['hello']);
    peers.everySecond(performance.now());
    peers.bye();
    await turn();
    expect(sent.map((text) => JSON.parse(text) as unknown)).toEqual([
      [['join', 'lobby', 'a', 'Ann'], ['bye']],
    ]);
  });

  it('keep the people of the others when this process stands still for long', () => {
    const { peers, log, hears } = recorded();
    hears(['join', 'lobby', 'a', 'Ann']);
    peers.everySecond(performance.now());
    peers.everySecond(performance.now() + 40_000); // before it reads what they have sent meanwhile
    expect(log).toEqual(['Ann enters lobby']);
  });

  it('tell all changes of one turn together, and the whole list when somebody comes', async () => {
    const { peers, sent, hears } = recorded([['lobby', [ANN]]]);
    peers.joined('lobby', ANN);
    peers.typing('lobby', ANN);
    peers.left('lobby', BOB, true);
    await turn();
    const list = ['list', [['lobby', [['a', 'Ann']]]]];
    expect(sent.splice(0).map((text) => JSON.parse(text) as unknown)).toEqual([
      [
        ['join', 'lobby', 'a', 'Ann'],
        ['typing', 'lobby', 'a', 'Ann'],
        ['left', 'lobby', 'b', true],
      ],
    ]);
    const now = performance.now();
    for (const later of [0, 1000, 9000, 11_000]) peers.everySecond(now + later);
    hears(['hello']);
    hears(['hello']);
    for (const later of [12_000, 13_000]) peers.everySecond(now + later);
    await turn();
    const digest = ['digest', expect.any(String), 0, expect.any(Number)];
    expect(sent.map((text) => JSON.parse(text) as unknown)).toEqual([[digest, digest, list]]);
  });

  it('ask for the list of a process that has other people than they know, and only then', async () => {
    const people: User[] = [];
    const all = [recorded([['lobby', people]]), recorded(), recorded()] as const;
    const [a, b, c] = all;
    const now = 1000; // whole, because differences of fractions are not exact
    /** Returns what was sent, which all others have got unless it is lost. */
    const sentBy = async (sender: typeof a, isLost = false): Promise<string[]> => {
      await turn();
      const texts = sender.sent.splice(0);
      for (const other of isLost ? [] : all)
        if (other !== sender) for (const text of texts) other.peers.receive(`${all.indexOf(sender)}`, text);
      return texts.flatMap((text) => (JSON.parse(text) as string[][]).map(([kind]) => String(kind)));
    };
    const joins = (user: User): void => {
      people.push(user);
      a.peers.joined('lobby', user);
    };
    joins(ANN);
    await sentBy(a);
    a.peers.everySecond(now);
    expect(await sentBy(a)).toEqual(['digest']);
    expect(await sentBy(b)).toEqual([]);
    joins(BOB);
    await sentBy(a, true);
    a.peers.everySecond(now + 10_000);
    await sentBy(a);
    expect([await sentBy(b), await sentBy(c)]).toEqual([['ask'], ['ask']]);
    for (const { peers } of all) peers.everySecond(now + 11_000);
    expect(await sentBy(a)).toEqual(['list']);
    expect(b.log).toEqual(['Ann enters lobby', 'Bob enters lobby']);
    await sentBy(b);
    a.peers.everySecond(now + 20_000);
    expect([await sentBy(a), await sentBy(b)]).toEqual([['digest'], []]);
  });

  it('ignore junk', () => {
    const { peers, log, hears } = recorded();
    for (const text of ['', '{', '[]', '{}', '[1]', '[[]]', '[["join"]]', '[["list",[1,[2]]]]'])
      peers.receive('other', text);
    hears(['join', 'lobby', 5, 'Ann'], ['join', 'lobby', 'a'], ['new kind', 'x', 'y', 'z']);
    expect(log).toEqual([]);
  });
});
