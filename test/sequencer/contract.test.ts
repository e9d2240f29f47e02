/** The contract of src/sequencer/sequencer.ts, over the order of one process, of a primary with workers, and of Redis. */
import { spawnSync } from 'node:child_process';
import pino from 'pino';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Command, Result } from '../../src/chat/types.js';
import { readConfig } from '../../src/config.js';
import { LocalSequencer } from '../../src/sequencer/local.js';
import { openRedis } from '../../src/sequencer/redis.js';
import type { Identity, Sequencer, SharedHandler } from '../../src/sequencer/sequencer.js';
import {
  type AppendReply,
  type Entry,
  type NewBatch,
  SharedSequencer,
  type StreamLink,
  type StreamState,
} from '../../src/sequencer/shared.js';
import { Primary } from '../../src/workers/primary.js';
import { connectWorker } from '../arrangement.js';
import { controlClock, hasTool, temporaryFolder } from '../harness.js';
import { startRedis } from '../redis.js';

const ann = { id: 'aaaaaaaaaaaa', name: 'Ann' };
const bob = { id: 'bbbbbbbbbbbb', name: 'Bob' };
const say = (data: string, user = ann): Command => ({
  ...{ kind: 'message', room: 'r', user, data, at: 0, salt: '00' },
});
const text = (command: Command): string => (command.kind === 'message' ? command.data : command.kind);

interface Recorded {
  readonly log: string[];
  readonly handler: SharedHandler;
  position: string | undefined;
  failures: number;
}

/** A handler that logs its calls, and whose disk may fail. */
function recorded(): Recorded {
  const identity = { epoch: 'e', sessionKey: 'k', instance: 'i' };
  const state: Recorded = {
    log: [],
    position: undefined,
    failures: 0,
    handler: {
      apply(commands, position) {
        if (state.failures-- > 0) throw new Error('the disk is full');
        state.position = position;
        state.log.push(...commands.map((command) => `apply ${text(command)}`));
        return commands.map((): Result => ({ kind: 'seen' }));
      },
      deliver: (results) => state.log.push(`deliver ${results.length}`),
      get position() {
        return state.position;
      },
      identity,
      digest: () => 'empty',
      begin(_, position) {
        state.position = position;
      },
      onReplaced: () => state.log.push('replaced'),
      onJoined: () => {},
      receive: (from, received) => state.log.push(`${from.length > 0} ${received}`),
    },
  };
  return state;
}

type Start = (handler: SharedHandler) => Promise<Sequencer>;

async function startLocal(): Promise<Start> {
  return async (handler) => new LocalSequencer(handler);
}

async function startShared(): Promise<Start> {
  const { url } = await startRedis();
  return async (handler) => {
    const sequencer = new SharedSequencer(handler, {
      open: () => openRedis(url),
      logger: pino({ level: 'silent' }),
      waitReplicas: 0,
      streamHours: 1,
    });
    onTestFinished(() => sequencer.end());
    await until(() => sequencer.problems.length === 0);
    return sequencer;
  };
}

