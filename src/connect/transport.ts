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
  /** readers.ts, or what loads it */
  readonly readers: Readers;
  /** Requests a path below `base` with the user's cookie. @throws when the server cannot be reached */
  readonly fetch: Request;
  /** Undefined where there is no WebSocket. @throws when the browser refuses the address */
  readonly openSocket?: ((url: URL, subprotocol: string) => SocketLike) | undefined;
}
/** Delivers frames until the stream ends, and resolves with the reason. */
export type Reader = (endpoint: Endpoint, events: LinkEvents, signal: AbortSignal) => Promise<Close>;
export type Readers = Readonly<Record<'stream' | 'poll', Reader>>;
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
export const plannedCode = 1000;
export type Close = readonly [code: number, reason: string];

export type TransportName = 'websocket' | 'stream' | 'poll';

/** The transports that exist here, the best first. */
export function transportsOf({ openSocket }: Pick<Endpoint, 'openSocket'>): readonly TransportName[] {
  return openSocket ? ['websocket', 'stream', 'poll'] : ['stream', 'poll'];
}

export function openLink(name: TransportName, endpoint: Endpoint, events: LinkEvents): Link {
  return name === 'websocket'
    ? openWebSocket(endpoint, events)
    : openHttpLink(endpoint, events, endpoint.readers[name]);
}

function openWebSocket({ base, room, history, openSocket }: Endpoint, events: LinkEvents): Link {
  if (!openSocket) throw new Error('no WebSocket');
  const url = new URL(`ws/${encodeURIComponent(room)}${query({ ...events.position(), history })}`, base);
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

export function onText(json: string, events: LinkEvents): void {
  const frame = parseJsonObject(json);
  if (frame) events.onFrame(frame);
  else events.onAlive();
}

function openHttpLink(endpoint: Endpoint, events: LinkEvents, read: Reader): Link {
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

/**
 * Turns the answer of a POST into the frame that a socket would get. A new event comes by itself, with its cid. Its ack has
 * none, because the cid may be in use again when it arrives.
 */
async function post({ fetch, room }: Endpoint, command: PostCommand, events: LinkEvents): Promise<void> {
  const result = await postCommand(fetch, room, command);
  const { cid } = command;
  if (result.kind === 'settled') {
    events.onFrame({ type: 'ack', id: result.id, ...(!result.isNew && { cid }) });
    return;
  }
  const data = result.kind === 'error' ? result.problem : { code: 'storage', message: 'No answer.' };
  events.onFrame({ type: 'error', cid, data });
}

export type SendResult =
  /** `id`: the number of its event, where the answer names it. `isNew`: the command was not stored before. */
  | { readonly kind: 'settled'; readonly id?: number; readonly isNew?: boolean }
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
  try {
    const response = await request(roomPath(room, 'messages'), { ...jsonPost(command), ...init });
    const { id, error } = await readJson(response);
    if (response.ok && typeof id === 'number') return { kind: 'settled', id, isNew: response.status === 201 };
    const problem = parseProblem(error);
    return problem && isFinal(response.status) ? { kind: 'error', problem } : { kind: 'lost' };
  } catch {
    return { kind: 'lost' };
  }
}

export function jsonPost(body: object): RequestInit {
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  return { method: 'POST', headers, body: JSON.stringify(body) };
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

/** `{}` when the body is something else, as HTML from a proxy. */
export async function readJson(response: Response): Promise<Frame> {
  return parseJsonObject(await response.text()) ?? {};
}

export function roomPath(room: string, resource: string): string {
  return `api/rooms/${encodeURIComponent(room)}/${resource}`;
}

/** Leaves out what is undefined. */
export function query(params: object): string {
  return `?${new URLSearchParams(JSON.parse(JSON.stringify(params)))}`;
}
