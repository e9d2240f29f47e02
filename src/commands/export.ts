/** `oneport export ROOM`: a room's events as JSON Lines, as they were on the wire, ascending. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { readConfig } from '../config.js';
import { parseRoom } from '../parse.js';
import type { RoomEvent } from '../protocol.js';
import { databaseFile } from '../store/open.js';
import { openRooms } from '../store/reading.js';
import { type Command, CommandError, EXIT, onlyArgument } from './command.js';
import { progressOn, share } from './progress.js';

/** Events read at once. */
const PAGE = 500;

export const exportRoom: Command = {
  name: 'export',
  args: 'ROOM',
  does: 'print the events of a room as JSON Lines, also while the server runs',
  help: `One event a line, ascending by number, as the server sends them: up to the newest at the start of the command.
Memory stays flat, however long the room. A reader that stops early ("| head") ends it without complaint.`,
  async run(args, { out, err, env, now }) {
    const raw = onlyArgument(args, exportRoom);
    const rooms = openRooms(databaseFile(readConfig(env).dataDir));
    const room = parseRoom(raw) ?? '';
    const last = rooms.last(room);
    if (last === 0) {
      rooms.close();
      throw new CommandError(EXIT.fault, `nothing was ever said in a room ${JSON.stringify(raw)}.`);
    }
    const progress = progressOn(err, now);
    await writeAll(
      pagesOf((after) => rooms.after(room, after, PAGE), last),
      out,
      (id) => progress(() => share(id, last, 'events')),
    );
    rooms.close();
    return EXIT.ok;
  },
};

function* pagesOf(
  read: (after: number) => readonly RoomEvent[],
  last: number,
): Generator<readonly RoomEvent[]> {
  for (let after = 0; after < last; ) {
    const page = read(after).filter(({ id }) => id <= last);
    const newest = page.at(-1);
    if (!newest) return;
    yield page;
    after = newest.id;
  }
}

/** As fast as the reader reads; ends when it has gone. @throws what writing throws, but EPIPE */
async function writeAll(
  pages: Iterable<readonly RoomEvent[]>,
  out: Writable,
  report: (id: number) => void,
): Promise<void> {
  let failure: NodeJS.ErrnoException | undefined;
  out.on('error', (error) => {
    failure = error;
  });
  for (const page of pages) {
    const taken = out.write(page.map((event) => `${JSON.stringify(event)}\n`).join(''));
    if (!taken)
      await once(out, 'drain').catch(() => {}); // or 'error', which is noted above
    else await new Promise(setImmediate);
    if (failure || out.destroyed) break;
    report(page.at(-1)?.id ?? 0);
  }
  if (failure && failure.code !== 'EPIPE') throw failure;
}
