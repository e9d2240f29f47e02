/**
 * The upgrade door. Order of checks: the request itself, path, Origin, limits, identity (docs/protocol.md). What a
 * browser could not see as an HTTP status is said by a close code after the upgrade. Nothing that arrives here may throw:
 * the socket has no other listener than ours, and an error in this event would end the process.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { Config } from '../config.js';
import { addressOf, isOurHost, isOurOrigin } from '../origin.js';
import type { SessionCookie } from '../session.js';
import { parseRoomSegment } from '../shared/parse.js';
import { CLOSE, JSON_SUBPROTOCOL, LIMITS, TEXT_SUBPROTOCOL, type User } from '../shared/protocol.js';
import type { Hub, ResumePosition } from './hub.js';

/** `closeTimeout` (ms) is newer than the types of ws. */
const WS_OPTIONS: ServerOptions & { readonly closeTimeout: number } = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: LIMITS.frameBytes,
  maxFragments: 64,
  maxBufferedChunks: 1024,
  closeTimeout: 2000,
  autoPong: false, // ours looks at what waits first
  handleProtocols: (offered) => chooseSubprotocol(offered) ?? false,
};

/** Milliseconds of letting in before others get their turn: as they come, and again of those who wait. */
const ADMIT_BUDGET_MS = 4;

export interface UpgradeDeps {
  readonly config: Config;
  readonly identity: SessionCookie;
  readonly hub: Hub;
  /** why nobody new is let in just now (503), if so */
  readonly isClosed: () => boolean;
  readonly onError: (error: unknown) => void;
  /** somebody is here; kept to the day */
  readonly onSeen: (user: User) => void;
}

type PendingUpgrade = readonly [request: IncomingMessage, socket: Duplex, head: Buffer];

export class UpgradeHandler {
  readonly #deps: UpgradeDeps;
  readonly #wss: WebSocketServer;
  readonly #handlers: ReturnType<typeof createHandlers>;
  readonly #addresses = new AddressCounts();
  readonly #queue: PendingUpgrade[] = [];
  /** were upgraded to hear why they are not let in, and have not gone yet */
  readonly #rejected = new Set<WebSocket>();
  /** when the turn in which they are let in at once ends; 0: none has begun */
  #admitUntil = 0;

  constructor(deps: UpgradeDeps) {
    this.#deps = deps;
    this.#handlers = createHandlers(deps.hub, (ws) => this.#onClose(ws));
    this.#wss = new WebSocketServer(WS_OPTIONS);
  }

  /** The listener of 'upgrade'. */
  readonly handle = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', ignore); // first: Node has taken its own listener away
    const now = performance.now();
    if (this.#admitUntil === 0) {
      this.#admitUntil = now + ADMIT_BUDGET_MS;
      setImmediate(this.#drainQueue);
    }
    if (this.#queue.length === 0 && now <= this.#admitUntil) this.#process(request, socket, head);
    else this.#queue.push([request, socket, head]);
  };

  /** Cuts all that came in by it. */
  terminateAll(): void {
    for (const [, socket] of this.#queue) socket.destroy();
    for (const ws of this.#rejected) ws.terminate();
    for (const connection of this.#deps.hub.connections.values()) connection.terminate();
  }

  /** As many as fit into a few milliseconds, then others get their turn: thousands who come at once would hold all up. */
  readonly #drainQueue = (): void => {
    const until = performance.now() + ADMIT_BUDGET_MS;
    let done = 0;
    for (const knock of this.#queue) {
      this.#process(...knock);
      done++;
      if (performance.now() > until) break;
    }
    this.#queue.splice(0, done);
    if (this.#queue.length > 0) setImmediate(this.#drainQueue);
    else this.#admitUntil = 0;
  };

  #process(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const target = parseUpgradeUrl(request.url ?? '');
    const { limits, trustedProxies } = this.#deps.config;
    const address = limits.connectionsPerAddress > 0 ? addressOf(request, trustedProxies) : undefined;
    const refusal = validateHandshake(request) ?? this.#refusal(request, target, address);
    if (refusal) respondAndClose(socket, refusal);
    else if (target !== 'malformed' && target !== 'elsewhere')
      this.#upgrade(request, socket, head, target, address);
  }

  #refusal(
    request: IncomingMessage,
    target: ReturnType<typeof parseUpgradeUrl>,
    address: string | undefined,
  ): HttpRefusal | undefined {
    const { config, isClosed: closed } = this.#deps;
    if (target === 'malformed') return [400, 'Bad Request'];
    if (target === 'elsewhere') return [404, 'Not Found'];
    if (!isOurHost(request, config) || !isOurOrigin(request, config)) return [403, 'Forbidden'];
    if (closed()) return [503, 'Service Unavailable', 'Retry-After: 2\r\n'];
    if (address !== undefined && this.#addresses.count(address) >= config.limits.connectionsPerAddress)
      return [429, 'Too Many Requests', 'Retry-After: 10\r\n'];
    return undefined;
  }

  #upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    target: UpgradeTarget,
    address: string | undefined,
  ): void {
    if (socket.destroyed || !socket.writable) {
      socket.destroy(); // the peer has gone while we looked
      return;
    }
    const cookie = request.headers.cookie;
    socket.cork(); // the answer to the upgrade and what the room says first are one write
    this.#wss.handleUpgrade(request, socket, head, (ws) => {
      socket.off('error', ignore); // ws has its own listener there
      this.#listen(ws);
      if (address !== undefined) this.#addresses.add(ws, address);
      try {
        this.#admit(ws, socket, target, cookie);
      } catch (error) {
        this.#deps.onError(error); // the store cannot be read
        this.#closeWith(ws, CLOSE.serverError);
      }
    });
    socket.uncork();
  }

