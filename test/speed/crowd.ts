/** A crowd in a room, each on their own socket, who together say so many messages a second. */
import type { WebSocket } from 'ws';
import type { Door } from '../harness.js';

const PEOPLE = 4;

/** What people say: mostly plain, some with marks. */
function text(n: number): string {
  if (n % 4 === 0) return `flood **${n}** with \`code\` and https://example.org/${n}`;
  return `message ${n}: the quick brown fox jumps over the lazy dog`;
}

/** Begins; what is returned ends it and tells how many were said. */
export async function flood(door: Door, room: string, rate: number): Promise<() => number> {
  const sockets = await Promise.all(
    Array.from({ length: PEOPLE }, (_, n) => enter(door, room, `Flood ${n}`)),
  );
  const from = performance.now();
  let said = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - from) / 1_000) * rate;
    for (; said < due; said++)
      sockets[said % PEOPLE]?.send(JSON.stringify({ type: 'chat', data: text(said + 1) }));
  }, 10);
  return () => {
    clearInterval(timer);
    return said;
  };
}

async function enter(door: Door, room: string, name: string): Promise<WebSocket> {
  const socket = await (await door.signIn(name)).enters(room);
  socket.ws.removeAllListeners('message'); // what they hear costs this process as little as can be
  return socket.ws;
}
