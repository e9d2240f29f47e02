/**
 * One timer for all sockets: ten times a second a 150th of them is asked for a sign of life (a fifteenth at once would be
 * 1,200 writes of 18,000, and hold the loop for 10 ms); once a second sessions that are over are closed, and the slow
 * things of the hub are done. A peer whose cable was pulled is gone after 30 seconds at most.
 */
import { CLOSE } from '../protocol.js';
import type { Hub } from './hub.js';

/** Seconds between two pings of one socket; proxies must wait longer (nginx.conf). */
export const PING_SECONDS = 15;

/** Steps of the wheel in a second, and in all. */
const STEPS = 10;
export const WHEEL = PING_SECONDS * STEPS;

/** Bytes that may wait for all readers together. Each has its own limit; thousands of slow ones have this one. */
const WAITING_MAX = 512 * 1024 * 1024;

/** Starts it; the returned function stops it. `now` in milliseconds since 1970. */
export function startHeartbeat(hub: Hub, now: () => number): () => void {
  let step = 0;
  const timer = setInterval(() => {
    ask(hub, step++ % WHEEL);
    if (step % STEPS === 0) look(hub, now());
  }, 1000 / STEPS);
  timer.unref();
  return () => clearInterval(timer);
}

/** The sockets of one step are asked whether they live. */
export function ask(hub: Hub, step: number): void {
  for (const connection of hub.connections.values()) if (connection.slot % WHEEL === step) connection.ping();
}

/** What is done once a second. */
export function look(hub: Hub, now: number): void {
  let waiting = 0;
  for (const connection of hub.connections.values()) {
    waiting += connection.waiting;
    if (connection.ends <= now) connection.close(CLOSE.notSignedIn);
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
