// @ts-check
/**
 * The server with one fault planted in it: a mutant. The first argument names it. Tests run `prove` against each mutant and
 * expect a violation. It runs what was built and reads the same environment variables as the real server.
 */
import pino from 'pino';
import { readConfig } from '../../dist/config.js';
import { Presence } from '../../dist/realtime/presence.js';
import { FrameCache } from '../../dist/realtime/room.js';
import { LocalSequencer } from '../../dist/sequencer/local.js';
import { createServer } from '../../dist/server.js';
import { ReactionStore } from '../../dist/store/changes.js';
import { RoomCounters } from '../../dist/store/events.js';
import { WalCheckpointer } from '../../dist/store/store.js';

/** @typedef {import('../../src/server.js').Dependencies} Dependencies */
/** @typedef {import('../../src/chat/types.js').Storage} Storage */
/** @typedef {import('../../src/chat/types.js').Command} Command */
/** @typedef {import('../../src/chat/types.js').ChangeCommand} ChangeCommand */
/** @typedef {import('../../src/chat/types.js').Result} Result */
/** @typedef {import('../../src/chat/types.js').EventStorage} EventStorage */
/** @typedef {import('../../src/chat/types.js').PeopleStorage} PeopleStorage */
/** @typedef {import('../../src/chat/types.js').Person} Person */
/** @typedef {import('../../src/chat/types.js').StoredCommand} StoredCommand */
/** @typedef {import('../../src/shared/protocol.js').RoomEvent} RoomEvent */
/** @typedef {import('../../src/sequencer/sequencer.js').BatchHandler} BatchHandler */
/** @typedef {import('../../src/sequencer/sequencer.js').Sequencer} Sequencer */

/**
 * What a mutant changes: the server's dependencies, or its HTTP server.
 * @typedef {Partial<Dependencies> & { onHttp?: (http: import('node:http').Server) => void }} Mutation
 */

/** Time from the premature delivery to the commit: long enough for a kill to fall into it. */
const COMMIT_DELAY_MS = 60;
const config = readConfig(process.env);

/**
 * Predicts the results of a batch in a transaction that is rolled back, sends them, and commits the batch later.
 * @param {'reply' | 'deliver'} early what does not wait for the commit
 * @returns {Partial<Dependencies>}
 */
function beforeCommit(early) {
  const rollback = new Error('rolled back on purpose');
  let predicting = false;
  /** @type {(storage: Storage) => Storage} */
  const wrapStorage = (storage) =>
    overriding(storage, {
      transaction: (work) => (predicting ? rolledBack(storage, work, rollback) : storage.transaction(work)),
    });
  return {
    wrapStorage,
    createSequencer: (handler) =>
      new PrematureSequencer(handler, early, (commands) => {
        predicting = true;
        const results = handler.apply(commands);
        predicting = false;
        return results;
      }),
  };
}

/** @template T @param {Storage} storage @param {() => T} work @param {Error} rollback @returns {T} */
function rolledBack(storage, work, rollback) {
  /** @type {T[]} */
  const results = [];
  try {
    storage.transaction(() => {
      results.push(work());
      throw rollback;
    });
  } catch (error) {
    if (error !== rollback) throw error;
  }
  const [result] = results;
  if (result === undefined) throw new Error('the transaction had no result');
  return result;
}

/** @typedef {{ command: Command, reply: import('../../src/sequencer/sequencer.js').Reply | undefined }} Submission */

/** @implements {Sequencer} */
class PrematureSequencer {
  #handler;
  #early;
  #predict;
  /** @type {Submission[]} */
  #queue = [];
  #busy = false;

  /** @param {BatchHandler} handler @param {'reply' | 'deliver'} early @param {BatchHandler['apply']} predict */
  constructor(handler, early, predict) {
    this.#handler = handler;
    this.#early = early;
    this.#predict = predict;
  }

