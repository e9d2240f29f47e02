/**
 * Three ways to a room: WebSocket; server-sent events read by fetch, with POST; long polling, with POST. Each opens a
 * link that delivers the frames of docs/protocol.md from a position on, and takes commands. A link is never reopened: the
 * connection (connection.ts) opens another one, of the same or another transport, at its position.
 */
import { isObject, parseJsonObject } from '../shared/parse.js';
import {
  type ClientCommand,
  type ErrorCode,
  JSON_SUBPROTOCOL,
  type PostCommand,
  type Problem,
} from '../shared/protocol.js';

export type Frame = Readonly<Record<string, unknown>>;

/** The newest number that the reader has, in which log. */
export interface Position {
  readonly after: number;
  readonly epoch?: string | undefined;
}

/** A room of a server. */
export interface Endpoint {
  /** Everything is below it. It ends with a slash: `https://chat.example.org/chat/`. */
  readonly base: URL;
  readonly room: string;
  /** How many events to send when there is no position. */
  readonly history?: number | undefined;
  /** Requests a path below `base` with the user's cookie. @throws when the server cannot be reached */
  readonly fetch: Request;
  /** Undefined where there is no WebSocket. @throws when the browser refuses the address */
  readonly openSocket?: ((url: URL, subprotocol: string) => SocketLike) | undefined;
}
export type Request = (path: string, init?: RequestInit) => Promise<Response>;

/** What browsers, Node and the package `ws` have in common. */
export interface SocketLike {
  addEventListener(type: 'message' | 'close' | 'error', listener: (event: SocketEvent) => void): void;
  send(text: string): void;
  close(): void;
}

export interface SocketEvent {
  readonly type: string;
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
}

export interface Link {
  send(command: ClientCommand): void;
  /** Does not wait for the server. Nothing is called back afterwards. */
  close(): void;
  /** Whether it answers pings. Others get something at least every 15 s. */
  readonly answersPings: boolean;
}
export interface LinkEvents {
  /** Where a link begins, and where it continues. */
  position(): Position | undefined;
  onFrame(frame: Frame): void;
  /** Something arrived that is no frame. */
  onAlive(): void;
  /** `brokenCode` when it did not get through, or broke. */
  onClosed(code: number, reason: string): void;
}

/** As browsers report a connection that ended without a close frame (RFC 6455, section 7.1.5). */
export const brokenCode = 1006;
const plannedCode = 1000;
type Close = readonly [code: number, reason: string];

export type TransportName = 'websocket' | 'stream' | 'poll';

/** The transports that exist here, the best first. */
export function transportsOf({ openSocket }: Pick<Endpoint, 'openSocket'>): readonly TransportName[] {
  return openSocket ? ['websocket', 'stream', 'poll'] : ['stream', 'poll'];
}

export function openLink(name: TransportName, endpoint: Endpoint, events: LinkEvents): Link {
  switch (name) {
    case 'websocket':
      return openWebSocket(endpoint, events);
    case 'stream':
      return openHttpLink(endpoint, events, streamEvents);
    case 'poll':
      return openHttpLink(endpoint, events, pollPages);
  }
}

function openWebSocket({ base, room, history, openSocket }: Endpoint, events: LinkEvents): Link {
  if (!openSocket) throw new Error('There is no WebSocket here.');
  const url = new URL(`ws/${encodeURIComponent(room)}${query(events.position(), history)}`, base);
  url.protocol = base.protocol.replace('http', 'ws');
  const socket = openSocket(url, JSON_SUBPROTOCOL);
  socket.addEventListener('message', ({ data }) => onText(String(data), events));
  socket.addEventListener('close', ({ code = brokenCode, reason = '' }) => events.onClosed(code, reason));
  socket.addEventListener('error', () => {}); // 'close' follows
  return {
    send: (command) => socket.send(JSON.stringify(command)),
    close: () => socket.close(),
    answersPings: true,
  };
}

