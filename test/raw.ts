/** Bytes as a peer may send them, on raw TCP sockets. */
import { connect, type NetConnectOpts, type Socket as TcpSocket } from 'node:net';

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

export interface HandshakeOptions {
  readonly method?: string;
  readonly version?: string;
  readonly key?: string;
  readonly upgrade?: string;
}

/** An upgrade request. `extra`: further header lines, each with its line end. */
export function handshake(path: string, extra = '', options: HandshakeOptions = {}): string {
  const { method = 'GET', version = '13', key = KEY, upgrade = 'websocket' } = options;
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\nSec-WebSocket-Version: ${version}\r\nSec-WebSocket-Key: ${key}\r\n${extra}\r\n`;
}

/** Sends bytes (a string is latin1). Resolves with everything that came back until the server closed. */
export function exchange(
  port: number,
  bytes: string | Buffer,
  then?: (socket: TcpSocket) => void,
  options: Partial<NetConnectOpts> = {},
): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: '127.0.0.1', port, ...options }, () => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
      then?.(socket);
    });
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
}

/** The same, and cuts the connection when the answer so far contains a text, however it is divided. */
export function exchangeUntil(port: number, request: string, text: string): Promise<Buffer> {
  return exchange(port, request, (socket) => {
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      if (answer.includes(text)) socket.destroy();
    });
  });
}

export async function statusOf(port: number, request: string): Promise<number> {
  return Number((await exchange(port, request)).toString('latin1').split(' ')[1]);
}

/** Statuses of all responses that came back. */
export async function statusesOf(port: number, requests: string): Promise<number[]> {
  const text = (await exchange(port, requests)).toString('latin1');
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

/** A client frame, masked with zeros. `length`: what its header announces. */
export function frame(first: number, payload: Buffer | string, length?: bigint): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([frameHeader(first, length ?? BigInt(bytes.length)), Buffer.alloc(4), bytes]);
}

function frameHeader(first: number, length: bigint): Buffer {
  if (length < 126n) return Buffer.from([first, 0x80 | Number(length)]);
  const header = Buffer.alloc(length < 65_536n ? 4 : 10);
  header.set([first, header.length === 4 ? 0xfe : 0xff]);
  if (header.length === 4) header.writeUInt16BE(Number(length), 2);
  else header.writeBigUInt64BE(length, 2);
  return header;
}

export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** The frames after the head of a 101 response. Throws when the server sent anything else. */
export function serverFrames(answer: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = [];
  let at = answer.indexOf('\r\n\r\n') + 4;
  while (at < answer.length) {
    const [first = 0, second = 0] = answer.subarray(at, at + 2);
    if ((first & 0xf0) !== 0x80 || second >= 0x80) throw new Error(`a frame begins with ${first} ${second}`);
    const wide = second === 126 ? 2 : second === 127 ? 8 : 0;
    const length =
      wide === 0 ? second : wide === 2 ? answer.readUInt16BE(at + 2) : Number(answer.readBigUInt64BE(at + 2));
    const from = at + 2 + wide;
    if (from + length > answer.length) break; // the socket was cut in the middle of it
    frames.push({ opcode: first & 15, payload: answer.subarray(from, from + length) });
    at = from + length;
  }
  return frames;
}

/** The code of the close frame that ends an answer; undefined when there is none. */
export function closeCodeOf(answer: Buffer): number | undefined {
  const last = serverFrames(answer).at(-1);
  return last?.opcode === 8 && last.payload.length >= 2 ? last.payload.readUInt16BE(0) : undefined;
}
