/**
 * One timer for all sockets: each second a fifteenth of them is asked for a sign of life, sessions that are over are
 * closed, and the slow things of the hub are done. A peer whose cable was pulled is gone after 30 seconds at most.
 */
import { CLOSE } from '../protocol.js';
import type { Hub } from './hub.js';

/** Seconds between two pings of one socket; proxies must wait longer (nginx.conf). */
export const PING_SECONDS = 15;

/** Bytes that may wait for all readers together. Each has its own limit; thousands of slow ones have this one. */
const WAITING_MAX = 512 * 1024 * 1024;

/** Starts it; the returned function stops it. `now` in milliseconds since 1970. */
export function startHeartbeat(hub: Hub, now: () => number): () => void {
  let second = 0;
  const timer = setInterval(() => {
    beat(hub, second++ % PING_SECONDS, now());
  }, 1000);
  timer.unref();
  return () => clearInterval(timer);
}

export function beat(hub: Hub, slot: number, now: number): void {
  let waiting = 0;
  for (const connection of hub.connections.values()) {
    waiting += connection.waiting;
    if (connection.ends <= now) connection.close(CLOSE.notSignedIn);
    else if (connection.slot % PING_SECONDS === slot) connection.ping();
  }
  if (waiting > WAITING_MAX) cutSlowest(hub);
  hub.announceCounts();
  hub.forgetIdle();
}

/** Those for whom more than the average waits: they come back and resume at their number. */
function cutSlowest(hub: Hub): void {
  const connections = [...hub.connections.values()];
  const average = connections.reduce((sum, { waiting }) => sum + waiting, 0) / connections.length;
  for (const connection of connections) if (connection.waiting >= average) connection.cut();
}
