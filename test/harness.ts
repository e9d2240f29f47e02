/**
 * A server on a free port and people who talk to it, so that a test reads like a chat:
 *   const chat = await startChat(); const ann = await chat.signIn('Ann'); const room = await ann.enters('lobby');
 *   room.says('hi'); await room.sees({ type: 'chat', data: 'hi', id: 1 });
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type Agent, type ClientRequest, get as httpGet, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import pino, { type Logger } from 'pino';
import { onTestFinished, vi } from 'vitest';
import WebSocket from 'ws';
import type { Server } from '../src/server.js';
import type { SearchPage } from '../src/shared/protocol.js';
import { startArranged } from './arrangement.js';

export type Frame = Readonly<Record<string, unknown>>;
export type Env = Readonly<Record<string, string>>;

/** Limits off, unless a test is about them. */
export const NO_LIMITS: Env = {
  MESSAGE_RATE: '0',
  CONNECTIONS_PER_PERSON: '0',
  CONNECTIONS_PER_ADDRESS: '0',
  SIGNINS_PER_MINUTE: '0',
};

/**
 * Whether the connections of a test are spread over workers (arrangement.ts). Tests are left out then that need one process:
 * they look into it, let its clock jump past messages between processes, or are about what each worker counts by itself.
 */
export const hasWorkers = process.env['ARRANGEMENT'] === 'workers';

/** A folder that is gone when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'oneport-test-'));
  // a process that has just ended may still write into it (`maxRetries` would not look for new files)
  onTestFinished(() => eventually(() => rmSync(folder, { recursive: true, force: true })));
  return folder;
}

/**
 * How long a test waits for what must come: less than the timeout of a test, so that it fails with what came instead, and
 * enough for a machine that stands still for some seconds.
 */
export const patienceMs = 15_000;

/** Calls `check` until it does not throw. */
export async function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  for (const end = Date.now() + patienceMs; ; ) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Lets `performance.now` of a server in this process jump; returns the function that does. */
export function controlClock(): (ms: number) => void {
  const realNow = performance.now.bind(performance);
  let offset = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => realNow() + offset);
  onTestFinished(() => clock.mockRestore());
  return (ms) => {
    offset += ms;
  };
}

/**
 * Stops `performance.now` of a server in this process, so that no limit refills and nobody leaves however slow the machine
 * is; returns the function that moves it. It stops a second later than it is, because what is due by then is not held up.
 */
export function stopClock(): (ms: number) => void {
  let now = Math.ceil(performance.now()) + 1000;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  onTestFinished(() => clock.mockRestore());
  return (ms) => {
    now += ms;
  };
}

/**
 * Stops `Date.now` of a server in this process, so that a shutdown waits for a client that does not answer however slow the
 * machine is; returns what lets it go on.
 */
export function stopWallClock(): () => void {
  const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now());
  onTestFinished(() => clock.mockRestore());
  return () => clock.mockRestore();
}

/** CPU milliseconds of this process for some work: a machine that is busy with other work does not add to them. */
export function cpuMs(work: () => unknown): number {
  const from = process.cpuUsage();
  work();
  return process.cpuUsage(from).user / 1000;
}

/** Whether a tool of the system is there. On a laptop its tests are left out, and a line says so; CI must have it. */
export function hasTool(name: string): boolean {
  if (spawnSync('sh', ['-c', `command -v ${name}`]).status === 0) return true;
  if (process.env['CI']) throw new Error(`${name} is missing: .ci/run installs it`);
  process.stderr.write(`${name} is missing: its tests are left out\n`);
  return false;
}

export interface ChatOptions {
  readonly env?: Env;
  readonly dataDir?: string;
  readonly now?: () => number;
  readonly logger?: Logger;
  /** See arrangement.ts. */
  readonly arrangement?: string | undefined;
}

