// @ts-check
/**
 * Oneport with one bug planted in it, named by the first argument, so that a test can see `prove` find it. It stands on
 * what is built, and takes the same settings as the real one.
 */
import pino from 'pino';
import { readConfig } from '../../dist/config.js';
import { createServer } from '../../dist/server.js';
import { Numbers } from '../../dist/store/numbers.js';

/** @typedef {import('../../src/server.js').Surroundings} Surroundings */
/** @typedef {import('../../src/chat/book.js').Book} Book */
/** @typedef {import('../../src/chat/command.js').Outcome} Outcome */
/** @typedef {import('../../src/sequencer/sequencer.js').Beat} Beat */
/** @typedef {import('../../src/sequencer/sequencer.js').Sequencer} Sequencer */

/** Milliseconds between what is too early and the commit: wide enough for a kill to fall into. */
const WINDOW = 60;
const config = readConfig(process.env);

/**
 * An order that foresees what will come of a beat (by a transaction that is rolled back), tells of it, and applies the
 * beat only after the window.
 * @param {{ before: 'reply' | 'deliver' }} bug what does not wait for the commit
 * @returns {Partial<Surroundings>}
 */
function hasty({ before }) {
  const undone = new Error('foreseen, not done');
  let foreseeing = false;
  /** @type {(book: Book) => Book} */
  const wrapBook = (book) => ({
    people: book.people,
    log: book.log,
    members: book.members,
    transaction: (work) => (foreseeing ? foresee(book, work, undone) : book.transaction(work)),
  });
  return {
    wrapBook,
    sequence: (beat) =>
      new HastySequencer(beat, before, (commands) => {
        foreseeing = true;
        const outcomes = beat.apply(commands);
        foreseeing = false;
        return outcomes;
      }),
  };
}

/** @template T @param {Book} book @param {() => T} work @param {Error} undone @returns {T} */
function foresee(book, work, undone) {
  /** @type {T[]} */
  const results = [];
  try {
    book.transaction(() => {
      results.push(work());
      throw undone;
    });
  } catch (error) {
    if (error !== undone) throw error;
  }
  const [result] = results;
  if (result === undefined) throw new Error('nothing was foreseen');
  return result;
}

/** @typedef {{ command: import('../../src/chat/command.js').Command, reply: import('../../src/sequencer/sequencer.js').Reply | undefined }} Asked */

/** @implements {Sequencer} */
class HastySequencer {
  #beat;
  #before;
  #foresee;
  /** @type {Asked[]} */
  #asked = [];
  #busy = false;

  /** @param {Beat} beat @param {'reply' | 'deliver'} before @param {Beat['apply']} foresee */
  constructor(beat, before, foresee) {
    this.#beat = beat;
    this.#before = before;
    this.#foresee = foresee;
  }

  /** @type {Sequencer['submit']} */
  submit(command, reply) {
    this.#asked.push({ command, reply });
    if (!this.#busy) this.#run();
  }

  async close() {
    while (this.#busy) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  #run() {
    this.#busy = true;
    const asked = this.#asked.splice(0);
    const commands = asked.map(({ command }) => command);
    const foreseen = this.#foresee(commands);
    if (this.#before === 'deliver') this.#beat.deliver(foreseen);
    // a sender takes the number for its acknowledgment, though the echo is still to come
    else replyAll(asked, foreseen.map(acknowledged));
    setTimeout(() => {
      const outcomes = this.#beat.apply(commands);
      if (this.#before === 'reply') this.#beat.deliver(outcomes);
      else replyAll(asked, outcomes);
      this.#busy = false;
      if (this.#asked.length > 0) this.#run();
    }, WINDOW);
  }
}

/** @param {readonly Asked[]} asked @param {readonly Outcome[]} outcomes */
function replyAll(asked, outcomes) {
  outcomes.forEach((outcome, n) => {
    asked[n]?.reply?.(outcome);
  });
}

/** @param {Outcome} outcome @returns {Outcome} */
function acknowledged(outcome) {
  return outcome.kind === 'said' ? { ...outcome, kind: 'repeated' } : outcome;
}

/** @type {Readonly<Record<string, () => Partial<Surroundings>>>} */
const BUGS = {
  none: () => ({}),

  // The sender has its acknowledgment, the others see nothing yet, and the commit is still to come.
  'echo-before-commit': () => hasty({ before: 'reply' }),

  // Everyone in the room is shown the message, and the commit is still to come.
  'deliver-before-commit': () => hasty({ before: 'deliver' }),

  // A cid that was seen before is as good as new. The index that would object is got round.
  'dedupe-dropped': () => ({
    wrapBook: (book) => ({
      people: book.people,
      members: book.members,
      transaction: (work) => book.transaction(work),
      log: {
        kept: () => undefined,
        message: (room, id) => book.log.message(room, id),
        reacted: (message, person, emoji) => book.log.reacted(message, person, emoji),
        change: (message, person, made) => book.log.change(message, person, made),
        append: (room, person, { cid, ...said }) => {
          const known = cid === undefined || book.log.kept(person, cid) !== undefined;
          return book.log.append(room, person, known ? said : { ...said, cid });
        },
      },
    }),
  }),

  // Every 25th number of a room is given to nobody.
  'number-skipped': () => {
    const { next } = Numbers.prototype;
    Numbers.prototype.next = function skipping(room, at) {
      const numbered = next.call(this, room, at);
      return numbered.last % 25 === 0 ? next.call(this, room, at) : numbered;
    };
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
