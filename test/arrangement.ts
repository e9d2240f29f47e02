/**
 * What `startChat` starts: one process, unless ARRANGEMENT says otherwise. `workers`: a primary and two workers, in this process,
 * that get connections in turn. `redis`: one node on a Redis of its own.
 */
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { readConfig } from '../src/config.js';
import { createServer, type Server } from '../src/server.js';
import type { ToWorker } from '../src/workers/messages.js';
import { Primary } from '../src/workers/primary.js';
import { WorkerSequencer } from '../src/workers/worker.js';

type Config = ReturnType<typeof readConfig>;

interface Options {
  readonly logger: Logger;
  readonly now?: () => number;
}

/** Starts a server that listens on a free port. */
export async function startArranged(
  env: Readonly<Record<string, string>>,
  options: Options,
  arrangement: string | undefined,
): Promise<Server> {
  const config = readConfig(env);
  if (arrangement === 'workers') return startWorkersHere(config, options);
  const server = createServer(config, options);
  await listen(server.http);
  return server;
}

function listen(server: { listen(port: number, host: string, done: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => void server.listen(0, '127.0.0.1', resolve));
}

async function startWorkersHere(config: Config, options: Options): Promise<Server> {
  const primary = new Primary(config, options);
  const workers = [
    await startWorkerHere(primary, config, options, 1),
    await startWorkerHere(primary, config, options, 2),
  ];
  let turn = 0;
  const front = createNetServer({ allowHalfOpen: true, noDelay: true }, (socket: Socket) => {
    workers[turn++ % workers.length]?.http.emit('connection', socket);
  });
  await listen(front);
  const abort = (): void => {
    front.close();
    for (const worker of workers) worker.abort();
    primary.abort();
  };
  return {
    http: Object.assign(Object.create(workers[0]?.http ?? null), {
      address: () => front.address() as AddressInfo,
    }),
    get epoch() {
      return workers[0]?.epoch ?? '';
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close()));
      await primary.close();
      front.close();
      primary.abort();
    },
    redirect: workers[0]?.redirect,
    reload() {
      for (const worker of workers) worker.reload();
    },
    abort,
  };
}

async function startWorkerHere(
  primary: Primary,
  config: Config,
  options: Options,
  number: number,
): Promise<Server> {
  const server = createServer(config, { ...options, primary: await connectWorker(primary, number) });
  await listen(server.http);
  return server;
}

/** Connects a worker of this process by a channel that copies each message and passes it on later. */
export async function connectWorker(primary: Primary, number: number): Promise<WorkerSequencer> {
  let receive = (_message: ToWorker): void => {};
  const started = new Promise<Extract<ToWorker, { kind: 'start' }>>((resolve) => {
    receive = (message) => message.kind === 'start' && resolve(message);
  });
  const link = primary.connect(
    {
      send(messages) {
        const copy = structuredClone(messages);
        setImmediate(() => {
          for (const message of copy) receive(message);
        });
      },
    },
    { number, port: 0 },
  );
  const { place, state } = await started;
  const toPrimary = { send: (json: string) => setImmediate(() => primary.receive(link, json)) };
  const worker = new WorkerSequencer(toPrimary, place, state);
  receive = (message) => worker.receive(message);
  return worker;
}
