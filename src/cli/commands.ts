/** `oneport backup FILE`: a consistent copy of the database, also while the server runs. */
import { once } from 'node:events';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { readConfig } from '../config.js';
import { parseRoom } from '../shared/parse.js';
import { createBackup, ExistsError, restore as putBack } from '../store/backup.js';
import { formatHead, type NamedHead, parseHeads } from '../store/chain.js';
import { newEpoch as createEpoch, databaseFile, OpenError } from '../store/database.js';
import { checkExport, type ExportedEvent, openExport } from '../store/export.js';
import { readHistory } from '../store/store.js';
import { verify as check } from '../store/verify.js';
import {
  type Command,
  CommandError,
  EXIT,
  percent,
  progressReporter,
  singleArgument,
  stepReporter,
  type Terminal,
} from './command.js';

export const backup: Command = {
  name: 'backup',
  args: 'FILE',
  does: 'copy the database of DATA_DIR to FILE, also while the server runs',
  help: `FILE must not exist. It becomes the database as it was when the command started, and it is on the disk when
the command ends with 0. It holds the signing keys: whoever reads it can be anyone. Check it with "verify FILE". Prints
the last number and hash of each room: note them elsewhere, and "verify --heads" compares them with any later database.`,
  async run(args, { out, progress, env, now }) {
    const file = resolve(singleArgument(args, backup));
    const report = progressReporter(progress, now);
    const { bytes, epoch, heads } = await createBackup(
      databaseFile(readConfig(env).dataDir),
      file,
      (done, total) => report(() => percent(done, total, 'pages copied')),
    ).catch((error) => explain(error, file));
    out.write(`${file}: ${bytes.toLocaleString('en')} bytes, epoch ${epoch}\n${headLines(heads)}`);
    return EXIT.ok;
  },
};

function headLines(heads: readonly NamedHead[]): string {
  return heads.map((head) => `${formatHead(head)}\n`).join('');
}

function explain(error: unknown, file: string): never {
  if (error instanceof ExistsError) throw new CommandError(EXIT.cannotCreate, error.message);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (/^(ENOENT|ENOTDIR|EACCES|EPERM|EROFS)$/.test(code))
    throw new CommandError(
      EXIT.cannotCreate,
      `${file} cannot be written (${code}). Choose a folder that exists and where you may write.`,
    );
  throw error;
}

/** `oneport restore FILE`: puts a checked backup in the place of the database, which is kept under another name. */

export const restore: Command = {
  name: 'restore',
  args: 'FILE',
  does: 'put a backup in the place of the database of DATA_DIR; stop the server first',
  help: `While a server runs on DATA_DIR nothing is done (exit 75). FILE is checked as "verify" does; a faulty one is
refused. It gets a new epoch, so that clients who saw more than it holds load their rooms again. The previous database is
kept beside it as oneport.db.before-restore-TIME; delete it when you no longer want it.

With REDIS_URL, the epoch stays: FILE is the backup of another node, and this node goes on from there.`,
  async run(args, { out, progress, env, now }) {
    const file = resolve(singleArgument(args, restore));
    const suffix = `before-restore-${new Date(now()).toISOString().replace(/[:.]/g, '-')}`;
    const { dataDir, redis } = readConfig(env);
    const isNode = redis !== undefined;
    const { rooms, events, epoch, previous } = putBack(
      file,
      dataDir,
      suffix,
      stepReporter(progress, now, 'events'),
      isNode,
    );
    if (previous !== undefined) out.write(`the previous database is kept as ${previous}\n`);
    out.write(
      `restored: ${events} events in ${rooms} rooms, ${isNode ? 'epoch of the stream' : 'new epoch'} ${epoch}\n`,
    );
    return EXIT.ok;
  },
};

/** `oneport new-epoch`: continues this node's data when Redis has lost entries. */

export const newEpoch: Command = {
  name: 'new-epoch',
  args: '',
  does: 'make the data of DATA_DIR the beginning of a new stream in REDIS_URL',
  help: `For the case that Redis lost entries which a node has applied: it was flushed, restored from an old copy, or failed over
to a replica that lagged. Then all nodes refuse commands. Choose the node with the most messages ("verify" prints the last
numbers) and run this there, beside the running server or without. Nodes that have the same data continue at once. Restore a
backup of this node on the others. Clients load their rooms again.`,
  async run(args, { out, env }) {
    if (args.length > 0) throw new CommandError(EXIT.usage, 'usage: oneport new-epoch');
    const { redis, dataDir } = readConfig(env);
    if (!redis) throw new CommandError(EXIT.config, 'REDIS_URL is not set, so there is no stream.');
    const { epoch: oldEpoch, sessionKey, instance, digest } = readHistory(databaseFile(dataDir));
    const { openRedis } = await import('../sequencer/redis.js');
    const link = await openRedis(redis.url).catch((error: unknown) => {
      throw new CommandError(EXIT.ioError, `Redis is unavailable: ${String(error)}`);
    });
    try {
      const { epoch: current, halted } = await link.state();
      if (current === oldEpoch && halted === undefined)
        throw new CommandError(
          EXIT.fault,
          'the stream is sound: no node has found a loss. Nothing was changed.',
        );
      const epoch = createEpoch();
      await link.replace({ epoch, sessionKey, instance }, digest);
      out.write(`the stream begins anew with the data of ${dataDir}, epoch ${epoch}\n`);
    } finally {
      link.destroy();
    }
    return EXIT.ok;
  },
};

/** `oneport verify [FILE]`: is the promise kept in this database? Exit 1 and the first fault when it is not. */

