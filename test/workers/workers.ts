/** A server with workers as processes, and ways to reach each of them. */
import { Agent, request as httpRequest } from 'node:http';
import { onTestFinished, vi } from 'vitest';
import { Door, type EnterOptions, type Env, type Socket, temporaryFolder, type Visitor } from '../harness.js';
import { freePort, type RunningServer, startServer } from '../process.js';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Workers extends RunningServer {
  readonly door: Door;
  readonly dataDir: string;
}

/** For what other processes do. */
export const patience = { timeout: 30_000, interval: 20 };

/** Starts a server with two workers, or more, whose pids are known. It is killed when the test is over. */
export async function startWorkers(env: Env = {}, wrap: readonly string[] = []): Promise<Workers> {
  // a port of PORT=0 is free for others until a worker has started
  const settings = { WORKERS: '2', PORT: String(await freePort()), DATA_DIR: temporaryFolder(), ...env };
  const server = await startServer({ env: settings, wrap });
  await vi.waitFor(() => {
    if (pidsOf(server).size < Number(settings.WORKERS)) throw new Error('the log names no pids');
  }, patience);
  return { ...server, door: new Door(server.port), dataDir: settings.DATA_DIR };
}

/** Sends a request over the connection of an agent. */
export function send(
  agent: Agent,
  port: number,
  path: string,
  { method = 'GET', cookie = '', body, headers = {} }: Partial<SendOptions> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = httpRequest(
      { host: '127.0.0.1', port, path, method, agent, headers: { cookie, ...json, ...headers } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

interface SendOptions {
  readonly method: string;
  readonly cookie: string;
  readonly body: unknown;
  readonly headers: Env;
}

/** Returns an agent whose one connection leads to this worker. Connections that lead elsewhere are closed. */
export async function agentTo(port: number, worker: number): Promise<Agent> {
  for (const end = Date.now() + patience.timeout; Date.now() < end; ) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const { body } = await send(agent, port, '/healthz');
    if ((JSON.parse(body) as { worker: number }).worker === worker) {
      onTestFinished(() => agent.destroy());
      return agent;
    }
    agent.destroy();
  }
  throw new Error(`no connection came to worker ${worker}`);
}

/** Returns the worker that gets a new connection. */
export async function workerAt(port: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { body } = await send(agent, port, '/healthz');
  agent.destroy();
  return (JSON.parse(body) as { worker: number }).worker;
}

/** Enters a room over a socket of this worker. */
export async function entersAt(
  visitor: Visitor,
  worker: number,
  room: string,
  options: EnterOptions = {},
): Promise<Socket> {
  return visitor.enters(room, { ...options, agent: await agentTo(visitor.chat.port, worker) });
}

/** The pids of the workers, newest last, by number, as the log tells. */
export function pidsOf({ errors }: Pick<RunningServer, 'errors'>): ReadonlyMap<number, number> {
  const pids = new Map<number, number>();
  for (const line of errors().split('\n').slice(0, -1)) {
    if (!line.includes('"worker started"')) continue;
    const { worker, pid } = JSON.parse(line) as { worker: number; pid: number };
    pids.set(worker, pid);
  }
  return pids;
}
