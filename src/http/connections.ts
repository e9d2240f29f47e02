/**
 * Plain HTTP connections, and answers that wait for their reader. Nobody has to sign in to hold either, so both are limited by
 * address. What is given up first belongs to the address that holds most, so that one address cannot push out another.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { BlockList, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { addressOf, isTrusted, networkOf, peerOf } from '../origin.js';

interface Address {
  readonly network: string;
  open: number;
  /** Connections without a request under way, the one that was idle longest first. */
  readonly idle: Set<Duplex>;
}

/** An answer is cut when its reader takes nothing of it for this long. */
const unreadTimeoutMs = 30_000;

/** The event upon which the server begins to read requests. */
function connectionEvent(server: Server): 'connection' | 'secureConnection' {
  return 'setSecureContext' in server ? 'secureConnection' : 'connection';
}

/** What we use of Node's HTTP parser. */
interface Parser {
  onIncoming?: (request: IncomingMessage & { upgrade?: boolean }, shouldKeepAlive: boolean) => number;
}

/**
 * Bytes of requests that wait on one connection; with more it is cut. Each answer makes Node read another chunk of 64 KiB, even
 * when only one of a hundred requests in the chunk before was answered.
 */
const maxEarlyBytes = 192 * 1024;

/** What `onIncoming` returns for an upgrade: the rest of the chunk is not HTTP. */
const stopParsing = 2;

function ignore(): void {}

function destroy(this: Duplex): void {
  this.destroy();
}

/** The plain connections of each peer. A connection leaves when it closes or becomes a WebSocket. */
export class PlainConnections {
  readonly #addresses = new Map<string, Address>();
  readonly #addressOf = new Map<Duplex, Address>();
  readonly #max: number;
  readonly #proxies: BlockList;
  /** The newest response on each connection. */
  readonly #newestResponse = new WeakMap<Duplex, ServerResponse>();
  /** One listener for all sockets; `this` is the socket. */
  readonly #onClose: (this: Duplex) => void;

  /** `max`: connections of one peer; 0 = no limit. */
  constructor(max: number, proxies: BlockList) {
    this.#max = max;
    this.#proxies = proxies;
    const remove = (socket: Duplex): void => this.#remove(socket);
    this.#onClose = function onClose(): void {
      remove(this);
    };
  }

  attach(server: Server): void {
    server.on(connectionEvent(server), (socket: Socket) => this.#add(socket));
  }

  /**
   * Counts a connection. Over the limit it closes an idle one of the same peer. When each of them has a request under way, it
   * closes the new one, unless the peer is a proxy, whose connections belong to many people.
   */
  #add(socket: Socket): void {
    const peer = peerOf(socket);
    const address = this.#open(networkOf(peer));
    this.#addressOf.set(socket, address);
    address.idle.add(socket);
    socket.once('close', this.#onClose);
    this.#stopParserEarly(socket);
    if (this.#max === 0 || address.open <= this.#max) return;
    const [oldest] = address.idle;
    if (oldest !== socket || !isTrusted(peer, this.#proxies)) oldest?.destroy();
  }

  /**
   * Makes the HTTP parser stop at the head of an upgrade, also in Node 26, which would read its body, and of a request that did
   * not wait for the previous answer. Otherwise it reads on to the end of the chunk: some hundred requests, which take 10 ms
   * and all run at once.
   */
  #stopParserEarly(socket: Socket): void {
    const { parser } = socket as { parser?: Parser }; // Node has no other way to stop it
    const onIncoming = parser?.onIncoming;
    if (!parser || !onIncoming) return;
    parser.onIncoming = (request, shouldKeepAlive) => {
      const previous = this.#newestResponse.get(socket);
      const isEarly = previous !== undefined && !previous.closed;
      if (!isEarly && !request.upgrade) return onIncoming(request, shouldKeepAlive);
      request.upgrade = true;
      return stopParsing;
    };
  }

  /** The socket has become a WebSocket, or is about to be read anew. */
  #release(socket: Duplex): void {
    socket.off('close', this.#onClose);
    this.#remove(socket);
  }

  /** Call it for each request. Sets its timeout here, because `server.timeout` would give every WebSocket a timer. */
  onRequest(socket: Socket, response: ServerResponse): void {
    socket.setTimeout(unreadTimeoutMs);
    this.#newestResponse.set(socket, response);
    const address = this.#addressOf.get(socket);
    if (!address) return;
    address.idle.delete(socket);
    response.once('close', () => {
      if (this.#addressOf.get(socket) === address) address.idle.add(socket);
    });
  }

  /**
   * Takes over an upgrade that is none to WebSocket, and a request that did not wait for the previous answer. Returns false for
   * every other upgrade.
   *
   * The HTTP parser reads such a request once more: after the previous answer, because a new parser does not know of it, and
   * without what it says of an upgrade, as if it asked for none (RFC 9110, 7.8). Node hands every upgrade to the listener of
   * 'upgrade', without the body. (`shouldUpgradeCallback` of newer Nodes leaves the connection unusable after the answer.)
   */
  takeUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    this.#release(socket);
    const previous = this.#newestResponse.get(socket);
    const isEarly = previous !== undefined && !previous.closed;
    if (!isEarly && offersWebSocket(request)) return false;
    if (head.length + socket.readableLength > maxEarlyBytes) {
      socket.on('error', ignore).destroy();
      return true;
    }
    const parseAgain = (): void => {
      if (socket.destroyed) return; // its error may still come
      socket.off('error', ignore).off('timeout', destroy); // the server adds its own listeners
      if (head.length > 0) socket.unshift(head); // without a copy, because it may hold hundreds of requests
      socket.unshift(headOf(request, isEarly));
      server.emit(connectionEvent(server), socket);
    };
    socket.on('error', ignore).on('timeout', destroy); // Node has removed its own
    if (isEarly) previous.once('close', parseAgain);
    else parseAgain();
    return true;
  }

  /** Closes at most `count` idle connections, those of the address with most of them first. Returns how many. */
  closeIdle(count: number): number {
    let closed = 0;
    for (; closed < count; closed++) {
      const [oldest] = this.#busiest()?.idle ?? [];
      if (!oldest) break;
      oldest.destroy();
      this.#release(oldest);
    }
    return closed;
  }

  #busiest(): Address | undefined {
    let busiest: Address | undefined;
    for (const address of this.#addresses.values())
      if (address.idle.size > (busiest?.idle.size ?? 0)) busiest = address;
    return busiest;
  }

  #open(network: string): Address {
    const address = this.#addresses.get(network) ?? { network, open: 0, idle: new Set() };
    this.#addresses.set(network, address);
    address.open++;
    return address;
  }

  #remove(socket: Duplex): void {
    const address = this.#addressOf.get(socket);
    if (!address) return;
    this.#addressOf.delete(socket);
    address.idle.delete(socket);
    if (--address.open === 0) this.#addresses.delete(address.network);
  }
}

