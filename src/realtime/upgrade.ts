/**
 * Upgrade requests. Checks come in the order of docs/protocol.md: the request itself, path, Host and Origin, limits,
 * session. A browser cannot see the HTTP status of a failed upgrade. What it has to know is a close code after the upgrade.
 *
 * Invariant: the upgrade listener never throws, whatever a peer sends. Node has removed its own error listener from the
 * socket, so an exception would end the process.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { Config, Site } from '../config.js';
import {
  addressOf,
  headerCount,
  isOurHost,
  isOurOrigin,
  isValidRequest,
  knownNetworkOf,
  likelyCause,
  networkOf,
  pathBelow,
} from '../origin.js';
import type { SessionCookie } from '../session.js';
import { parseResumePosition, parseRoomSegment, type ResumePosition } from '../shared/parse.js';
import { CLOSE, JSON_SUBPROTOCOL, LIMITS, TEXT_SUBPROTOCOL } from '../shared/protocol.js';
import type { Telemetry } from '../telemetry.js';
import { discardInput, type WebSocketConnection } from './connection.js';
import type { Hub } from './hub.js';

/** The types of ws lack `closeTimeout` (milliseconds). */
const wsOptions: ServerOptions & { readonly closeTimeout: number } = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: LIMITS.frameBytes,
  maxFragments: 64,
  maxBufferedChunks: 1024,
  closeTimeout: 2000,
  autoPong: false, // Connection.pong has a limit
  handleProtocols: (offered) => chooseSubprotocol(offered) ?? false,
};

/** Milliseconds of each turn for opening sockets, and of one read transaction. */
const admitBudgetMs = 2;
const admitStepMs = 1;

/**
 * Maximum number of sockets of one address that are not signed in. They stay open only until the client has read the close
 * code.
 */
const maxUnauthenticatedPerAddress = 64;

export interface UpgradeDeps {
  readonly config: Config;
  /** The sockets and streams of each address. */
  readonly addresses: AddressCounts;
  /** Counts the connections of all processes; undefined: this one counts its own. */
  readonly counter: ConnectionCounter | undefined;
  readonly sessionCookie: SessionCookie;
  readonly hub: Hub;
  readonly telemetry: Telemetry;
  /** Whether new sockets are refused with 503. */
  readonly isUnavailable: () => boolean;
  readonly onError: (error: unknown) => void;
  /** Runs `work` in one read transaction, because a lock for each read would cost as much as the read. */
  readonly read: (work: () => void) => void;
}

/** Whose limits a connection counts for. */
export interface ConnectionOwner {
  readonly user?: string;
  readonly address?: string;
  /** Polls open as often as they like. */
  readonly isPoll?: boolean;
}

/** Why a connection is refused: too many of the user or address, or opened too fast. */
export type ConnectionRefusal = 'person' | 'rate' | 'address';

/** Counts connections in another process. */
export interface ConnectionCounter {
  /** Counts a connection, unless it is refused. `done` gets why. */
  open(owner: ConnectionOwner, done: (refusal: ConnectionRefusal | null) => void): void;
  close(owner: ConnectionOwner): void;
}

interface Rejected {
  readonly socket: Duplex;
  /** The close code. */
  readonly code: number;
  isDiscarded?: true;
}

interface PendingUpgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** An upgrade that may go on. */
interface AcceptedUpgrade extends PendingUpgrade {
  readonly target: UpgradeTarget;
  readonly address: string | undefined;
}

export class UpgradeHandler {
  readonly #deps: UpgradeDeps;
  readonly #wss: WebSocketServer;
  readonly #listeners: ReturnType<typeof createListeners>;
  readonly #unauthenticated = new AddressCounts();
  readonly #queue: PendingUpgrade[] = [];
  /** Sockets that were upgraded only to receive a close code, and are still open. */
  readonly #rejected = new Map<WebSocket, Rejected>();

