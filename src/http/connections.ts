/**
 * Plain HTTP connections, and answers that wait for their reader. Both need no sign-in, so they are limited by address. The
 * address that holds most loses first, so that one address cannot displace another.
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

/** Milliseconds without progress after which an answer is cut. */
const unreadTimeoutMs = 30_000;

/** The event that makes the server read requests. */
function connectionEvent(server: Server): 'connection' | 'secureConnection' {
  return 'setSecureContext' in server ? 'secureConnection' : 'connection';
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
    server.timeout = unreadTimeoutMs;
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
    if (this.#max === 0 || address.open <= this.#max) return;
    const [oldest] = address.idle;
    if (oldest !== socket || !isTrusted(peer, this.#proxies)) oldest?.destroy();
  }

  /** Call it when the socket has become a WebSocket, or is about to be parsed again. */
  release(socket: Duplex): void {
    socket.off('close', this.#onClose);
    this.#remove(socket);
  }

  /** Call it for each request. */
  onRequest(socket: Duplex, response: ServerResponse): void {
    this.#newestResponse.set(socket, response);
    const address = this.#addressOf.get(socket);
    if (!address) return;
    address.idle.delete(socket);
    response.once('close', () => {
      if (this.#addressOf.get(socket) === address) address.idle.add(socket);
    });
  }

  /**
   * Ignores an upgrade to a protocol that we do not support (RFC 9110, 7.8): the HTTP parser reads the request again, without
   * its upgrade headers. Node hands every upgrade to the listener of 'upgrade', without the body. (`shouldUpgradeCallback`
   * needs Node 24.9.) Waits for the previous response, because the new parser does not know of it.
   */
  answerWithoutUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const ignore = (): void => {};
    const parseAgain = (): void => {
      socket.off('error', ignore); // the server adds its own listener
      if (socket.destroyed) return;
      if (head.length > 0) socket.unshift(head); // without a copy, because it may hold hundreds of requests
      socket.unshift(headWithoutUpgrade(request));
      server.emit(connectionEvent(server), socket);
    };
    socket.on('error', ignore); // Node has removed its own
    const previous = this.#newestResponse.get(socket);
    if (previous && !previous.closed) previous.once('close', parseAgain);
    else parseAgain();
  }

  /** Closes at most `count` idle connections, those of the address with most of them first. Returns how many. */
  closeIdle(count: number): number {
    let closed = 0;
    for (; closed < count; closed++) {
      const [oldest] = this.#busiest()?.idle ?? [];
      if (!oldest) break;
      oldest.destroy();
      this.release(oldest);
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

function headWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (const [n, name] of rawHeaders.entries()) {
    const value = rawHeaders[n + 1] ?? '';
    const kept = /^connection$/i.test(name) ? withoutUpgrade(value) : value;
    if (n % 2 === 0 && kept !== '' && !upgradeHeaderPattern.test(name)) lines.push(`${name}: ${kept}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

const upgradeHeaderPattern = /^(upgrade|http2-settings)$/i;

function withoutUpgrade(connection: string): string {
  const options = connection.split(',').map((option) => option.trim());
  return options.filter((option) => !upgradeHeaderPattern.test(option)).join(', ');
}

/** Limit of the bytes of all answers that wait for their readers. */
const maxUnreadBytes = 16 * 1024 * 1024;

interface Unread {
  readonly response: ServerResponse;
  readonly network: string;
  readonly bytes: number;
}

/**
 * Answers that the kernel does not accept yet, because their readers are slow or do not read. Over the limit, the oldest
 * answer of the address with the most bytes is cut.
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