  #admit(
    ws: WebSocket,
    socket: Duplex,
    { room, resume: place }: UpgradeTarget,
    cookie: string | undefined,
  ): void {
    const { identity, hub, onSeen: seen } = this.#deps;
    const session = identity.verify(cookie);
    const person = session && hub.user(session.user);
    if (room === undefined) this.#closeWith(ws, CLOSE.invalidRoom);
    else if (!session || !person) this.#closeWith(ws, CLOSE.notSignedIn);
    else if (!hub.mayConnect(person)) this.#closeWith(ws, CLOSE.tooManyConnections);
    else {
      seen(session.user);
      hub.open(
        { ws, socket, person, json: ws.protocol === JSON_SUBPROTOCOL, sessionExpiresAt: session.expiresAt },
        room,
        place,
      );
    }
  }

  #closeWith(ws: WebSocket, [code, reason]: readonly [code: number, reason: string]): void {
    this.#rejected.add(ws);
    ws.close(code, reason);
  }

  #onClose(ws: WebSocket): void {
    this.#rejected.delete(ws);
    this.#addresses.remove(ws);
  }

  /** Before anything else is done with it: without a listener of 'error' that event would end the process. */
  #listen(ws: WebSocket): void {
    ws.on('error', ignore); // ws has closed it with the right code
    ws.on('message', this.#handlers.message);
    ws.on('ping', this.#handlers.ping);
    ws.on('pong', this.#handlers.pong);
    ws.on('close', this.#handlers.close);
  }
}

/** The same four functions for every socket: a closure for each would be kept as long as the socket. */
function createHandlers(hub: Hub, gone: (ws: WebSocket) => void) {
  return {
    message(this: WebSocket, data: RawData, binary: boolean): void {
      hub.receive(this, data, binary);
    },
    ping(this: WebSocket, payload: Buffer): void {
      hub.connections.get(this)?.pong(payload);
    },
    pong(this: WebSocket): void {
      hub.connections.get(this)?.markAlive();
    },
    close(this: WebSocket): void {
      gone(this);
      hub.close(this);
    },
  };
}

function ignore(): void {}

/**
 * A request at the upgrade door: whether it is a handshake, what it asks for, and how it is refused before the upgrade.
 * Nothing here may throw, whatever a peer sends.
 */

/** What an upgrade path asks for; `room` undefined: its name is none (4000). */
export interface UpgradeTarget {
  readonly room: string | undefined;
  readonly resume: ResumePosition;
}

export type HttpRefusal = readonly [status: number, reason: string, headers?: string];

/** What makes a request no WebSocket handshake of RFC 6455, 4.2.1. */
export function validateHandshake({ method, headers }: IncomingMessage): HttpRefusal | undefined {
  if (headers.upgrade?.toLowerCase() !== 'websocket') return [400, 'Bad Request'];
  if (method !== 'GET') return [405, 'Method Not Allowed', 'Allow: GET\r\n'];
  if (headers['sec-websocket-version'] !== '13')
    return [426, 'Upgrade Required', 'Sec-WebSocket-Version: 13\r\n'];
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) return [400, 'Bad Request'];
  return undefined;
}

/** Without `new URL`: it throws on paths that a peer may well send. */
export function parseUpgradeUrl(url: string): UpgradeTarget | 'malformed' | 'elsewhere' {
  if (!url.startsWith('/') || url.startsWith('//') || url.includes('\\')) return 'malformed';
  const [path = '', query = ''] = splitOnce(url, '?');
  if (!path.startsWith('/ws/')) return 'elsewhere';
  const asked = new URLSearchParams(query);
  const place = {
    after: positionParam(asked.get('after')),
    epoch: asked.get('epoch') ?? undefined,
    history: Math.min(positionParam(asked.get('history')) ?? LIMITS.defaultPageEvents, LIMITS.pageEvents),
  };
  return { room: parseRoomSegment(path.slice('/ws/'.length)), resume: place };
}

/** Of any size: beyond what can be counted it was given all the same, and is beyond the last. What is no number was not. */
function positionParam(raw: string | null): number | undefined {
  return raw !== null && /^\d+$/.test(raw) ? Math.min(Number(raw), Number.MAX_SAFE_INTEGER) : undefined;
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Answered as HTTP, and closed. */
export function respondAndClose(socket: Duplex, [status, reason, headers = '']: HttpRefusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  );
}

/** Ours of those that are offered, as a constant: what the request said would be kept with the socket. */
export function chooseSubprotocol(offered: ReadonlySet<string>): string | undefined {
  for (const name of offered) {
    if (name === JSON_SUBPROTOCOL) return JSON_SUBPROTOCOL;
    if (name === TEXT_SUBPROTOCOL) return TEXT_SUBPROTOCOL;
  }
  return undefined;
}

/** How many sockets each address has. A socket that is upgraded only to hear why it is closed counts while it is open. */

export class AddressCounts {
  readonly #counts = new Map<string, number>();
  readonly #addressOf = new Map<WebSocket, string>();

  count(address: string): number {
    return this.#counts.get(address) ?? 0;
  }

  add(ws: WebSocket, address: string): void {
    this.#addressOf.set(ws, address);
    this.#counts.set(address, this.count(address) + 1);
  }

  /** Does nothing for a socket that was not counted. */
  remove(ws: WebSocket): void {
    const address = this.#addressOf.get(ws);
    if (address === undefined) return;
    this.#addressOf.delete(ws);
    const others = this.count(address) - 1;
    if (others > 0) this.#counts.set(address, others);
    else this.#counts.delete(address);
  }
}
