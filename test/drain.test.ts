/** SIGTERM with 5,000 sockets: everyone is told to come back, and the process is gone within ten seconds. */
import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { Door, temporaryFolder } from './harness.js';
import { startServer } from './process.js';

const PEOPLE = 5000;
const AT_ONCE = 250;

/** A socket that reads bytes and nothing more, so that thousands fit into a test. */
class Bare {
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

  /** Ends without answering the close, as many clients do. */
  #closeCode(): number | undefined {
    const at = this.#tail.lastIndexOf(0x88);
    return at >= 0 && at + 4 <= this.#tail.length ? this.#tail.readUInt16BE(at + 2) : undefined;
  }
}

function handshake(port: number, cookie: string): string {
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  return `GET /ws/lobby HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nCookie: ${cookie}\r\n\r\n`;
}

it('tells 5,000 sockets 1012 and ends with 0 within ten seconds', { timeout: 60_000 }, async () => {
  const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
  const { cookie } = await new Door(server.port).signIn('Ann');
  const people: Bare[] = [];
  while (people.length < PEOPLE) {
    const some = Array.from({ length: AT_ONCE }, () => new Bare(server.port, cookie));
    people.push(...some);
    await Promise.all(some.map(({ opened }) => opened));
  }
  const from = Date.now();
  server.child.kill('SIGTERM');
  const codes = await Promise.all(people.map(({ ended }) => ended));
  expect(await server.exited).toBe(0);
  expect(Date.now() - from).toBeLessThan(10_000);
  expect(codes.filter((code) => code === 1012)).toHaveLength(PEOPLE);
});
