/**
 * Resume: everything after a number, then the live room. Page by page, the next only when the last has drained, so a
 * reader a million messages behind costs no memory. The page that reaches the room's last number and joining the room
 * are one synchronous step: that is why there is no hole and no repeat.
 */
import type { Connection } from './connection.js';

/** @param greeting frames that go first, in the same write; `live` is called right after the connection has joined. */
export function replay(connection: Connection, from: number, greeting: Buffer, live: () => void): void {
  const step = (after: number, first: readonly Buffer[]): void => {
    if (!connection.open) return;
    const { frames, to } = connection.room.since(after);
    const drained = connection.writePage([...first, ...frames]);
    if (to === connection.room.last) {
      connection.room.join(connection);
      live();
    } else if (drained) setImmediate(step, to, []);
    else connection.onceDrained(() => step(to, []));
  };
  step(from, [greeting]);
}