/** Starts a server in this process; it is closed when the test is over. */
export async function startChat({
  env = {},
  dataDir = temporaryFolder(),
  now,
  logger = pino({ level: 'silent' }),
  arrangement = process.env['ARRANGEMENT'],
}: ChatOptions = {}): Promise<Chat> {
  const options = { logger, ...(now ? { now } : {}) };
  if (arrangement === 'redis') return (await import('./redis.js')).startChatOnRedis(dataDir, env, now);
  const variables = { ...NO_LIMITS, PORT: '0', DATA_DIR: dataDir, ...env };
  const server = await startArranged(variables, options, arrangement);
  const chat = new Chat(server, dataDir);
  onTestFinished(() => chat.stop());
  return chat;
}

/** The way to a server on a port of this machine, whoever runs it. */
export class Door {
  readonly origin: string;
  readonly port: number;
  /** BASE_PATH without its last slash */
  readonly base: string;

  constructor(port: number, base = '') {
    this.port = port;
    this.base = base;
    this.origin = `http://127.0.0.1:${port}`;
  }

  post(path: string, body: unknown, headers: Env = {}, method = 'POST'): Promise<Response> {
    const json = { 'content-type': 'application/json', ...headers };
    return fetch(this.origin + path, {
      method,
      headers: json,
      body: JSON.stringify(body),
      redirect: 'manual',
    });
  }

  async signIn(name: string): Promise<Visitor> {
    const response = await this.post(`${this.base}/signin`, { name });
    if (response.status !== 200)
      throw new Error(`${name} cannot sign in: ${response.status} ${await response.text()}`);
    const user = (await response.json()) as { id: string; name: string };
    return new Visitor(this, user, cookiesOf(response));
  }

  /** Someone without a cookie, or with one that a test made up. */
  visitor(cookie = ''): Visitor {
    return new Visitor(this, { id: '', name: '' }, cookie);
  }
}

/** A server in this process. */
export class Chat extends Door {
  readonly server: Server;
  readonly dataDir: string;
  #stopped = false;

  constructor(server: Server, dataDir: string) {
    super((server.http.address() as AddressInfo).port);
    this.server = server;
    this.dataDir = dataDir;
  }

  /** Waits until /metrics has this line. */
  untilMetric(line: string): Promise<void> {
    return eventually(async () => {
      const text = await (await this.visitor().get('/metrics')).text();
      if (!text.split('\n').includes(line)) throw new Error(`/metrics has no line ${line}`);
    });
  }

  /**
   * Waits until the server has so many connections with this transport. A client knows that it has closed one before the
   * server does.
   */
  untilOpen(transport: string, count = 1): Promise<void> {
    return this.untilMetric(`oneport_connections_by_transport{transport="${transport}"} ${count}`);
  }

  async untilClosed(...transports: readonly string[]): Promise<void> {
    for (const transport of transports) await this.untilOpen(transport, 0);
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.server.abort();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The Cookie header that answers a response's Set-Cookie. */
export function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ');
}

export interface EnterOptions {
  readonly query?: string;
  /** undefined: none */
  readonly protocol?: string | undefined;
  readonly headers?: Env;
  /** whose connection it takes */
  readonly agent?: Agent;
}

export interface ReadOptions {
  readonly query?: string;
  readonly headers?: Env;
  readonly format?: 'text/event-stream' | 'application/x-ndjson';
}

export class Visitor {
  readonly chat: Door;
  readonly user: { readonly id: string; readonly name: string };
  readonly cookie: string;

  constructor(chat: Door, user: { id: string; name: string }, cookie: string) {
    this.chat = chat;
    this.user = user;
    this.cookie = cookie;
  }

  get(path: string): Promise<Response> {
    return fetch(this.chat.origin + path, { headers: { cookie: this.cookie }, redirect: 'manual' });
  }

  post(path: string, body: unknown, headers: Env = {}): Promise<Response> {
    return this.chat.post(path, body, { cookie: this.cookie, ...headers });
  }

