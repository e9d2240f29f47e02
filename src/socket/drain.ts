/** The last minute of a server: what was committed is echoed, then everyone is told to come back, some at a time. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { CLOSE } from '../protocol.js';
import type { Hub } from './hub.js';

/** Sockets closed at once, so that they do not come back all in the same moment. */
const BATCH = 500;
/** Milliseconds for all of them to answer; who does not is cut. */
const PATIENCE = 3000;

export async function drain(hub: Hub): Promise<void> {
  while (hub.outlet.busy) await setImmediate();
  let closing = 0;
  for (const connection of hub.connections.values()) {
    connection.close(CLOSE.restart);
    if (++closing % BATCH === 0) await setTimeout(20);
  }
  for (const until = Date.now() + PATIENCE; hub.connections.size > 0 && Date.now() < until; )
    await setTimeout(20);
}
