// @ts-check
/**
 * Oneport with one bug planted in it, named by the first argument, so that a test can see `prove` find it. It stands on
 * what is built, and takes the same settings as the real one.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import pino from 'pino';
import { readConfig } from '../../dist/config.js';
import { LocalSequencer } from '../../dist/sequencer/local.js';
import { createServer } from '../../dist/server.js';
import { Store } from '../../dist/store/store.js';

/** @typedef {import('../../src/server.js').Surroundings} Surroundings */
/** @typedef {import('../../src/chat/book.js').Book} Book */
/** @typedef {import('../../src/chat/command.js').Outcome} Outcome */

/** Milliseconds between what is too early and the commit: wide enough for a kill to fall into. */
const WINDOW = 40;
const config = readConfig(process.env);

/** Holds up the whole process: what it has written before is with its readers. */
function wait() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WINDOW);
}

/**
 * A book that tells of the outcomes before it commits them.
 * @param {(outcomes: readonly Outcome[]) => void} tell
 * @returns {(book: Book) => Book}
 */
function telling(tell) {
  return (book) => ({
    people: book.people,
    log: book.log,
    transaction: (work) =>
      book.transaction(() => {
        const result = work();
        tell(/** @type {Outcome[]} */ (/** @type {unknown} */ (result))); // a beat's work makes outcomes
        wait();
        return result;
      }),
  });
}

/** @type {Readonly<Record<string, () => Partial<Surroundings>>>} */
const BUGS = {
  none: () => ({}),

  // The sender has its acknowledgment, the others see nothing yet, and the commit is still to come.
  'echo-before-commit': () => {
    const replies = new Map();
    /** @type {readonly unknown[]} */
    let beatNow = [];
    return {
      sequence: (beat) => {
        const inner = new LocalSequencer({
          apply: (commands) => {
            beatNow = commands;
            return beat.apply(commands);
          },
          deliver: beat.deliver,
        });
        return {
          submit: (command, reply) => {
            replies.set(command, reply);
            inner.submit(command, (outcome) => {
              if (replies.delete(command)) reply?.(outcome);
            });
          },
          close: () => inner.close(),
        };
      },
      wrapBook: telling((outcomes) => {
        outcomes.forEach((outcome, n) => {
          const reply = replies.get(beatNow[n]);
          replies.delete(beatNow[n]);
          reply?.(outcome.kind === 'said' ? { ...outcome, kind: 'repeated' } : outcome);
        });
      }),
    };
  },

  // Everyone in the room is shown the message, and the commit is still to come.
  'deliver-before-commit': () => {
    /** @type {(outcomes: readonly Outcome[]) => void} */
    let deliver = () => {};
    return {
      sequence: (beat) => {
        deliver = beat.deliver;
        return new LocalSequencer({ apply: beat.apply, deliver: () => {} });
      },
      wrapBook: telling((outcomes) => deliver(outcomes)),
    };
  },

  // A cid that was seen before is as good as new. The index that would object is got round.
  'dedupe-dropped': () => ({
    wrapBook: (book) => ({
      people: book.people,
      transaction: (work) => book.transaction(work),
      log: {
        kept: () => undefined,
        append: (room, person, { cid, ...said }) => {
          const known = cid === undefined || book.log.kept(person, cid) !== undefined;
          return book.log.append(room, person, known ? said : { ...said, cid });
        },
      },
    }),
  }),

  // After every 25th message the room's number goes up once more.
  'number-skipped': () => {
    new Store(config.dataDir).close();
    const db = new Database(join(config.dataDir, 'oneport.db'));
    db.exec(`CREATE TRIGGER IF NOT EXISTS skip AFTER INSERT ON events WHEN NEW.id % 25 = 0
      BEGIN UPDATE rooms SET last = last + 1 WHERE room = NEW.room; END`);
    db.close();
    return {};
  },

  'resume-off-by-one': () => ({}),
};

const bug = process.argv[2] ?? 'none';
const plant = BUGS[bug];
if (!plant) throw new Error(`there is no bug ${bug}`);
const server = createServer(config, { logger: pino({ level: 'silent' }), ...plant() });
if (bug === 'resume-off-by-one') {
  server.http.prependListener('upgrade', (request) => {
    request.url = request.url?.replace(/after=([1-9]\d*)/, (_, after) => `after=${Number(after) + 1}`);
  });
}
process.on('SIGTERM', () => server.close().then(() => process.exit(0)));
server.http.listen(config.port, config.host, () => process.stdout.write('open\n'));