function onText(json: string, events: LinkEvents): void {
  const frame = parseJsonObject(json);
  if (frame) events.onFrame(frame);
  else events.onAlive();
}

function openHttpLink(
  endpoint: Endpoint,
  events: LinkEvents,
  read: (endpoint: Endpoint, events: LinkEvents, signal: AbortSignal) => Promise<Close>,
): Link {
  const abort = new AbortController();
  const end = ([code, reason]: Close) => void (abort.signal.aborted || events.onClosed(code, reason));
  read(endpoint, events, abort.signal).then(end, () => end([brokenCode, 'no answer']));
  return {
    send: (command) => {
      // Only a socket takes these two.
      if (command.type !== 'typing' && command.type !== 'ping') void post(endpoint, command, events);
    },
    close: () => abort.abort(),
    answersPings: false,
  };
}

/** Turns the answer of a POST into the frame that a socket would get. */
async function post({ fetch, room }: Endpoint, command: PostCommand, events: LinkEvents): Promise<void> {
  const result = await postCommand(fetch, room, command);
  const { cid } = command;
  if (result.kind === 'settled') events.onFrame({ type: 'ack', cid, id: result.id });
  else if (result.kind === 'error') events.onFrame({ type: 'error', cid, data: result.problem });
  else events.onFrame({ type: 'error', cid, data: { code: 'storage', message: 'No answer.' } });
}

export type SendResult =
  /** `id`: the number of its event, where the answer names it */
  | { readonly kind: 'settled'; readonly id?: number }
  | { readonly kind: 'error'; readonly problem: Problem }
  /** No answer, or one that a retry may change; the command may be stored or not. */
  | { readonly kind: 'lost' };

/** Posts a command over HTTP. Never throws. */
export async function postCommand(
  request: Request,
  room: string,
  command: PostCommand,
  init: RequestInit = {},
): Promise<SendResult> {
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  const body = JSON.stringify(command);
  try {
    const response = await request(roomPath(room, 'messages'), { method: 'POST', headers, body, ...init });
    const { id, error } = await readJson(response);
    if (response.ok && typeof id === 'number') return { kind: 'settled', id };
    const problem = parseProblem(error);
    return problem && isFinal(response.status) ? { kind: 'error', problem } : { kind: 'lost' };
  } catch {
    return { kind: 'lost' };
  }
}

/** A retry would get the same answer. Sign-out, rate limits and server errors are not final. */
export function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 408, 425, 429].includes(status);
}

/** `{code, message}`, from `error` frames and API errors. An unknown code is still an error. */
export function parseProblem(value: unknown): Problem | undefined {
  if (!isObject(value)) return undefined;
  const { code, message } = value;
  // A newer server may send other codes. Clients only compare them.
  return typeof code === 'string' && typeof message === 'string'
    ? { code: code as ErrorCode, message }
    : undefined;
}

/** Server-sent events. The server ends a stream after a minute; the next one begins at the position. */
async function streamEvents(endpoint: Endpoint, events: LinkEvents, signal: AbortSignal): Promise<Close> {
  const { room, history } = endpoint;
  for (;;) {
    const path = roomPath(room, 'events') + query(events.position(), history);
    const headers = { accept: 'text/event-stream' };
    const response = await endpoint.fetch(path, { headers, signal });
    // The page of a proxy may be an answer too.
    const isStream = response.ok && response.headers.get('content-type')?.startsWith('text/event-stream');
    if (!isStream || !response.body) return closeOf(response);
    const close = await readMessages(response.body, events);
    if (close[0] !== plannedCode) return close;
  }
}

/** Resolves with what the event `close` says. Our server writes each message as one line `data:`. */
async function readMessages(body: ReadableStream<Uint8Array>, events: LinkEvents): Promise<Close> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let isClose = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return [brokenCode, 'cut'];
    const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    events.onAlive();
    for (const line of lines) {
      if (line.startsWith('event:')) isClose = line.slice(6).trim() === 'close';
      if (!line.startsWith('data:')) continue;
      const data = line.slice(5);
      if (isClose) return parseClose(data);
      onText(data, events);
    }
  }
}

