/**
 * Who every socket shows, over two nodes with two workers each. Everything is real but the network: the channels between
 * primaries and workers delay what they carry, and what the nodes publish may be lost, late or repeated.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.js';
import { Hub } from '../../src/realtime/hub.js';
import { Peers } from '../../src/realtime/peers.js';
import type { PresenceReport } from '../../src/realtime/worker-presence.js';
import { Directory, type ListedUser, type WorkerPeople } from '../../src/workers/directory.js';
import { controlClock, type Frame } from '../harness.js';
import { type FakeSocket, openSocket } from '../realtime/sockets.js';

type Fault = 'none' | 'lost' | 'late' | 'twice';

const names = ['Ann', 'Bob', 'Cleo', 'Dan', 'Eve'] as const;
const { limits } = readConfig({});

class TestWorker {
  readonly hub: Hub;
  readonly sockets = new Map<FakeSocket, string>();
  readonly link: WorkerPeople;
  isKilled = false;

  constructor(node: TestNode) {
    this.hub = new Hub({
      ...{ log: { last: () => 0, after: () => [] }, epoch: 'e', limits, now: () => 0, isWorker: true },
      ...{ submit: () => {}, countUnread: () => undefined, onSeen: () => {} },
      publish: (text) => node.hears(() => this.#report(node, text)),
    });
    this.link = {
      tell: (update) =>
        void setImmediate(() => this.isKilled || this.hub.peers?.receive('', JSON.stringify([update]))),
    };
    node.workers.push(this);
    node.links.add(this.link);
    node.directory.greet(this.link);
  }

  #report({ directory }: TestNode, text: string): void {
    if (this.isKilled) return;
    for (const report of JSON.parse(text) as PresenceReport[]) directory.onReport(this.link, report);
  }
}

class TestNode {
  readonly links = new Set<WorkerPeople>();
  readonly directory = new Directory(this.links, () => undefined);
  readonly workers: TestWorker[] = [];
  readonly peers: Peers<ListedUser>;
  /** What it has not read yet, because it stands still. */
  #unread: (() => void)[] | undefined;

  constructor(publish: (text: string) => void) {
    const { directory } = this;
    this.peers = new Peers<ListedUser>({
      publish,
      local: () => directory.local(),
      enter: (room, profile) => directory.enterFromNode(room, profile),
      leave: (room, user, atOnce) => directory.leaveFromNode(room, user, atOnce),
      typing: () => {},
    });
    directory.tellNodes(this.peers);
  }

  hears(read: () => void): void {
    setImmediate(() => (this.#unread ? this.#unread.push(read) : read()));
  }

  standStill(): void {
    this.#unread ??= [];
  }

  /** Its timers come before what it has to read. */
  goOn(): void {
    const unread = this.#unread;
    if (!unread) return;
    this.#unread = undefined;
    this.#tick();
    for (const read of unread) read();
  }

  everySecond(): void {
    if (!this.#unread) this.#tick();
    for (const { hub } of this.workers) hub.everySecond();
  }

  #tick(): void {
    const now = performance.now();
    this.directory.everySecond(now);
    this.peers.everySecond(now);
  }
}

/** Two nodes. `faults` become of what they publish, one after another, until they are used up. */
class TestChat {
  readonly nodes: readonly TestNode[];
  readonly #clock: (ms: number) => void;
  #faults: Fault[] = [];
  readonly #late: (() => void)[] = [];

  constructor(clock: (ms: number) => void) {
    this.#clock = clock;
    this.nodes = [0, 1].map((own) => new TestNode((text) => this.#publish(own, text)));
    for (const node of this.nodes) for (let n = 0; n < 2; n++) new TestWorker(node);
  }

  get workers(): readonly TestWorker[] {
    return this.nodes.flatMap(({ workers }) => workers);
  }

  spoil(faults: readonly Fault[]): void {
    this.#faults = [...faults];
  }

  #publish(own: number, text: string): void {
    const other = this.nodes[1 - own];
    const receive = (): void => other?.peers.receive(`node ${own}`, text);
    const fault = this.#faults.shift() ?? 'none';
    if (fault === 'late') this.#late.push(receive);
    else if (fault !== 'lost') other?.hears(receive);
    if (fault === 'twice') other?.hears(receive);
  }

  deliverLate(): void {
    for (const receive of this.#late.splice(0)) receive();
  }

  enter(name: string, worker: number): void {
    const { hub, sockets } = this.workers[worker] as TestWorker; // there are four
    sockets.set(openSocket(hub, name), name);
  }

  leave(name: string): void {
    for (const { sockets } of this.workers)
      for (const [socket, owner] of sockets) {
        if (owner !== name) continue;
        sockets.delete(socket);
        socket.leave();
        return;
      }
  }

  /** Kills a worker and starts another one in its place. */
  restart(worker: number): void {
    const node = this.nodes[worker >> 1] as TestNode; // there are four workers
    const killed = node.workers[worker & 1] as TestWorker;
    killed.isKilled = true;
    killed.hub.stop();
    node.links.delete(killed.link);
    node.hears(() => node.directory.drop(killed.link));
    new TestWorker(node);
    node.workers[worker & 1] = node.workers.pop() as TestWorker;
  }

  /** Lets seconds pass; what was sent in one of them has arrived when the next begins. */
  async pass(seconds: number): Promise<void> {
    for (let n = 0; n < seconds; n++) {
      await arrive();
      this.#clock(1000);
      for (const node of this.nodes) node.everySecond();
    }
    await arrive();
  }

  /** What each socket shows, and who is here. */
  async shown(): Promise<{ readonly shown: string[][]; readonly here: string[] }> {
    const shown: string[][] = [];
    const here = new Set<string>();
    for (const { sockets } of this.workers)
      for (const [socket, name] of sockets) {
        here.add(name);
        shown.push(fold(await socket.allSent()));
      }
    return { shown, here: [...here].sort() };
  }

  stop(): void {
    for (const { directory } of this.nodes) directory.stop();
    for (const { hub } of this.workers) hub.stop();
  }
}

/** Longer than the way from a worker over both primaries to another worker. */
async function arrive(): Promise<void> {
  for (let n = 0; n < 12; n++) await new Promise((resolve) => setImmediate(resolve));
}

/** Whom a client shows that was sent these frames. */
function fold(frames: readonly Frame[]): string[] {
  let people = new Set<unknown>();
  for (const frame of frames) {
    const id = (frame['user'] as { id: string } | undefined)?.id;
    if (frame['type'] === 'list')
      people = new Set((frame['data'] as { id: string }[]).map((user) => user.id));
    else if (frame['type'] === 'join') people.add(id);
    else if (frame['type'] === 'left') people.delete(id);
  }
  return [...people].map(String).sort();
}

/** A digest of both nodes, the question and the list, the delay of `left`, and the seconds between. */
const healSeconds = 20;

async function expectHealed(chat: TestChat): Promise<void> {
  chat.spoil([]);
  chat.deliverLate();
  for (const node of chat.nodes) node.goOn();
  await chat.pass(healSeconds);
  const { shown, here } = await chat.shown();
  for (const people of shown) expect(people).toEqual(here);
}

type Step =
  | readonly ['enter', name: string, worker: number]
  | readonly ['leave', name: string]
  | readonly ['restart', worker: number]
  | readonly ['stand still', node: number]
  | readonly ['go on', node: number]
  | readonly ['pass', seconds: number];

async function run(chat: TestChat, [kind, first, second]: Step): Promise<void> {
  if (kind === 'enter') chat.enter(first, second);
  else if (kind === 'leave') chat.leave(first);
  else if (kind === 'restart') chat.restart(first);
  else if (kind === 'pass') await chat.pass(first);
  else if (kind === 'stand still') chat.nodes[first]?.standStill();
  else chat.nodes[first]?.goOn();
}

const name = fc.constantFrom(...names);
const worker = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('enter' as const), name, worker) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('leave' as const), name) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('restart' as const), worker) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('stand still' as const), fc.nat(1)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('go on' as const), fc.nat(1)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('pass' as const), fc.constantFrom(1, 2, 4, 7, 40)) },
);