/** Whether `websocket` is in the list of protocols. Then it becomes the only one, because the package ws expects that. */
function offersWebSocket({ headers }: IncomingMessage): boolean {
  const offered = headers.upgrade?.split(',').map((protocol) => protocol.trim().toLowerCase());
  if (!offered?.includes('websocket')) return false;
  headers.upgrade = 'websocket';
  return true;
}

/** Returns the head of a request as it came, or without what it says of an upgrade. */
function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage, withUpgrade: boolean): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const [name = '', value = ''] = rawHeaders.slice(n, n + 2);
    const kept = !withUpgrade && /^connection$/i.test(name) ? withoutUpgrade(value) : value;
    if (withUpgrade || (kept !== '' && !upgradeHeaderPattern.test(name))) lines.push(`${name}: ${kept}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

const upgradeHeaderPattern = /^(upgrade|http2-settings)$/i;

function withoutUpgrade(connection: string): string {
  const options = connection.split(',').map((option) => option.trim());
  return options.filter((option) => !upgradeHeaderPattern.test(option)).join(', ');
}

/** Bytes of answers that wait for their readers, all together. */
const maxUnreadBytes = 8 * 1024 * 1024;

interface Unread {
  readonly response: ServerResponse;
  readonly network: string;
  readonly bytes: number;
}

/**
 * Answers that the kernel does not take yet, because their readers are slow or do not read. Over the limit, the oldest one of
 * the address with the most bytes is cut.
 */
export class UnreadAnswers {
  readonly #answers = new Set<Unread>();
  readonly #bytesOf = new Map<string, number>();
  readonly #proxies: BlockList;
  #bytes = 0;

  constructor(proxies: BlockList) {
    this.#proxies = proxies;
  }

  /** Call it when an answer was written. */
  add(request: IncomingMessage, response: ServerResponse): void {
    const bytes = response.writableLength;
    if (bytes === 0 || response.writableFinished || response.destroyed) return;
    const answer = { response, network: networkOf(addressOf(request, this.#proxies)), bytes };
    this.#answers.add(answer);
    this.#count(answer.network, bytes);
    response.once('close', () => this.#remove(answer));
    while (this.#bytes > maxUnreadBytes) this.#cutOldest();
  }

  #cutOldest(): void {
    const [[network] = ['', 0]] = [...this.#bytesOf].sort(([, a], [, b]) => b - a);
    for (const answer of this.#answers) {
      if (answer.network !== network) continue;
      this.#remove(answer);
      answer.response.destroy();
      return;
    }
  }

  #remove(answer: Unread): void {
    if (this.#answers.delete(answer)) this.#count(answer.network, -answer.bytes);
  }

  #count(network: string, bytes: number): void {
    const sum = (this.#bytesOf.get(network) ?? 0) + bytes;
    if (sum === 0) this.#bytesOf.delete(network);
    else this.#bytesOf.set(network, sum);
    this.#bytes += bytes;
  }
}