  put(path: string, body: unknown): Promise<Response> {
    return this.chat.post(path, body, { cookie: this.cookie }, 'PUT');
  }

  /** Searches until the answer is complete: the index may not have the newest messages yet. `query`: as in the URL. */
  search(query: string): Promise<SearchPage> {
    return eventually(async () => {
      const answer = await this.get(`${this.chat.base}/api/search?${query}`);
      if (answer.status !== 200) throw new Error(`${query}: ${answer.status} ${await answer.text()}`);
      const page = (await answer.json()) as SearchPage;
      if (!page.complete) throw new Error(`${query}: the answer is not complete`);
      return page;
    });
  }

  /** Sends a form, as a browser does. A redirect is not followed. */
  submits(path: string, fields: Env, headers: Env = {}): Promise<Response> {
    return fetch(this.chat.origin + path, {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { ...(this.cookie === '' ? {} : { cookie: this.cookie }), accept: 'text/html', ...headers },
      redirect: 'manual',
    });
  }

  /** Opens a socket; resolves with it when `hello` has come, or when it was closed. */
  async enters(room: string, options: EnterOptions = {}): Promise<Socket> {
    const socket = this.knocks(
      `${this.chat.base}/ws/${encodeURIComponent(room)}${options.query ?? ''}`,
      options,
    );
    await Promise.race([socket.sees({ type: 'hello' }).catch(() => {}), socket.closed]);
    return socket;
  }

  /** Opens a stream; resolves with it when its head has come. */
  reads(
    room: string,
    { query = '', headers = {}, format = 'text/event-stream' }: ReadOptions = {},
  ): Promise<Stream> {
    const url = `${this.chat.origin}${this.chat.base}/api/rooms/${encodeURIComponent(room)}/events${query}`;
    return new Promise((resolve, reject) => {
      const request = httpGet(url, {
        agent: false,
        headers: { cookie: this.cookie, accept: format, ...headers },
      });
      request.on('response', (response) => resolve(new Stream(request, response)));
      request.on('error', reject);
      onTestFinished(() => void request.destroy());
    });
  }

  /** The same without waiting for anything, on any path. */
  knocks(path: string, { protocol = 'superchat', headers = {}, agent }: EnterOptions = {}): Socket {
    const url = `ws://127.0.0.1:${this.chat.port}${path}`;
    const cookie = this.cookie === '' ? {} : { cookie: this.cookie };
    const ws = new WebSocket(url, protocol === '' ? [] : [protocol], {
      headers: { ...cookie, ...headers },
      agent,
    });
    onTestFinished(() => ws.terminate());
    return new Socket(ws);
  }
}

/** What a reader was told, in order, and waiting for what it will be told. */
class Reader {
  readonly frames: Frame[] = [];
  #wake = new Set<() => void>();

  protected hears(frame: Frame): void {
    this.frames.push(frame);
    for (const wake of this.#wake) wake();
  }

  /** The first frame, old or new, with these fields. */
  async sees(fields: Frame): Promise<Frame> {
    return (await this.seesAll(fields, 1))[0] as Frame; // seesAll has found one
  }

  /** The first `count` frames with these fields. */
  async seesAll(fields: Frame, count: number, patience = patienceMs): Promise<Frame[]> {
    const until = Date.now() + patience;
    for (;;) {
      const found = this.frames.filter((frame) => matches(frame, fields)).slice(0, count);
      if (found.length === count) return found;
      if (!(await this.#news(until - Date.now()))) {
        throw new Error(
          `saw ${found.length} of ${count} ${JSON.stringify(fields)} in ${JSON.stringify(this.frames.slice(-8)).slice(0, 4000)}`,
        );
      }
    }
  }

  /** All numbered frames so far. */
  get numbered(): Frame[] {
    return this.frames.filter((frame) => 'id' in frame && frame['type'] !== 'ack');
  }

  #news(patience: number): Promise<boolean> {
    return new Promise((resolve) => {
      const wake = (): void => finish(true);
      const timer = setTimeout(() => finish(false), Math.max(0, patience));
      const finish = (news: boolean): void => {
        clearTimeout(timer);
        this.#wake.delete(wake);
        resolve(news);
      };
      this.#wake.add(wake);
    });
  }
}

/** A message of an event stream, or a line; `id` and `event` are those of the stream. */
interface StreamMessage {
  readonly id?: string;
  readonly event?: string;
  readonly data: Frame;
}

/** A room as an event stream or as lines of JSON. */
export class Stream extends Reader {
  readonly messages: StreamMessage[] = [];
  /** everything that came, as text */
  raw = '';
  /** the code of its close event; 0 when it was cut */
  readonly closed: Promise<number>;
  readonly response: IncomingMessage;
  readonly #request: ClientRequest;
  #rest = '';