describe('people over nodes and workers', () => {
  const faults: readonly Fault[] = ['lost', 'late', 'twice'];
  const moves: readonly (readonly [string, readonly Step[]])[] = [
    ['who comes', [['enter', 'Eve', 3]]],
    ['who leaves', [['leave', 'Cleo']]],
    ['who moves to another node', [['leave', 'Cleo'], ['enter', 'Cleo', 0]]], // biome-ignore format: one line a move
    ['who comes back in time', [['leave', 'Cleo'], ['pass', 2], ['enter', 'Cleo', 3]]], // biome-ignore format: one line a move
    ['whose worker is killed', [['restart', 2], ['pass', 2], ['enter', 'Cleo', 3]]], // biome-ignore format: one line a move
    ['on a node whose list goes out', [['pass', 11]]],
  ];

  it.each(moves.flatMap(([who, steps]) => faults.map((fault) => [who, fault, steps] as const)))(
    'are shown right after a heartbeat: somebody %s, and the word of it is %s',
    async (_who, fault, steps) => {
      const chat = new TestChat(controlClock());
      for (const [n, each] of names.slice(0, 4).entries()) chat.enter(each, n);
      await chat.pass(2);
      chat.spoil([fault, fault]);
      for (const each of steps) await run(chat, each);
      await chat.pass(1);
      await expectHealed(chat);
      chat.stop();
    },
  );

  it('are shown right after a heartbeat, whatever happened before', async () => {
    const scenario = fc.tuple(
      fc.array(step, { maxLength: 25 }),
      fc.array(fc.constantFrom<Fault>('none', 'lost', 'late', 'twice'), { maxLength: 40 }),
    );
    const clock = controlClock();
    const property = fc.asyncProperty(scenario, async ([steps, spoilt]) => {
      const chat = new TestChat(clock);
      chat.spoil(spoilt);
      for (const each of steps) await run(chat, each);
      await expectHealed(chat);
      chat.stop();
    });
    await fc.assert(property, { numRuns: 100, seed: 15 });
  });
});