  /** @type {Sequencer['submit']} */
  submit(command, reply) {
    this.#queue.push({ command, reply });
    if (this.#busy) return;
    this.#busy = true;
    setImmediate(() => this.#run()); // never within the call, which may be in a transaction that reads
  }

  async close() {
    while (this.#busy) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  #run() {
    const batch = this.#queue.splice(0);
    const commands = batch.map(({ command }) => command);
    const predicted = this.#predict(commands);
    if (this.#early === 'deliver') this.#handler.deliver(predicted);
    // The ack of a repeated command carries the number, so the sender has it before the event.
    else replyAll(batch, predicted.map(toAck));
    setTimeout(() => {
      const results = this.#handler.apply(commands);
      if (this.#early === 'reply') this.#handler.deliver(results);
      else replyAll(batch, results);
      this.#busy = this.#queue.length > 0;
      if (this.#busy) this.#run();
    }, COMMIT_DELAY_MS);
  }
}

/** @param {readonly Submission[]} batch @param {readonly Result[]} results */
function replyAll(batch, results) {
  results.forEach((result, index) => {
    batch[index]?.reply?.(result);
  });
}

/** @param {Result} result @returns {Result} */
function toAck(result) {
  return result.kind === 'accepted' ? { ...result, kind: 'duplicate' } : result;
}

/**
 * Returns an object with all methods of `target`, some of them replaced.
 * @template {object} T @param {T} target @param {Partial<T>} methods @returns {T}
 */
function overriding(target, methods) {
  return new Proxy(target, {
    get(object, key) {
      if (Object.hasOwn(methods, key)) return Reflect.get(methods, key);
      const value = Reflect.get(object, key);
      return typeof value === 'function' ? value.bind(object) : value;
    },
  });
}

/** @param {(storage: Storage) => Partial<Storage>} override @returns {Partial<Dependencies>} */
function withStorage(override) {
  return { wrapStorage: (storage) => overriding(storage, override(storage)) };
}

/** @param {(events: EventStorage) => Partial<EventStorage>} override @returns {Partial<Dependencies>} */
function withEvents(override) {
  return withStorage(({ events }) => ({ events: overriding(events, override(events)) }));
}

/** @param {(people: PeopleStorage) => Partial<PeopleStorage>} override @returns {Partial<Dependencies>} */
function withPeople(override) {
  return withStorage(({ people }) => ({ people: overriding(people, override(people)) }));
}

/**
 * Delivers other events than those that were stored.
 * @param {(event: RoomEvent) => RoomEvent} alter
 * @returns {Partial<Dependencies>}
 */
function withDelivery(alter) {
  return {
    createSequencer: (handler) =>
      new LocalSequencer({
        apply: handler.apply,
        deliver: (/** @type {readonly Result[]} */ results) =>
          handler.deliver(
            results.map((result) =>
              result.kind === 'accepted' ? { ...result, event: alter(result.event) } : result,
            ),
          ),
      }),
  };
}

/**
 * Drops every tenth change and acknowledges it with the newest number.
 * @returns {Partial<Dependencies>}
 */
function dropChanges() {
  let [newest, count] = [0, 0];
  return {
    createSequencer: (handler) => {
      const sequencer = new LocalSequencer({
        apply: handler.apply,
        deliver: (/** @type {readonly Result[]} */ results) => {
          for (const result of results) if (result.kind === 'accepted') newest = result.event.id;
          handler.deliver(results);
        },
      });
      return {
        close: () => sequencer.close(),
        submit: (command, reply) => {
          if (command.kind !== 'change' || ++count % 10 !== 0) sequencer.submit(command, reply);
          else reply?.(ackOf(command, newest));
        },
      };
    },
  };
}

/**
 * Submits some commands twice.
 * @param {(command: Command) => boolean} isRepeated
 * @returns {Partial<Dependencies>}
 */
function repeatCommands(isRepeated) {
  return {
    createSequencer: (handler) => {
      const sequencer = new LocalSequencer(handler);
      return {
        close: () => sequencer.close(),
        submit: (command, reply) => {
          sequencer.submit(command, reply);
          if (isRepeated(command)) sequencer.submit(command);
        },
      };
    },
  };
}

/**
 * Looks a cid up as if the command that used it first had been sent to the current room.
 * @returns {Partial<Dependencies>}
 */
function ignoreRoomOfCid() {
  let room = '';
  return {
    ...withEvents((events) => ({
      findByCid: (person, cid) => {
        const stored = events.findByCid(person, cid);
        return stored && { ...stored, room };
      },
    })),
    createSequencer: (handler) =>
      new LocalSequencer({
        deliver: handler.deliver,
        apply: (/** @type {readonly Command[]} */ commands) =>
          commands.flatMap((command) => {
            if ('room' in command) room = command.room;
            return handler.apply([command]);
          }),
      }),
  };
}

/**
 * Finds a cid of anybody.
 * @returns {Partial<Dependencies>}
 */
function ignorePersonOfCid() {
  /** @type {Map<string, StoredCommand>} */
  const all = new Map();
  return withEvents((events) => ({
    findByCid: (person, cid) => events.findByCid(person, cid) ?? all.get(cid),
    append: (room, person, message) => {
      const event = events.append(room, person, message);
      if (message.cid !== undefined)
        all.set(message.cid, { room, event, target: undefined, reply: message.reply, data: message.data });
      return event;
    },
  }));
}

/** @param {(http: import('node:http').Server) => void} onHttp @returns {Mutation} */
function withHttp(onHttp) {
  return { onHttp };
}

/**
 * Alters the JSON of answers.
 * @param {string} path
 * @param {(page: { messages: unknown[] }) => unknown} alter
 * @returns {Mutation}
 */
function withAnswers(path, alter) {
  return withHttp((http) => {
    http.prependListener('request', ({ url }, response) => {
      if (!url?.startsWith(path)) return;
      const end = response.end.bind(response);
      response.end = (/** @type {unknown} */ body) => {
        const json = JSON.stringify(alter(JSON.parse(String(body))));
        response.setHeader('Content-Length', Buffer.byteLength(json));
        return end(json);
      };
    });
  });
}

/** @param {ChangeCommand} command @param {number} id @returns {Result} */
function ackOf({ room, user, target, data, at, cid = '' }, id) {
  return { kind: 'duplicate', room, event: { id, type: 'react', user, target, data, at, cid } };
}

/**
 * Stores an event whose cid is known without that cid, or the unique index would object.
 * @param {EventStorage} events @returns {Pick<EventStorage, 'append' | 'appendChange'>}
 */
function withoutKnownCids(events) {
  /** @param {Person} person @param {string | undefined} cid */
  const fresh = (person, cid) =>
    cid === undefined || events.findByCid(person, cid) !== undefined ? {} : { cid };
  return {
    append: (room, person, { cid, ...message }) =>
      events.append(room, person, { ...message, ...fresh(person, cid) }),
    appendChange: (message, person, { cid, ...change }) =>
      events.appendChange(message, person, { ...change, ...fresh(person, cid) }),
  };
}

/** @type {Readonly<Record<string, () => Mutation>>} */
const mutants = {
  none: () => ({}),

  // Acknowledges a command before its commit; the other readers get it after.
  'ack-before-commit': () => beforeCommit('reply'),

  // Delivers an event to the room before its commit.
  'deliver-before-commit': () => beforeCommit('deliver'),

  // Accepts a repeated cid again.
  'no-deduplication': () =>
    withEvents((events) => ({ findByCid: () => undefined, ...withoutKnownCids(events) })),

  // The same for edits only. A repeated edit replaces a newer text by its own.
  'no-deduplication-of-edits': () =>
    withEvents((events) => ({
      findByCid: (person, cid) => {
        const stored = events.findByCid(person, cid);
        return stored?.event.type === 'edit' ? undefined : stored;
      },
      ...withoutKnownCids(events),
    })),

  // Acknowledges some changes and does not apply them.
  'change-dropped': dropChanges,

  // Takes whoever asks for the author.
  'no-author-check': () => {
    let sender = '';
    return withEvents((events) => ({
      findByCid: (person, cid) => {
        sender = person.id;
        return events.findByCid(person, cid);
      },
      message: (room, id) => {
        const message = events.message(room, id);
        return message && { ...message, author: sender };
      },
    }));
  },

  // Rejects every 20th change as if its message were deleted.
  'change-wrongly-rejected': () => {
    let count = 0;
    return withEvents((events) => ({
      message: (room, id) => {
        const message = events.message(room, id);
        return message && { ...message, deleted: message.deleted || ++count % 20 === 0 };
      },
    }));
  },

  // Stores the text of an edit, but delivers the edit without it.
  'edit-delivered-empty': () =>
    withDelivery((event) => (event.type === 'edit' ? { ...event, data: '' } : event)),

  // Numbers and delivers an unreact, but keeps the reaction.
  'unreact-ignored': () => {
    ReactionStore.prototype.remove = () => {};
    return {};
  },

  // Deletes a message without its edits, which keep their texts.
  'edits-survive-deletion': () =>
    withEvents((events) => ({
      appendChange: (message, person, change) =>
        events.appendChange(
          change.type === 'delete' ? { ...message, edited: undefined } : message,
          person,
          change,
        ),
    })),

  // Replays deleted text from memory.
  'deleted-text-in-cache': () => {
    FrameCache.prototype.clear = () => {};
    return {};
  },

  // Never truncates the write-ahead log.
  'deleted-text-in-wal': () => {
    WalCheckpointer.prototype.tick = () => {};
    return {};
  },

  // Gives every 25th number of a room to no event.
  'number-skipped': () => {
    const { next } = RoomCounters.prototype;
    RoomCounters.prototype.next = function skipping(...args) {
      const counter = next.apply(this, args);
      return counter.last % 25 === 0 ? next.apply(this, args) : counter;
    };
    return {};
  },

  // Acknowledges a command with the number that its cid has in another room.
  'cid-ignores-room': ignoreRoomOfCid,

  // Takes a command for a duplicate of another person's command with the same cid.
  'cid-ignores-person': ignorePersonOfCid,

  // Accepts each message without a cid twice.
  'message-without-cid-twice': () =>
    repeatCommands((command) => command.kind === 'message' && command.cid === undefined),

  // Shows every message as by Mallory.
  'author-name-replaced': () =>
    withEvents((events) => ({
      append: (room, person, message) => events.append(room, { ...person, name: 'Mallory' }, message),
    })),

  // Confirms a new name and keeps the old one.
  'rename-ignored': () => withPeople(() => ({ rename: () => {} })),

  // Confirms a sign-out, but the person stays signed in.
  'sign-out-ignored': () => withPeople(() => ({ signOut: () => {} })),

  // Finds no mentions in messages.
  'mentions-not-found': () =>
    withEvents((events) => ({
      append: (room, person, { mentions, ...message }) => events.append(room, person, message),
    })),

  // Sets a read mark wherever the client asks, also back.
  'read-mark-goes-back': () =>
    withStorage(({ memberships }) => ({
      memberships: overriding(memberships, {
        advanceReadMark: (room, person, id) => {
          memberships.leaveAll(person);
          return memberships.advanceReadMark(room, person, id);
        },
      }),
    })),

  // Never removes anybody from a room.
  'presence-never-leaves': () => {
    Presence.prototype.leave = () => undefined;
    return {};
  },

  // Sets the time of every 20th event back.
  'time-goes-back': () => {
    const { next } = RoomCounters.prototype;
    RoomCounters.prototype.next = function earlier(...args) {
      const counter = next.apply(this, args);
      return counter.last % 20 === 0 ? { ...counter, at: counter.at - 60_000 } : counter;
    };
    return {};
  },

  // Resumes one event too late.
  'resume-off-by-one': () =>
    withHttp((http) => {
      http.prependListener('upgrade', (request) => {
        request.url = request.url?.replace(/after=([1-9]\d*)/, (_, after) => `after=${Number(after) + 1}`);
      });
    }),

  // Finds nothing.
  'search-finds-nothing': () => withAnswers('/api/search', (page) => ({ ...page, messages: [] })),

  // Finds a message although it is deleted.
  'search-finds-deleted': () => {
    /** @type {import('../../src/shared/protocol.js').SearchHit[]} */
    const deleted = [];
    return {
      ...withEvents((events) => ({
        appendChange: (message, person, change) => {
          const event = events.appendChange(message, person, change);
          const { room, id } = message;
          if (event.type === 'delete')
            deleted.push({ ...event, type: 'chat', room, id, data: '', deleted: event.id });
          return event;
        },
      })),
      ...withAnswers('/api/search', (page) => ({
        ...page,
        messages: [...page.messages, ...deleted.slice(-1)],
      })),
    };
  },

  // Shows no mentions.
  'mention-list-empty': () => withAnswers('/api/mentions', (page) => ({ ...page, messages: [] })),
};

const name = process.argv[2] ?? 'none';
const mutate = mutants[name];
if (!mutate) throw new Error(`there is no mutant ${name}`);
const { onHttp, ...dependencies } = mutate();
const server = createServer(config, { logger: pino({ level: 'silent' }), ...dependencies });
onHttp?.(server.http);
process.on('SIGTERM', () => server.close().then(() => process.exit(0)));
server.http.listen(config.port, config.host, () => process.stdout.write('listening\n'));