  constructor(request: ClientRequest, response: IncomingMessage) {
    super();
    this.#request = request;
    this.response = response;
    const separator = response.headers['content-type']?.startsWith('text/event-stream') ? '\n\n' : '\n';
    const isPacked = response.headers['content-encoding'] === 'gzip';
    const body = isPacked ? response.pipe(createGunzip()) : response;
    body.setEncoding('utf8').on('data', (text: string) => this.#read(text, separator));
    for (const stream of [response, body]) stream.on('error', () => {});
    this.closed = new Promise((resolve) => response.on('close', () => resolve(this.#closeCode())));
  }

  /** The id of its newest message with one. */
  get lastEventId(): string {
    return this.messages.findLast(({ id }) => id !== undefined)?.id ?? '';
  }

  leaves(): Promise<number> {
    this.#request.destroy();
    return this.closed;
  }

  #read(text: string, separator: string): void {
    this.raw += text;
    const parts = (this.#rest + text).split(separator);
    this.#rest = parts.pop() ?? '';
    for (const part of parts) this.#readMessage(part, separator === '\n');
  }

  #readMessage(part: string, isLine: boolean): void {
    const field = (name: string): string | undefined =>
      part
        .split('\n')
        .find((line) => line.startsWith(`${name}: `))
        ?.slice(name.length + 2);
    const data = isLine ? part : field('data');
    if (data === undefined || data === '') return;
    const [id, event] = isLine ? [] : [field('id'), field('event')];
    const frame = JSON.parse(data) as Frame;
    this.messages.push({
      ...(id === undefined ? {} : { id }),
      ...(event === undefined ? {} : { event }),
      data: frame,
    });
    if (event === undefined) this.hears(frame);
  }

  #closeCode(): number {
    const last = this.messages.at(-1);
    const isClose = last?.event === 'close' || last?.data['type'] === 'close';
    return isClose ? Number(last?.data['code']) : 0;
  }
}

/** What a socket was told. */
export class Socket extends Reader {
  readonly ws: WebSocket;
  /** the close code; for a refused upgrade, the HTTP status */
  readonly closed: Promise<number>;

  constructor(ws: WebSocket) {
    super();
    this.ws = ws;
    ws.on('message', (data) => this.hears(JSON.parse(data.toString()) as Frame));
    this.closed = new Promise((resolve) => {
      ws.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      ws.on('close', (code) => resolve(code));
      ws.on('error', () => {});
    });
  }

  /** Sends a message by a command; returns its cid. */
  says(data: string, cid = Math.random().toString(36).slice(2)): string {
    this.sends({ type: 'chat', data, cid });
    return cid;
  }

  sends(command: unknown): void {
    this.ws.send(typeof command === 'string' ? command : JSON.stringify(command));
  }

  leaves(): Promise<number> {
    this.ws.close();
    return this.closed;
  }
}

function matches(frame: Frame, fields: Frame): boolean {
  return Object.entries(fields).every(([key, value]) =>
    typeof value === 'object' ? JSON.stringify(frame[key]) === JSON.stringify(value) : frame[key] === value,
  );
}