  constructor(deps: UpgradeDeps) {
    this.#deps = deps;
    this.#listeners = createListeners(
      deps.hub,
      (ws, code) => this.#onClose(ws, code),
      (ws) => this.#discard(ws),
    );
    this.#wss = new WebSocketServer(wsOptions);
  }

  /** Answers an upgrade to WebSocket. Requests are queued, because thousands at once would block the event loop. */
  readonly handle = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', ignore); // first: Node has removed its own listener
    this.#queue.push({ request, socket, head });
    this.#deps.hub.scheduler.runSliced(this.#processNext, admitBudgetMs);
  };

  /** Cuts every socket that came through this handler. */
  terminateAll(): void {
    for (const { socket } of this.#queue.splice(0)) socket.destroy();
    for (const ws of this.#rejected.keys()) ws.terminate();
    for (const connection of this.#deps.hub.connections.values()) connection.terminate();
  }

  readonly #processNext = (now: number): boolean => {
    this.#deps.read(() => {
      do {
        const next = this.#queue.shift();
        if (next) this.#process(next);
      } while (this.#queue.length > 0 && performance.now() < now + admitStepMs);
    });
    return this.#queue.length > 0;
  };

  #process(pending: PendingUpgrade): void {
    const { request, socket } = pending;
    const { limits, site, trustedProxies } = this.#deps.config;
    const target = parseUpgradeUrl(request.url ?? '', site, (room) => this.#deps.hub.roomExists(room));
    const address =
      limits.connectionsPerAddress > 0 ? networkOf(addressOf(request, trustedProxies)) : undefined;
    const refusal = validateHandshake(request) ?? this.#refusal(request, target, address);
    if (refusal) respondAndClose(socket, refusal);
    else if (target !== 'malformed' && target !== 'not_found') {
      const upgrade = { ...pending, target, address };
      const { counter } = this.#deps;
      if (counter) this.#askAndUpgrade(counter, upgrade);
      else this.#upgrade(upgrade);
    }
  }

  /** Asks the counter first. Its socket is not read meanwhile. */
  #askAndUpgrade(counter: ConnectionCounter, upgrade: AcceptedUpgrade): void {
    const { request, socket, target, address } = upgrade;
    const user = this.#userOf(request, target);
    const owner = { ...(user === undefined ? {} : { user }), ...(address === undefined ? {} : { address }) };
    counter.open(owner, (refusal) => {
      if (refusal === null) releaseOnClose(counter, owner, socket);
      if (refusal === 'address') {
        this.#deps.telemetry.warnRefused('too_many_connections', { address });
        respondAndClose(socket, tooManyRequests);
      } else if (this.#deps.isUnavailable()) respondAndClose(socket, unavailable);
      else this.#upgrade(upgrade, refusal);
    });
  }

  /** Returns the id of a user who may open the room. */
  #userOf(request: IncomingMessage, { room }: UpgradeTarget): string | undefined {
    try {
      return room === undefined
        ? undefined
        : this.#deps.sessionCookie.verify(request.headers.cookie)?.user.id;
    } catch {
      return undefined; // the database cannot be read, which the upgrade will notice
    }
  }

  #refusal(
    request: IncomingMessage,
    target: ReturnType<typeof parseUpgradeUrl>,
    address: string | undefined,
  ): HttpRefusal | undefined {
    const { config, isUnavailable, telemetry } = this.#deps;
    if (target === 'malformed') return [400, 'Bad Request'];
    if (target === 'not_found') return [404, 'Not Found'];
    const wrong = !isOurHost(request, config)
      ? 'wrong_host'
      : !isOurOrigin(request, config)
        ? 'wrong_origin'
        : undefined;
    if (wrong !== undefined) {
      telemetry.refused(wrong);
      telemetry.refusedOrigin(wrong, request, likelyCause(request, config));
      return [403, 'Forbidden'];
    }
    if (isUnavailable()) return unavailable;
    if (address !== undefined && this.#isOverLimit(address, request.headers.cookie)) {
      telemetry.warnRefused('too_many_connections', { address });
      return tooManyRequests;
    }
    return undefined;
  }

  /** Checks the cookie only when an address has many sockets without a session. */
  #isOverLimit(address: string, cookie: string | undefined): boolean {
    const { config, sessionCookie, onError } = this.#deps;
    if (this.#deps.addresses.count(address) >= config.limits.connectionsPerAddress) return true;
    if (this.#unauthenticated.count(address) < maxUnauthenticatedPerAddress) return false;
    try {
      return sessionCookie.verify(cookie) === undefined;
    } catch (error) {
      onError(error); // the database cannot be read
      return true;
    }
  }

  /** `counted`: what the counter says; undefined without one. */
  #upgrade(upgrade: AcceptedUpgrade, counted?: ConnectionRefusal | null): void {
    const { request, socket, head, address } = upgrade;
    if (socket.destroyed || !socket.writable) {
      socket.destroy(); // the peer has gone
      return;
    }
    socket.cork(); // sends the 101 response and the first frames in one write
    this.#wss.handleUpgrade(request, socket, head, (ws) => {
      socket.off('error', ignore); // ws has added its own listener
      // first, because an 'error' event without a listener would end the process
      for (const [event, listener] of Object.entries(this.#listeners)) ws.on(event, listener);
      if (address !== undefined) this.#deps.addresses.add(ws, address);
      try {
        this.#openConnection(ws, upgrade, counted);
      } catch (error) {
        this.#deps.onError(error); // the database cannot be read
        this.#closeWith(ws, socket, CLOSE.serverError);
      }
    });
    socket.uncork();
  }

  #openConnection(
    ws: WebSocket,
    { request, socket, target: { room, resume }, address }: AcceptedUpgrade,
    counted: ConnectionRefusal | null | undefined,
  ): void {
    const { sessionCookie, hub, config } = this.#deps;
    const session = sessionCookie.verify(request.headers.cookie);
    if (!session && address !== undefined) this.#unauthenticated.add(ws, address);
    const user = session && hub.user(session.user);
    const refusal =
      user && counted === undefined ? user.refuseConnection(performance.now()) : (counted ?? null);
    if (room === undefined) this.#closeWith(ws, socket, CLOSE.invalidRoom);
    else if (!session || !user) this.#closeWith(ws, socket, CLOSE.notSignedIn);
    else if (refusal === 'rate') this.#closeWith(ws, socket, CLOSE.tooFast);
    else if (refusal !== null) this.#closeWith(ws, socket, CLOSE.tooManyConnections);
    else {
      const isProxy = address !== undefined && knownNetworkOf(request, config.trustedProxies) === undefined;
      const json = ws.protocol === JSON_SUBPROTOCOL;
      const options = { ws, socket, user, address: isProxy ? undefined : address, json };
      hub.open({ ...options, sessionExpiresAt: session.expiresAt }, room, resume);
    }
  }

  #closeWith(ws: WebSocket, socket: Duplex, [code, reason]: readonly [code: number, reason: string]): void {
    this.#rejected.set(ws, { socket, code });
    ws.close(code, reason);
  }

  /** A rejected socket sends frames. */
  #discard(ws: WebSocket): void {
    const rejected = this.#rejected.get(ws);
    if (!rejected || rejected.isDiscarded) return;
    rejected.isDiscarded = true;
    discardInput(rejected.socket);
  }

  #onClose(ws: WebSocket, code: number): void {
    const ours = this.#rejected.get(ws)?.code ?? this.#deps.hub.socket(ws)?.closeCode;
    this.#deps.telemetry.closed(ours ?? code);
    this.#rejected.delete(ws);
    this.#deps.addresses.remove(ws);
    this.#unauthenticated.remove(ws);
  }
}

