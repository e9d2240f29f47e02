/** Server frames as bytes (RFC 6455, 5.2): built once, written to as many sockets as there are. Never masked, never split. */
import type { ServerFrame } from '../protocol.js';

const FIN_TEXT = 0x81;
const FIN_PONG = 0x8a;

/** A ping without payload. */
export const PING: Buffer = Buffer.from([0x89, 0x00]);

/** A frame with its header, ready to be written. */
export function textFrame(frame: ServerFrame): Buffer {
  const json = JSON.stringify(frame);
  const size = Buffer.byteLength(json);
  const header = headerSize(size);
  const bytes = Buffer.allocUnsafe(header + size);
  bytes[0] = FIN_TEXT;
  writeSize(bytes, size);
  bytes.write(json, header, 'utf8');
  return bytes;
}

/** The answer to a ping; its payload is at most 125 bytes, as the parser has checked. */
export function pongFrame(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([FIN_PONG, payload.length]), payload]);
}

function headerSize(size: number): number {
  if (size < 126) return 2;
  return size < 65_536 ? 4 : 10;
}

function writeSize(bytes: Buffer, size: number): void {
  if (size < 126) {
    bytes[1] = size;
  } else if (size < 65_536) {
    bytes[1] = 126;
    bytes.writeUInt16BE(size, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(size), 2);
  }
}
