/**
 * Resume: everything after a number, then the live room. Page by page, the next only when the last has drained, so a
 * reader a million messages behind costs no memory. The page that reaches the room's last number and joining the room
 * are one synchronous step: that is why there is no hole and no repeat.
 */
import { CLOSE } from '../protocol.js';
import type { Connection } from './connection.js';
import type { Page } from './room.js';

/** @param greeting frames that go first, `ending` those that go last: with the first and the last page. */
export function replay(connection: Connection, from: number, greeting: Buffer, ending: () => Buffer): void {
  const step = (after: number, first: readonly Buffer[]): void => {
    if (!connection.open) return;
    const page = read(connection, after);
    if (!page) return;
    const { frames, to } = page;
    const ends = to === connection.room.last;
    const drained = connection.writePage(joined([...first, ...frames]));
    if (ends) {
      connection.writePage(ending()); // not joined to the others: thousands are given the same bytes
      connection.room.join(connection);
    } else if (drained) setImmediate(step, to, []);
    else connection.onceDrained(() => step(to, []));
  };
  step(from, [greeting]);
}

function joined(frames: readonly Buffer[]): Buffer {
  const [only] = frames;
  return frames.length === 1 && only ? only : Buffer.concat(frames);
}

/** A page, or the end of the connection when the log cannot be read: the client comes back and asks again. */
function read(connection: Connection, after: number): Page | undefined {
  try {
    return connection.room.since(after);
  } catch {
    connection.close(CLOSE.serverError);
    return undefined;
  }
}
