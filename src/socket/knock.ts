/**
 * A request at the upgrade door: whether it is a handshake, what it asks for, and how it is refused before the upgrade.
 * Nothing here may throw, whatever a peer sends.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { parseRoomSegment } from '../parse.js';
import { COMMANDS, LIMITS, PLAIN } from '../protocol.js';
import type { Place } from './hub.js';

/** What an upgrade path asks for; `room` undefined: its name is none (4000). */
export interface Target {
  readonly room: string | undefined;
  readonly place: Place;
}

export type Refusal = readonly [status: number, reason: string, headers?: string];

/** What makes a request no WebSocket handshake of RFC 6455, 4.2.1. */
export function refusalOf({ method, headers }: IncomingMessage): Refusal | undefined {
  if (headers.upgrade?.toLowerCase() !== 'websocket') return [400, 'Bad Request'];
  if (method !== 'GET') return [405, 'Method Not Allowed', 'Allow: GET\r\n'];
  if (headers['sec-websocket-version'] !== '13')
    return [426, 'Upgrade Required', 'Sec-WebSocket-Version: 13\r\n'];
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) return [400, 'Bad Request'];
  return undefined;
}

/** Without `new URL`: it throws on paths that a peer may well send. */
export function parseTarget(url: string): Target | 'malformed' | 'elsewhere' {
  if (!url.startsWith('/') || url.startsWith('//') || url.includes('\\')) return 'malformed';
  const [path = '', query = ''] = split(url, '?');
  if (!path.startsWith('/ws/')) return 'elsewhere';
  const asked = new URLSearchParams(query);
  const place = {
    after: numberIn(asked.get('after')),
    epoch: asked.get('epoch') ?? undefined,
    history: Math.min(numberIn(asked.get('history')) ?? LIMITS.defaultPage, LIMITS.page),
  };
  return { room: parseRoomSegment(path.slice('/ws/'.length)), place };
}

/** Of any size: beyond what can be counted it was given all the same, and is beyond the last. What is no number was not. */
function numberIn(raw: string | null): number | undefined {
  return raw !== null && /^\d+$/.test(raw) ? Math.min(Number(raw), Number.MAX_SAFE_INTEGER) : undefined;
}

function split(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Answered as HTTP, and closed. */
export function refuse(socket: Duplex, [status, reason, headers = '']: Refusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  );
}

/** Ours of those that are offered, as a constant: what the request said would be kept with the socket. */
export function protocolOf(offered: ReadonlySet<string>): string | undefined {
  for (const name of offered) {
    if (name === COMMANDS) return COMMANDS;
    if (name === PLAIN) return PLAIN;
  }
  return undefined;
}