/** Creates the listeners that all sockets share; `this` is the socket. Closures per socket would cost memory. */
function createListeners(
  hub: Hub,
  onClose: (ws: WebSocket, code: number) => void,
  discard: (ws: WebSocket) => void,
) {
  const listener = <Args extends readonly unknown[]>(
    handle: (connection: WebSocketConnection, ...args: Args) => void,
  ) =>
    function onEvent(this: WebSocket, ...args: Args): void {
      const connection = hub.socket(this);
      if (connection) handle(connection, ...args);
      else discard(this);
    };
  return {
    // The peer breaks the protocol. ws closes the socket with the right code.
    error: listener((connection) => connection.discardInput()),
    message: listener((connection, data: RawData, binary: boolean) => hub.receive(connection, data, binary)),
    ping: listener((connection, payload: Buffer) => hub.ping(connection, payload)),
    pong: listener((connection, payload: Buffer) => hub.pong(connection, payload)),
    close(this: WebSocket, code: number): void {
      onClose(this, code);
      hub.close(this);
    },
  };
}

const unavailable: HttpRefusal = [503, 'Service Unavailable', 'Retry-After: 2\r\n'];
const tooManyRequests: HttpRefusal = [429, 'Too Many Requests', 'Retry-After: 10\r\n'];

/** Tells the counter when the socket closes, or that it has closed. */
export function releaseOnClose(counter: ConnectionCounter, owner: ConnectionOwner, socket: Duplex): void {
  if (socket.destroyed) counter.close(owner);
  else socket.once('close', () => counter.close(owner));
}

