/** A primary and its workers in this process: what they ask and tell each other. */
import pino from 'pino';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Command, Result } from '../../src/chat/types.js';
import { readConfig } from '../../src/config.js';
import type { SharedHandler, SharedOrder } from '../../src/sequencer/sequencer.js';
import type { ToWorker } from '../../src/workers/messages.js';
import { Primary } from '../../src/workers/primary.js';
import { connectWorker } from '../arrangement.js';
import { type Socket, startChat, stopClock, temporaryFolder } from '../harness.js';

const logger = pino({ level: 'silent' });
/** Two workers that get connections in turn. */
const arrangement = 'workers';

describe('a user who sends far too much over one worker', () => {
  it('is disconnected from the others too', async () => {
    stopClock(); // reading would be paused two seconds later
    const chat = await startChat({ env: { MESSAGE_RATE: '1', MESSAGE_BURST: '1' }, arrangement });
    const ann = await chat.signIn('Ann');
    const sockets: Socket[] = [];
    for (let n = 0; n < 2; n++) sockets.push(await ann.enters('lobby')); // one at each worker
    for (let n = 0; n < 2500; n++) sockets[0]?.sends({ type: 'typing' });
    expect(await Promise.all(sockets.map(({ closed }) => closed))).toEqual([4429, 4429]);
  });
});

describe('messages that are over the limit because of another worker', () => {
  it('wait at their worker, in order, like all', async () => {
    const chat = await startChat({ env: { MESSAGE_RATE: '1000', MESSAGE_BURST: '200' }, arrangement });
    const ann = await chat.signIn('Ann');
    const sockets = [await ann.enters('lobby'), await ann.enters('lobby')] as const;
    const said = sockets.map((socket) => Array.from({ length: 1400 }, () => socket.says('hi')));
    const [one, two] = sockets;
    await vi.waitFor(() => expect([one, two].map(({ numbered }) => numbered.length)).toEqual([2800, 2800]), {
      timeout: 30_000,
      interval: 100,
    });
    for (const cids of said) {
      const sent = new Set<unknown>(cids);
      const shown = two.numbered.map(({ cid }) => cid);
      expect(shown.filter((cid) => sent.has(cid))).toEqual(cids);
    }
  }, 40_000);
});

describe('without a limit', () => {
  it('no worker asks for tokens', async () => {
    const received = vi.spyOn(Primary.prototype, 'receive');
    onTestFinished(() => received.mockRestore());
    const chat = await startChat({ arrangement });
    const ann = await chat.signIn('Ann');
    expect((await ann.post('/api/rooms/lobby/messages', { data: 'hi' })).status).toBe(201);
    expect((await ann.get('/api/search?q=hi')).status).toBe(200);
    const asked = received.mock.calls.flatMap(([, json]) => JSON.parse(json) as unknown[][]);
    const kinds = asked.filter(([kind]) => kind === 'ask').map(([, , question]) => question);
    expect(kinds).toEqual([expect.objectContaining({ kind: 'find' })]);
  });
});

describe('a worker', () => {
  it('gets no batch of visits at another worker, and has the same position', async () => {
    const primary = new Primary(readConfig({ DATA_DIR: temporaryFolder() }), { logger });
    onTestFinished(() => primary.abort());
    const start = async (number: number) => {
      const worker = await connectWorker(primary, number);
      onTestFinished(() => worker.end());
      const deliver = vi.fn<(results: readonly Result[]) => void>();
      const others = { begin() {}, onFlood() {}, onRenewed() {}, onReplaced() {}, receive() {} };
      worker.attach({ deliver, ...others });
      const submit = (command: Command) => new Promise<Result>((resolve) => worker.submit(command, resolve));
      return { worker, deliver, submit };
    };
    const [one, two] = [await start(1), await start(2)];
    const visit = { room: 'lobby', user: { id: 'aaaaaaaaaaaa', name: 'Ann' }, at: 0 } as const;
    await one.submit({ kind: 'enter', ...visit });
    expect(two.worker.position).toBe(one.worker.position);
    await one.submit({ kind: 'message', ...visit, data: 'hi', salt: '00'.repeat(16) });
    await vi.waitFor(() => expect(two.worker.position).toBe(one.worker.position));
    expect(two.deliver.mock.calls).toEqual([[[expect.objectContaining({ kind: 'accepted' })]]]);
  });
});

describe('a primary that is one of several nodes', () => {
  /** A primary with an order that the test plays, and what it does with that order. */
  function start() {
    const handlers: SharedHandler[] = [];
    const log: string[] = [];
    const shared: Partial<SharedOrder> = {
      ...{ position: '1-0', problems: [] },
      publish: (text) => log.push(text),
      end: () => log.push('end'),
    };
    const primary = new Primary(readConfig({ DATA_DIR: temporaryFolder() }), {
      logger,
      createSequencer(handler) {
        handlers.push(handler);
        return { submit: () => {}, close: async () => {}, shared: shared as SharedOrder };
      },
    });
    return { primary, handlers, log };
  }

  it('says goodbye to the others when it ends at once', () => {
    const { primary, log } = start();
    primary.abort();
    expect(log).toEqual(['[["bye"]]', 'end']);
  });

  it('tells the workers of a user which rooms they have entered at another node', () => {
    const { primary, handlers } = start();
    onTestFinished(() => primary.abort());
    const sent: ToWorker[] = [];
    const sender = { send: (messages: readonly ToWorker[]) => void sent.push(...messages) };
    const link = primary.connect(sender, { number: 1, port: 0 });
    const user = { id: 'ann', name: 'Ann' };
    primary.receive(link, JSON.stringify([['publish', JSON.stringify([['join', 'lobby', 'ann', 'Ann']])]]));
    const entered: Result = { kind: 'entered', user, rooms: ['lobby', 'kitchen'] };
    handlers[0]?.deliver([entered]);
    return vi.waitFor(() =>
      expect(sent).toContainEqual(
        expect.objectContaining({ kind: 'batch', results: JSON.stringify([entered]) }),
      ),
    );
  });
});