export const verify: Command = {
  name: 'verify',
  args: '[FILE] [--heads NOTED] | --export EXPORT',
  does: 'check the database of DATA_DIR, a backup or an export: nothing missing, nothing changed',
  help: `Reads one snapshot, also while the server runs: every room counts 1, 2, 3 … to its last without a hole, every event is
as it was written, each message and each person is what their changes made of them, deleted text is gone. Prints the last
number and hash of each room, and of the people as "*". Names the first fault and ends with 1 when there is one. The
write-ahead log cannot shrink meanwhile: on a large database choose a quiet hour.

--heads NOTED    also compares with the lines of an earlier "verify" or "backup", or with a log: names a room that ends
                 before the noted number, or has another hash there
--export EXPORT  checks a file of "export" alone, without a database`,
  async run(args, terminal) {
    const { file, heads, exported } = verifyArguments(args);
    if (exported !== undefined) return verifyExport(exported, terminal);
    const { out, progress, env, now } = terminal;
    const named = file === undefined ? undefined : resolve(file);
    const database = named ?? databaseFile(readConfig(env).dataDir);
    if (named !== undefined && !existsSync(named)) throw new OpenError(`there is no file ${named}.`);
    const noted = heads === undefined ? [] : readNotedHeads(heads);
    const report = stepReporter(progress, now, 'events');
    const result = withAdviceFor(named, () => check(database, report, noted));
    const { finding, rooms, people, events } = result;
    if (finding !== undefined) throw new CommandError(EXIT.fault, `${database}: ${finding}`);
    out.write(`sound: ${events} events in ${rooms} rooms, ${people} people\n${headLines(result.heads)}`);
    return EXIT.ok;
  },
};

interface VerifyArguments {
  file?: string;
  heads?: string;
  exported?: string;
}

/** @throws CommandError */
function verifyArguments(args: readonly string[]): VerifyArguments {
  const found: VerifyArguments = {};
  const usage = new CommandError(EXIT.usage, `usage: oneport verify ${verify.args}`);
  const take = (key: keyof VerifyArguments, value: string | undefined): void => {
    if (value === undefined || found[key] !== undefined) throw usage;
    found[key] = value;
  };
  const rest = args.values();
  for (const arg of rest) {
    if (arg === '--heads') take('heads', rest.next().value);
    else if (arg === '--export') take('exported', rest.next().value);
    else if (arg === '--') take('file', rest.next().value);
    else take('file', arg.startsWith('-') ? undefined : arg);
  }
  if (found.exported !== undefined && Object.keys(found).length > 1) throw usage;
  return found;
}

async function verifyExport(path: string, { out }: Terminal): Promise<number> {
  const file = resolve(path);
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  const { finding, heads, events } = await checkExport(lines).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new CommandError(EXIT.noInput, `there is no file ${file}.`);
    throw error;
  });
  if (finding !== undefined) throw new CommandError(EXIT.fault, `${file}: ${finding}`);
  out.write(`sound: ${events} events in ${heads.length} rooms\n${headLines(heads)}`);
  return EXIT.ok;
}

function readNotedHeads(path: string): readonly NamedHead[] {
  const file = resolve(path);
  if (!existsSync(file)) throw new CommandError(EXIT.noInput, `there is no file ${file}.`);
  const heads = parseHeads(readFileSync(file, 'utf8'));
  if (heads.length === 0)
    throw new CommandError(EXIT.badData, `there are no heads in ${file}: lines "ROOM LAST HASH".`);
  return heads;
}

/** Leaves advice about DATA_DIR out of errors about a file that the operator named. */
function withAdviceFor<T>(named: string | undefined, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (named === undefined || !(error instanceof OpenError)) throw error;
    throw new OpenError(error.message.replace(/(?:, or|:) set DATA_DIR\.$/, '.'));
  }
}

/** `oneport export ROOM`: a room's events as JSON Lines, as they were said, ascending. */

/** Events read at once. */
const exportPageEvents = 500;

export const exportRoom: Command = {
  name: 'export',
  args: 'ROOM',
  does: 'print the events of a room as JSON Lines, also while the server runs',
  help: `One event a line, ascending by number, as it was said: up to the newest at the start of the command. With the hash of
each, so that "verify --export" or a script can check the file alone. A deleted message has neither text nor salt.
Memory stays flat, however long the room. A reader that stops early ("| head") ends it without complaint.`,
  async run(args, { out, progress, env, now }) {
    const raw = singleArgument(args, exportRoom);
    const rooms = openExport(databaseFile(readConfig(env).dataDir));
    const room = parseRoom(raw, (name) => rooms.last(name) > 0);
    const last = room === undefined ? 0 : rooms.last(room);
    if (room === undefined || last === 0) {
      rooms.close();
      if (room === undefined)
        throw new CommandError(EXIT.fault, `${JSON.stringify(raw)} cannot be the name of a room.`);
      throw new CommandError(EXIT.fault, `nothing was ever said in a room ${JSON.stringify(raw)}.`);
    }
    const report = progressReporter(progress, now);
    await writeAll(
      pagesOf((after) => rooms.after(room, after, exportPageEvents), last),
      out,
      (id) => report(() => percent(id, last, 'events')),
    );
    rooms.close();
    return EXIT.ok;
  },
};

function* pagesOf(
  read: (after: number) => readonly ExportedEvent[],
  last: number,
): Generator<readonly ExportedEvent[]> {
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
  pages: Iterable<readonly ExportedEvent[]>,
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
