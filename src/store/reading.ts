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
  return {
    last: (room) => log.last(room),
    after: (room, id, limit) => log.after(room, id, limit),
    close: () => db.close(),
  };
}
