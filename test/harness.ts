/**
 * A server on a free port and people who talk to it, so that a test reads like a chat:
 *   const chat = await startChat(); const ann = await chat.signIn('Ann'); const room = await ann.enters('lobby');
 *   room.says('hi'); await room.sees({ type: 'chat', data: 'hi', id: 1 });
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { readConfig } from '../src/config.js';
import { createServer, type Server } from '../src/server.js';

export type Frame = Readonly<Record<string, unknown>>;
export type Env = Readonly<Record<string, string>>;

/** Limits off, unless a test is about them. */
export const NO_LIMITS: Env = {
  MESSAGE_RATE: '0',
  CONNECTIONS_PER_PERSON: '0',
  CONNECTIONS_PER_ADDRESS: '0',
  SIGNINS_PER_MINUTE: '0',
};

/** A folder that is gone when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'oneport-test-'));
  // a process that has just ended may leave its folder non-empty for a moment
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
  return folder;
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
}

/** Starts a server in this process; it is closed when the test is over. */
export async function startChat({
  env = {},
  dataDir = temporaryFolder(),
  now,
  logger = pino({ level: 'silent' }),
}: ChatOptions = {}): Promise<Chat> {
  const config = readConfig({ ...NO_LIMITS, PORT: '0', DATA_DIR: dataDir, ...env });
  const server = createServer(config, { logger, ...(now ? { now } : {}) });
  await new Promise<void>((resolve) => server.http.listen(0, '127.0.0.1', resolve));
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

  /** Opens a socket; resolves with it when `hello` has come, or when it was closed. */
  async enters(room: string, options: EnterOptions = {}): Promise<Socket> {
    const socket = this.knocks(
      `${this.chat.base}/ws/${encodeURIComponent(room)}${options.query ?? ''}`,
      options,
    );
    await Promise.race([socket.sees({ type: 'hello' }).catch(() => {}), socket.closed]);
    return socket;
  }

  /** The same without waiting for anything, on any path. */
  knocks(path: string, { protocol = 'superchat', headers = {} }: EnterOptions = {}): Socket {
    const url = `ws://127.0.0.1:${this.chat.port}${path}`;
    const cookie = this.cookie === '' ? {} : { cookie: this.cookie };
    const ws = new WebSocket(url, protocol === '' ? [] : [protocol], { headers: { ...cookie, ...headers } });
    onTestFinished(() => ws.terminate());
    return new Socket(ws);
  }
}

/** What a socket was told, in order, and waiting for what it will be told. */
export class Socket {
  readonly ws: WebSocket;
  readonly frames: Frame[] = [];
  /** the close code; for a refused upgrade, the HTTP status */
  readonly closed: Promise<number>;
  #wake = new Set<() => void>();

  constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('message', (data) => {
      this.frames.push(JSON.parse(data.toString()) as Frame);
      for (const wake of this.#wake) wake();
    });
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

  /** The first frame, old or new, with these fields. */
  async sees(fields: Frame): Promise<Frame> {
    return (await this.seesAll(fields, 1))[0] as Frame; // seesAll has found one
  }

  /** The first `count` frames with these fields. */
  async seesAll(fields: Frame, count: number, patience = 5000): Promise<Frame[]> {
    const until = Date.now() + patience;
    for (;;) {
      const found = this.frames.filter((frame) => matches(frame, fields)).slice(0, count);
      if (found.length === count) return found;
      if (!(await this.#news(until - Date.now()))) {
        throw new Error(
          `saw ${found.length} of ${count} ${JSON.stringify(fields)} in ${JSON.stringify(this.frames.slice(-8))}`,
        );
      }
    }
  }

  /** All numbered frames so far. */
  get numbered(): Frame[] {
    return this.frames.filter((frame) => 'id' in frame && frame['type'] !== 'ack');
  }

  leaves(): Promise<number> {
    this.ws.close();
    return this.closed;
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

function matches(frame: Frame, fields: Frame): boolean {
  return Object.entries(fields).every(([key, value]) => JSON.stringify(frame[key]) === JSON.stringify(value));
}