function ignore(): void {}

/** A parsed URL. `room` is undefined when the name is invalid (4000). */
export interface UpgradeTarget {
  readonly room: string | undefined;
  readonly resume: ResumePosition;
}

export type HttpRefusal = readonly [status: number, reason: string, headers?: string];

/** Returns the refusal of a request that is no handshake by RFC 6455, 4.2.1, or no request by RFC 9112. */
function validateHandshake(request: IncomingMessage): HttpRefusal | undefined {
  const { method, headers, httpVersion } = request;
  if (!isValidRequest(request) || httpVersion === '1.0') return [400, 'Bad Request'];
  if (method !== 'GET') return [405, 'Method Not Allowed', 'Allow: GET\r\n'];
  if (singleHeaders.some((name) => headerCount(request, name) > 1)) return [400, 'Bad Request'];
  if (headers['sec-websocket-version'] !== '13')
    return [426, 'Upgrade Required', 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'];
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) return [400, 'Bad Request'];
  return undefined;
}

/** Headers that a handshake has at most once (RFC 6455, 11.3). */
const singleHeaders = ['sec-websocket-key', 'sec-websocket-version'];

/** Parses the URL. Does without `new URL`, which throws on paths that a peer may send. */
export function parseUpgradeUrl(
  url: string,
  site: Site,
  roomExists?: (room: string) => boolean,
): UpgradeTarget | 'malformed' | 'not_found' {
  if (!url.startsWith('/') || url.startsWith('//') || url.includes('\\')) return 'malformed';
  const [fullPath = '', query = ''] = splitOnce(url, '?');
  const path = pathBelow(site, fullPath);
  if (!path?.startsWith('/ws/')) return 'not_found';
  const resume = parseResumePosition(new URLSearchParams(query));
  if (!resume) return 'malformed';
  return { room: parseRoomSegment(path.slice('/ws/'.length), roomExists), resume };
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Answers with HTTP and closes the socket. */
function respondAndClose(socket: Duplex, [status, reason, headers = '']: HttpRefusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  );
}

/** Returns a constant, because a part of the request would keep the whole request in memory. */
function chooseSubprotocol(offered: ReadonlySet<string>): string | undefined {
  for (const name of offered) {
    if (name === JSON_SUBPROTOCOL) return JSON_SUBPROTOCOL;
    if (name === TEXT_SUBPROTOCOL) return TEXT_SUBPROTOCOL;
  }
  return undefined;
}

/**
 * Counts the open sockets and streams of each address, including sockets that were upgraded only to receive a close code. Each
 * stands under an object of its own.
 */
export class AddressCounts {
  readonly #counts = new Map<string, number>();
  readonly #addressOf = new Map<object, string>();

  count(address: string): number {
    return this.#counts.get(address) ?? 0;
  }

  add(key: object, address: string): void {
    this.#addressOf.set(key, address);
    this.#counts.set(address, this.count(address) + 1);
  }

  /** Does nothing when the key was never added. */
  remove(key: object): void {
    const address = this.#addressOf.get(key);
    if (address === undefined) return;
    this.#addressOf.delete(key);
    const others = this.count(address) - 1;
    if (others > 0) this.#counts.set(address, others);
    else this.#counts.delete(address);
  }
}
