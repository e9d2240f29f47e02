// @ts-check
/** Client frames (RFC 6455, 5.2). Masked with zeros: valid, the server unmasks as ever, and costs us nothing. */

const MASKED = 0x80;
const MASK = 4;

/**
 * @param {number} first FIN and opcode
 * @param {string} payload ASCII, under 64 KB
 */
function clientFrame(first, payload) {
  const size = payload.length;
  const header = size < 126 ? 2 : 4;
  const bytes = Buffer.alloc(header + MASK + size);
  bytes[0] = first;
  bytes[1] = MASKED | Math.min(size, 126);
  if (header === 4) {
    bytes[1] = MASKED | 126;
    bytes.writeUInt16BE(size, 2);
  }
  bytes.write(payload, header + MASK, 'latin1');
  return bytes;
}

/** @param {string} payload */
export const textFrame = (payload) => clientFrame(0x81, payload);
export const PONG = clientFrame(0x8a, '');

/**
 * The request of an upgrade.
 * @param {string} host @param {string} path @param {string} protocol @param {string} cookie
 */
export function upgradeRequest(host, path, protocol, cookie) {
  const offer = protocol === '' ? '' : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${offer}Cookie: ${cookie}\r\n\r\n`;
}
