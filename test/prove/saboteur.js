// @ts-check
/**
 * Oneport with one bug planted in it, named by the first argument, so that a test can see `prove` find it. It stands on
 * what is built, and takes the same settings as the real one.
 */
import pino from 'pino';
import { readConfig } from '../../dist/config.js';
import { LocalSequencer } from '../../dist/sequencer/local.js';
import { createServer } from '../../dist/server.js';
import { Recent } from '../../dist/socket/recent.js';
import { Numbers } from '../../dist/store/numbers.js';
import { Reactions } from '../../dist/store/reactions.js';
import { WriteAheadLog } from '../../dist/store/wal.js';

/** @typedef {import('../../src/server.js').Surroundings} Surroundings */
/** @typedef {import('../../src/chat/book.js').Book} Book */
/** @typedef {import('../../src/chat/command.js').Outcome} Outcome */
/** @typedef {import('../../src/chat/book.js').EventBook} EventBook */
/** @typedef {import('../../src/protocol.js').RoomEvent} RoomEvent */
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

/**
 * The real book, but for what is named of its log.
 * @param {(log: EventBook) => Partial<EventBook>} wrong
 * @returns {Partial<Surroundings>}
 */
function withLog(wrong) {
  return {
    wrapBook: (book) => ({
      people: book.people,
      members: book.members,
      transaction: (work) => book.transaction(work),
      log: {
        kept: (person, cid) => book.log.kept(person, cid),
        message: (room, id) => book.log.message(room, id),
        reacted: (message, person, emoji) => book.log.reacted(message, person, emoji),
        change: (message, person, made) => book.log.change(message, person, made),
        append: (room, person, said) => book.log.append(room, person, said),
        ...wrong(book.log),
      },
    }),
  };
}

/**
 * The real order, in which those in the room are shown something else than what was kept.
 * @param {(event: RoomEvent) => RoomEvent} shown
 * @returns {Partial<Surroundings>}
 */
function delivering(shown) {
  return {
    sequence: (beat) =>
      new LocalSequencer({
        apply: beat.apply,
        deliver: (outcomes) =>
          beat.deliver(
            outcomes.map((outcome) =>
              outcome.kind === 'said' ? { ...outcome, event: shown(outcome.event) } : outcome,
            ),
          ),
      }),
  };
}

/**
 * The real order, but some changes are taken out of it and answered with a number that is the newest.
 * @returns {Partial<Surroundings>}
 */
function losing() {
  let [newest, count] = [0, 0];
  return {
    sequence: (beat) => {
      const real = new LocalSequencer({
        apply: beat.apply,
        deliver: (outcomes) => {
          for (const outcome of outcomes) if (outcome.kind === 'said') newest = outcome.event.id;
          beat.deliver(outcomes);
        },
      });
      return {
        close: () => real.close(),
        submit: (command, reply) => {
          if (command.kind !== 'change' || ++count % 10 !== 0) real.submit(command, reply);
          else reply?.(acknowledgmentOf(command, newest));
        },
      };
    },
  };
}

/** @param {import('../../src/chat/command.js').Change} command @param {number} id @returns {Outcome} */
function acknowledgmentOf({ room, user, target, data, at, cid = '' }, id) {
  return { kind: 'repeated', room, event: { id, type: 'react', user, target, data, at, cid } };
}

/** @type {Readonly<Record<string, () => Partial<Surroundings>>>} */
const BUGS = {
  none: () => ({}),

  // The sender has its acknowledgment, the others see nothing yet, and the commit is still to come.
  'echo-before-commit': () => hasty({ before: 'reply' }),

  // Everyone in the room is shown the message, and the commit is still to come.
  'deliver-before-commit': () => hasty({ before: 'deliver' }),

  // A cid that was seen before is as good as new. The index that would object is got round.
  'dedupe-dropped': () =>
    withLog((log) => ({
      kept: () => undefined,
      append: (room, person, { cid, ...said }) => {
        const known = cid === undefined || log.kept(person, cid) !== undefined;
        return log.append(room, person, known ? said : { ...said, cid });
      },
      change: (message, person, { cid, ...made }) => {
        const known = cid === undefined || log.kept(person, cid) !== undefined;
        return log.change(message, person, known ? made : { ...made, cid });
      },
    })),

  // The same, for edits only: applied once more, an edit brings its old text back over a newer one.
  'edit-twice': () =>
    withLog((log) => ({
      kept: (person, cid) => {
        const kept = log.kept(person, cid);
        return kept?.event.type === 'edit' ? undefined : kept;
      },
      change: (message, person, { cid, ...made }) => {
        const known = cid === undefined || log.kept(person, cid) !== undefined;
        return log.change(message, person, known ? made : { ...made, cid });
      },
    })),

  // The sender has its acknowledgment, and nothing is done.
  'change-lost': losing,

  // Whoever asks is taken for the author.
  'everyone-may-edit': () => {
    let asking = '';
    return withLog((log) => ({
      kept: (person, cid) => {
        asking = person.id;
        return log.kept(person, cid);
      },
      message: (room, id) => {
        const message = log.message(room, id);
        return message && { ...message, author: asking };
      },
    }));
  },

  // Every 20th message that somebody wants to change is taken for a deleted one.
  'refused-wrongly': () => {
    let count = 0;
    return withLog((log) => ({
      message: (room, id) => {
        const message = log.message(room, id);
        return message && { ...message, deleted: message.deleted || ++count % 20 === 0 };
      },
    }));
  },

  // Kept with its text, but those in the room are told of an edit without it; who reads the log later sees it.
  'edit-shown-blank': () => delivering((event) => (event.type === 'edit' ? { ...event, data: '' } : event)),

  // A reaction that was taken back has its number and is told of, and still stands on the message.
  'unreact-forgotten': () => {
    Reactions.prototype.remove = () => {};
    return {};
  },

  // A deletion does not find the edits of its message: they keep their texts.
  'deleted-in-edits': () =>
    withLog((log) => ({
      change: (message, person, made) =>
        log.change(made.type === 'delete' ? { ...message, edited: undefined } : message, person, made),
    })),

  // What is replayed from memory has the texts that were deleted since.
  'deleted-replayed': () => {
    Recent.prototype.forget = () => {};
    return {};
  },

  // The write-ahead log is not emptied.
  'deleted-in-files': () => {
    WriteAheadLog.prototype.tick = () => {};
    return {};
  },

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