function parseClose(json: string): Close {
  const { code, reason } = parseJsonObject(json) ?? {};
  return [Number(code) || brokenCode, String(reason)];
}

/** Shorter than proxies wait for an answer, and than the server takes a silent reader for gone. */
const pollSeconds = 15;
const pollEvents = 500;
const defaultHistory = 50;

/** Long polling. Makes the `hello` frames itself. */
async function pollPages(endpoint: Endpoint, events: LinkEvents, signal: AbortSignal): Promise<Close> {
  const { room } = endpoint;
  const me = await get(endpoint, 'api/me', signal);
  if (me.close) return me.close;
  let at = events.position();
  let hello: Frame | undefined = { type: 'hello', room, user: me.value, complete: true };
  for (;;) {
    const answer = await get(endpoint, pagePath(endpoint, at, hello ? 0 : pollSeconds), signal);
    if (answer.close) return answer.close;
    const page = parsePage(answer.value);
    if (!page) return [brokenCode, 'no page'];
    const { epoch, last } = page;
    if (at && (at.after > last || (at.epoch ?? epoch) !== epoch)) {
      at = undefined; // another log: from its latest events
      hello = { type: 'hello', room, user: me.value, complete: false };
      continue;
    }
    if (hello) events.onFrame({ ...hello, epoch, last });
    hello = undefined;
    const messages = at || endpoint.history !== 0 ? page.messages : [];
    for (const message of messages) events.onFrame(message);
    events.onAlive();
    at = { epoch, after: Number(messages.at(-1)?.['id'] ?? at?.after ?? last) };
  }
}

function pagePath(
  { room, history = defaultHistory }: Endpoint,
  at: Position | undefined,
  wait: number,
): string {
  const path = roomPath(room, 'messages');
  if (!at) return `${path}?limit=${Math.max(1, history)}`;
  return `${path}?after=${at.after}&limit=${pollEvents}${wait > 0 ? `&wait=${wait}` : ''}`;
}

function parsePage(value: unknown) {
  if (!isObject(value)) return undefined;
  const { epoch, last, messages } = value;
  if (typeof epoch !== 'string' || typeof last !== 'number' || !Array.isArray(messages)) return undefined;
  return { epoch, last, messages: messages.filter(isObject) };
}

async function get({ fetch }: Endpoint, path: string, signal: AbortSignal) {
  const response = await fetch(path, { signal, headers: { accept: 'application/json' } });
  return response.ok
    ? { value: await readJson(response), close: undefined }
    : { close: await closeOf(response) };
}

/** The close code that a socket would get. A refusal that is not ours comes from a proxy. */
async function closeOf(response: Response): Promise<Close> {
  const { status } = response;
  if (status === 401) return [4001, 'not signed in'];
  if (status === 429) return [4429, 'too fast'];
  if (status >= 500) return [1013, `status ${status}`];
  const { error } = await readJson(response);
  const { code = '', message = '' } = parseProblem(error) ?? {};
  // Another 404 is that of an older server, without this transport.
  const final =
    String(code) === 'invalid_room' ? 4000 : code && (status === 400 || status === 403) ? 1008 : 0;
  return [final || brokenCode, message || `status ${status}`];
}

/** `{}` when the body is something else, as HTML from a proxy. */
async function readJson(response: Response): Promise<Frame> {
  return parseJsonObject(await response.text()) ?? {};
}

export function roomPath(room: string, resource: string): string {
  return `api/rooms/${encodeURIComponent(room)}/${resource}`;
}

function query(at: Position | undefined, history?: number): string {
  const params = Object.entries({ ...at, history }).filter(([, value]) => value !== undefined);
  return `?${new URLSearchParams(params.map(([name, value]): [string, string] => [name, String(value)]))}`;
}