async function startWorker(): Promise<Start> {
  return async (handler) => {
    const config = readConfig({ DATA_DIR: temporaryFolder() });
    const primary = new Primary(config, {
      logger: pino({ level: 'silent' }),
      // the handler's own `apply`, and the primary's way of delivering
      createSequencer: ({ deliver }) =>
        new LocalSequencer({ apply: (commands) => handler.apply(commands), deliver }),
    });
    onTestFinished(() => primary.abort());
    const worker = await connectWorker(primary, 1);
    onTestFinished(() => worker.end());
    const { deliver, receive, onReplaced } = handler;
    const others = { begin: () => {}, onRenewed: () => {}, onFlood: () => {} };
    return worker.attach({ deliver, receive, onReplaced, ...others });
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 2000) throw new Error('it did not happen');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function submit(sequencer: Sequencer, command: Command): Promise<Result> {
  return new Promise((resolve) => sequencer.submit(command, resolve));
}

const hasRedis = hasTool('redis-server') && hasTool('redis-cli');

describe.each([
  ['of one process', startLocal, true],
  ['of a worker', startWorker, true],
  ['of Redis', startShared, hasRedis],
] as const)('a sequencer %s', (name, prepare, isPossible) => {
  it.skipIf(!isPossible)('applies in the order of submission, then delivers, then answers', async () => {
    const { handler, log } = recorded();
    const sequencer = await (await prepare())(handler);
    const answers = ['a', 'b', 'c'].map(async (data) => {
      await submit(sequencer, say(data));
      log.push(`reply ${data}`);
    });
    await Promise.all(answers);
    const of = (kind: string): string[] => log.filter((line) => line.startsWith(kind));
    expect(of('apply')).toEqual(['apply a', 'apply b', 'apply c']);
    expect(of('reply')).toEqual(['reply a', 'reply b', 'reply c']);
    expect(log.indexOf('apply c')).toBeLessThan(log.indexOf('reply c'));
    expect(log.findIndex((line) => line.startsWith('deliver'))).toBeLessThan(log.indexOf('reply a'));
  });

  const isOneProcess = name !== 'of a worker'; // a worker delivers in another process than the one that applies
  if (isOneProcess)
    it.skipIf(!isPossible)('runs nothing between applying and delivering', async () => {
      const { handler, log } = recorded();
      const sequencer = await (await prepare())({
        ...Object.defineProperties({}, Object.getOwnPropertyDescriptors(handler)),
        apply: (commands, position) => {
          queueMicrotask(() => log.push('a microtask'));
          return handler.apply(commands, position);
        },
      } as SharedHandler);
      await submit(sequencer, say('a'));
      expect(log.indexOf('deliver 1')).toBe(log.indexOf('apply a') + 1);
    });

  it.skipIf(!isPossible)('keeps the order over many batches', async () => {
    const { handler, log } = recorded();
    const sequencer = await (await prepare())(handler);
    const all = Array.from({ length: 5000 }, (_, n) => `${n}`);
    await Promise.all(all.map((data) => submit(sequencer, say(data))));
    expect(log.filter((line) => line.startsWith('apply'))).toEqual(all.map((data) => `apply ${data}`));
  });

  it.skipIf(!isPossible)(
    'answers what was submitted before close, and rejects what comes after it',
    async () => {
      const { handler, log } = recorded();
      const sequencer = await (await prepare())(handler);
      const early = submit(sequencer, say('early'));
      await sequencer.close();
      expect(await early).toEqual({ kind: 'seen' });
      const late = await submit(sequencer, say('late'));
      expect(late).toMatchObject({ kind: 'rejected', problem: { code: 'stopping' } });
      expect(log).not.toContain('apply late');
    },
  );
});

describe.skipIf(!hasRedis)('the order of Redis', () => {
  it('is the same for all processes, and each entry is applied once', async () => {
    const start = await startShared();
    const sides = [recorded(), recorded(), recorded()];
    const sequencers: Sequencer[] = [];
    for (const { handler } of sides) sequencers.push(await start(handler));
    const all = Array.from({ length: 600 }, (_, n) => `${n}`);
    await Promise.all(
      all.map((data, n) => {
        const sequencer = sequencers[n % 3];
        return sequencer && submit(sequencer, say(data));
      }),
    );
    const applied = (side: Recorded): string[] => side.log.filter((line) => line.startsWith('apply'));
    await until(() => sides.every((side) => applied(side).length >= all.length));
    const [first, second, third] = sides.map(applied);
    expect([...(first ?? [])].sort()).toEqual(all.map((data) => `apply ${data}`).sort());
    expect([second, third]).toEqual([first, first]);
  });

  it('tries an entry again until the disk takes it', async () => {
    const side = recorded();
    const sequencer = await (await startShared())(side.handler);
    side.failures = 2;
    expect(await submit(sequencer, say('a'))).toEqual({ kind: 'seen' });
    await submit(sequencer, say('b'));
    expect(side.log.filter((line) => line.startsWith('apply'))).toEqual(['apply a', 'apply b']);
  });

  it('reads an answer that came while the process stood still, although its time is over', async () => {
    const { url, port } = await startRedis();
    const link = await openRedis(url);
    onTestFinished(() => link.destroy());
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const state = link.state();
    await new Promise((resolve) => setImmediate(resolve)); // it is sent
    spawnSync('redis-cli', ['-p', String(port), 'PING']); // and answered: Redis answers in order
    vi.advanceTimersByTime(5000);
    expect(await state).toMatchObject({ epoch: undefined });
  });

  it('passes texts to the other processes, and not to the sender', async () => {
    const start = await startShared();
    const [a, b] = [recorded(), recorded()];
    const [sender] = [await start(a.handler), await start(b.handler)];
    await until(() => {
      sender.shared?.publish('hello'); // the other one may not listen yet
      return b.log.includes('true hello');
    });
    expect(a.log).toEqual([]);
  });
});

/** A stream in memory, which may keep appends and reads until the test lets them go. It publishes in the next turn. */
class MemoryStream implements StreamLink {
  readonly kept: (() => void)[] = [];
  readonly published: string[] = [];
  readonly keptReads: (() => void)[] = [];
  isKeeping = false;
  isKeepingReads = false;
  isDestroyed = false;
  readonly #entries: Entry[] = [];
  #epoch: string | undefined;

  async state(): Promise<StreamState> {
    await new Promise((resolve) => setImmediate(resolve));
    return { epoch: this.#epoch, last: this.#last, seq: this.#entries.length, halted: undefined };
  }

  async first(): Promise<Entry | undefined> {
    return this.#entries[0];
  }

  async read(after: string): ReturnType<StreamLink['read']> {
    if (this.isKeepingReads) await new Promise<void>((resolve) => this.keptReads.push(resolve));
    else await new Promise((resolve) => setTimeout(resolve, 5));
    const entries = this.#entries.slice(Number(after.split('-')[0]));
    return { entries, through: entries.at(-1)?.id ?? after };
  }

  async append({ node, n, version, commands }: NewBatch): Promise<AppendReply> {
    if (this.isKeeping) await new Promise<void>((resolve) => this.kept.push(resolve));
    return { kind: 'appended', id: this.#add({ kind: 'batch', node, n, version, commands }) };
  }

  async begin(identity: Identity, digest: string): Promise<void> {
    this.#epoch = identity.epoch;
    this.#add({ kind: 'begin', identity, digest });
  }

  get #last(): string {
    return `${this.#entries.length}-0`;
  }

  #add(fields: object): string {
    const prev = this.#last;
    const [seq, id] = [this.#entries.length + 1, `${this.#entries.length + 1}-0`];
    this.#entries.push({ id, prev, seq, ...fields } as Entry); // `fields` are those of one kind
    return id;
  }

  async halt(): Promise<void> {}
  async confirm(): Promise<number> {
    return 0;
  }
  async trim(): Promise<void> {}
  async probe(): Promise<void> {}
  async subscribe(): Promise<void> {}

  publish(_epoch: string, _from: string, text: string): void {
    setImmediate(() => {
      if (!this.isDestroyed) this.published.push(text);
    });
  }

  destroy(): void {
    this.isDestroyed = true;
  }
}

describe('a process that shares an order', () => {
  const start = (stream: MemoryStream): SharedSequencer => {
    const options = { open: async () => stream, logger: pino({ level: 'silent' }), waitReplicas: 0 };
    const sequencer = new SharedSequencer(recorded().handler, { ...options, streamHours: 1 });
    onTestFinished(() => sequencer.end());
    return sequencer;
  };

  it('sends what it published last before it leaves, also when a read ends in that moment', async () => {
    const stream = new MemoryStream();
    const sequencer = start(stream);
    await until(() => sequencer.problems.length === 0);
    stream.isKeepingReads = true;
    await until(() => stream.keptReads.length === 1);
    sequencer.publish('bye');
    sequencer.end();
    for (const letGo of stream.keptReads) letGo();
    await until(() => stream.isDestroyed);
    expect(stream.published).toEqual(['bye']);
  });

  it('publishes also while it is behind', async () => {
    const stream = new MemoryStream();
    stream.isKeepingReads = true;
    const sequencer = start(stream);
    await until(() => sequencer.problems.some((problem) => problem.startsWith('catching up')));
    sequencer.publish('hello');
    await until(() => stream.published.length > 0);
    expect(sequencer.problems).toHaveLength(1);
  });
});

describe('an order whose stream does not answer', () => {
  it('refuses a command after 5 s, with those of its user that wait behind it, and no others', async () => {
    const clock = controlClock();
    const stream = new MemoryStream();
    const { handler, log } = recorded();
    const options = { open: async () => stream, logger: pino({ level: 'silent' }), waitReplicas: 0 };
    const sequencer = new SharedSequencer(handler, { ...options, streamHours: 1 });
    onTestFinished(() => sequencer.end());
    await until(() => sequencer.problems.length === 0);
    const answers: string[] = [];
    const send = (data: string, user = ann): void =>
      sequencer.submit(say(data, user), (result) => answers.push(`${data} ${result.kind}`));
    stream.isKeeping = true;
    for (let n = 1; n <= 4; n++) {
      send(`sent ${n}`, { id: `${n}`, name: `${n}` });
      await until(() => stream.kept.length === n);
    }
    send('a1');
    clock(5001);
    send('a2');
    send('b1', bob);
    await until(() => answers.length >= 6);
    const sent = [1, 2, 3, 4].map((n) => `sent ${n}`);
    expect(answers).toEqual([...sent, 'a1', 'a2'].map((data) => `${data} rejected`));
    stream.isKeeping = false;
    for (const letGo of stream.kept) letGo();
    await until(() => answers.length > 6);
    expect(log.filter((line) => line.startsWith('apply'))).toEqual(
      [...sent, 'b1'].map((data) => `apply ${data}`),
    );
  });
});
