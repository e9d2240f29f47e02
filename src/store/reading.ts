/** The log for a reader in another process: each page sees what is committed by then; events never change. */
import type { RoomEvent } from '../protocol.js';
import { Log } from './log.js';
import { openForReading } from './open.js';

export interface Rooms {
  last(room: string): number;
  after(room: string, id: number, limit: number): readonly RoomEvent[];
  close(): void;
}

/** @throws OpenError */
export function openRooms(file: string): Rooms {
  const db = openForReading(file);
  const log = new Log(db);
  const after = db.transaction((room: string, id: number, limit: number) => {
    log.places.read(); // the server brings its tables further meanwhile: all of one moment
    return log.after(room, id, limit);
  });
  return {
    last: (room) => log.last(room),
    after,
    close: () => db.close(),
  };
}
