/** SIGTERM with 5,000 sockets. */
import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { Door, temporaryFolder } from './harness.js';
import { startServer } from './process.js';

const socketCount = 5000;
const connectedAtOnce = 250;

/** A client on a TCP socket that parses no frames, so that thousands fit into a test. */
class RawClient {
  readonly opened: Promise<void>;
  readonly ended: Promise<number | undefined>;
  readonly #socket: Socket;
  #tail = Buffer.alloc(0);

  constructor(port: number, cookie: string) {
    this.#socket = connect(port, '127.0.0.1', () => this.#socket.write(handshake(port, cookie)));
    this.#socket.on('error', () => {});
    this.opened = new Promise((resolve) => this.#socket.once('data', () => resolve()));
    this.#socket.on('data', (bytes) => {
      this.#tail = Buffer.from(Buffer.concat([this.#tail, bytes]).subarray(-64));
    });
    this.ended = new Promise((resolve) => this.#socket.on('close', () => resolve(this.#closeCode())));
  }

  /** The code of the close frame; the client does not answer it, as many clients do. */
  #closeCode(): number | undefined {
    const at = this.#tail.lastIndexOf(0x88);
    return at >= 0 && at + 4 <= this.#tail.length ? this.#tail.readUInt16BE(at + 2) : undefined;
  }
}

function handshake(port: number, cookie: string): string {
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  return `GET /ws/lobby HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nCookie: ${cookie}\r\n\r\n`;
}

it('closes 5,000 sockets with 1012 on SIGTERM, and exits with 0 soon', { timeout: 120_000 }, async () => {
  const PING_SECONDS = '3600'; // these clients answer no ping, and a slow machine opens them for longer than two take
  const server = await startServer({ env: { DATA_DIR: temporaryFolder(), PING_SECONDS } });
  const { cookie } = await new Door(server.port).signIn('Ann');
  const clients: RawClient[] = [];
  while (clients.length < socketCount) {
    const some = Array.from({ length: connectedAtOnce }, () => new RawClient(server.port, cookie));
    clients.push(...some);
    await Promise.all(some.map(({ opened }) => opened));
  }
  const start = Date.now();
  server.child.kill('SIGTERM');
  const codes = await Promise.all(clients.map(({ ended }) => ended));
  expect(await server.exited).toBe(0);
  expect(Date.now() - start).toBeLessThan(30_000); // three to four seconds at rest
  expect(codes.filter((code) => code === 1012)).toHaveLength(socketCount);
});
