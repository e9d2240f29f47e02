/**
 * The upgrade door. Order of checks: the request itself, path, Origin, limits, identity (docs/protocol.md). What a
 * browser could not see as an HTTP status is said by a close code after the upgrade. Nothing that arrives here may throw:
 * the socket has no other listener than ours, and an error in this event would end the process.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { Config } from '../config.js';
import type { Identity } from '../identity.js';
import { CLOSE, COMMANDS, LIMITS, type User } from '../protocol.js';
import { addressOf, isOurHost, isOurOrigin } from '../request.js';
import { Addresses } from './addresses.js';
import type { Hub } from './hub.js';
import { parseTarget, protocolOf, type Refusal, refusalOf, refuse, type Target } from './knock.js';

/** `closeTimeout` (ms) is newer than the types of ws. */
const OPTIONS: ServerOptions & { readonly closeTimeout: number } = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: LIMITS.frame,
  maxFragments: 64,
  maxBufferedChunks: 1024,
  closeTimeout: 2000,
  autoPong: false, // ours looks at what waits first
  handleProtocols: (offered) => protocolOf(offered) ?? false,
};

/** Milliseconds of letting in before others get their turn: as they come, and again of those who wait. */
const TURN = 4;

export interface DoorParts {
  readonly config: Config;
  readonly identity: Identity;
  readonly hub: Hub;
  /** why nobody new is let in just now (503), if so */
  readonly closed: () => boolean;
  readonly onError: (error: unknown) => void;
  /** somebody is here; kept to the day */
  readonly seen: (user: User) => void;
}

type Knock = readonly [request: IncomingMessage, socket: Duplex, head: Buffer];

export class Door {
  readonly #parts: DoorParts;
  readonly #wss: WebSocketServer;
  readonly #handlers: ReturnType<typeof handlersOf>;
  readonly #addresses = new Addresses();
  readonly #waiting: Knock[] = [];
  /** were upgraded to hear why they are not let in, and have not gone yet */
  readonly #turnedAway = new Set<WebSocket>();
  /** when the turn in which they are let in at once ends; 0: none has begun */
  #until = 0;

  constructor(parts: DoorParts) {
    this.#parts = parts;
    this.#handlers = handlersOf(parts.hub, (ws) => this.#gone(ws));
    this.#wss = new WebSocketServer(OPTIONS);
  }

  /** The listener of 'upgrade'. */
  readonly enter = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', ignore); // first: Node has taken its own listener away
    const now = performance.now();
    if (this.#until === 0) {
      this.#until = now + TURN;
      setImmediate(this.#letIn);
    }
    if (this.#waiting.length === 0 && now <= this.#until) this.#open(request, socket, head);
    else this.#waiting.push([request, socket, head]);
  };

  /** Cuts all that came in by it. */
  cut(): void {
    for (const [, socket] of this.#waiting) socket.destroy();
    for (const ws of this.#turnedAway) ws.terminate();
    for (const connection of this.#parts.hub.connections.values()) connection.cut();
  }

  /** As many as fit into a few milliseconds, then others get their turn: thousands who come at once would hold all up. */
  readonly #letIn = (): void => {
    const until = performance.now() + TURN;
    let done = 0;
    for (const knock of this.#waiting) {
      this.#open(...knock);
      done++;
      if (performance.now() > until) break;
    }
    this.#waiting.splice(0, done);
    if (this.#waiting.length > 0) setImmediate(this.#letIn);
    else this.#until = 0;
  };

  #open(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const target = parseTarget(request.url ?? '');
    const { limits, trustedProxies } = this.#parts.config;
    const address = limits.connectionsPerAddress > 0 ? addressOf(request, trustedProxies) : undefined;
    const refusal = refusalOf(request) ?? this.#refusal(request, target, address);
    if (refusal) refuse(socket, refusal);
    else if (target !== 'malformed' && target !== 'elsewhere')
      this.#upgrade(request, socket, head, target, address);
  }

  #refusal(
    request: IncomingMessage,
    target: ReturnType<typeof parseTarget>,
    address: string | undefined,
  ): Refusal | undefined {
    const { config, closed } = this.#parts;
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
    target: Target,
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
      if (address !== undefined) this.#addresses.came(ws, address);
      try {
        this.#admit(ws, socket, target, cookie);
      } catch (error) {
        this.#parts.onError(error); // the store cannot be read
        this.#turnAway(ws, CLOSE.serverError);
      }
    });
    socket.uncork();
  }

  #admit(ws: WebSocket, socket: Duplex, { room, place }: Target, cookie: string | undefined): void {
    const { identity, hub, seen } = this.#parts;
    const session = identity.open(cookie);
    const person = session && hub.person(session.user);
    if (room === undefined) this.#turnAway(ws, CLOSE.invalidRoom);
    else if (!session || !person) this.#turnAway(ws, CLOSE.notSignedIn);
    else if (!hub.mayConnect(person)) this.#turnAway(ws, CLOSE.tooManyOfPerson);
    else {
      seen(session.user);
      hub.open({ ws, socket, person, commands: ws.protocol === COMMANDS, ends: session.ends }, room, place);
    }
  }

  #turnAway(ws: WebSocket, [code, reason]: readonly [code: number, reason: string]): void {
    this.#turnedAway.add(ws);
    ws.close(code, reason);
  }

  #gone(ws: WebSocket): void {
    this.#turnedAway.delete(ws);
    this.#addresses.left(ws);
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
function handlersOf(hub: Hub, gone: (ws: WebSocket) => void) {
  return {
    message(this: WebSocket, data: RawData, binary: boolean): void {
      hub.receive(this, data, binary);
    },
    ping(this: WebSocket, payload: Buffer): void {
      hub.connections.get(this)?.pong(payload);
    },
    pong(this: WebSocket): void {
      hub.connections.get(this)?.heard();
    },
    close(this: WebSocket): void {
      gone(this);
      hub.close(this);
    },
  };
}

function ignore(): void {}
