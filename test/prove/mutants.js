// @ts-check
/**
 * The server with one fault planted in it: a mutant. The first argument names it. The script runs what was built and reads
 * the same environment variables as the real server. `prove` must find a violation in each mutant: `run-mutants.js` runs
 * them all, the tests a few.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import { readConfig } from '../../dist/config.js';
import { Frames } from '../../dist/realtime/frames.js';
import { Hub } from '../../dist/realtime/hub.js';
import { Presence } from '../../dist/realtime/presence.js';
import { StreamConnection } from '../../dist/realtime/readers.js';
import { FrameCache, Room } from '../../dist/realtime/room.js';
import { LocalSequencer } from '../../dist/sequencer/local.js';
import { openRedis } from '../../dist/sequencer/redis.js';
import { SharedSequencer } from '../../dist/sequencer/shared.js';
import { createServer } from '../../dist/server.js';
import { SessionCookie } from '../../dist/session.js';
import { applyChange, applyToReply } from '../../dist/shared/reducer.js';
import { PeopleChain } from '../../dist/store/chain.js';
import { MentionStore, ReactionStore } from '../../dist/store/changes.js';
import { EventStore, MessageLoader, Replies, RoomCounters } from '../../dist/store/events.js';
import { MembershipStore } from '../../dist/store/memberships.js';
import { PeopleStore } from '../../dist/store/people.js';
import Database from '../../dist/store/sqlite.js';
import { Store, WalCheckpointer } from '../../dist/store/store.js';
import { Directory } from '../../dist/workers/directory.js';
import { WorkerSequencer } from '../../dist/workers/worker.js';

/** @typedef {import('../../src/server.js').Dependencies} Dependencies */
/** @typedef {import('../../src/chat/types.js').Storage} Storage */
/** @typedef {import('../../src/chat/types.js').Command} Command */
/** @typedef {import('../../src/chat/types.js').ChangeCommand} ChangeCommand */
/** @typedef {import('../../src/chat/types.js').Result} Result */
/** @typedef {import('../../src/chat/types.js').EventStorage} EventStorage */
/** @typedef {import('../../src/chat/types.js').MembershipStorage} MembershipStorage */
/** @typedef {import('../../src/chat/types.js').PeopleStorage} PeopleStorage */
/** @typedef {import('../../src/chat/types.js').Person} Person */
/** @typedef {import('../../src/chat/types.js').StoredCommand} StoredCommand */
/** @typedef {import('../../src/shared/protocol.js').RoomEvent} RoomEvent */
/** @typedef {import('../../src/shared/protocol.js').SearchHit} SearchHit */
/** @typedef {import('../../src/sequencer/sequencer.js').BatchHandler} BatchHandler */
/** @typedef {import('../../src/sequencer/sequencer.js').Sequencer} Sequencer */
/** @typedef {import('../../src/sequencer/shared.js').StreamLink} StreamLink */
/** @typedef {import('../../src/sequencer/shared.js').Entry} Entry */
/** @typedef {import('../../src/prove/history.js').Reducer} Reducer */

/**
 * What a mutant changes: the server's dependencies, its HTTP server, each link of a node to the stream, or the reducer of the
 * readers. Some change a class when they are planted. `check` throws when nothing was changed.
 * @typedef {Partial<Dependencies> & {
 *   onHttp?: (http: import('node:http').Server) => void,
 *   wrapLink?: (link: StreamLink) => StreamLink,
 *   reducer?: Partial<Reducer>,
 *   check?: () => void,
 * }} Mutation
 */

/**
 * `unseen` says why `prove` cannot find it.
 * @typedef {{ place: string, fault: string, plant: () => Mutation, unseen?: string }} Mutant
 */

/** Time from the premature delivery to the commit: long enough for a kill to fall into it. */
const COMMIT_DELAY_MS = 60;

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

/**
 * Alters the HTML of the plain page.
 * @param {(html: string) => string} alter
 * @returns {Mutation}
 */
function withPlainPage(alter) {
  return withHttp((http) => {
    http.prependListener('request', ({ url }, response) => {
      if (!url?.includes('/plain?')) return;
      const end = response.end.bind(response);
      response.end = (/** @type {unknown} */ body) => {
        const html = alter(String(body));
        response.setHeader('Content-Length', Buffer.byteLength(html));
        return end(html);
      };
    });
  });
}

/** Leaves out the first event of an answer that was waited for. @returns {Mutation} */
function skipWhenWoken() {
  return withHttp((http) => {
    http.prependListener('request', ({ url }, response) => {
      if (!url?.includes('wait=')) return;
      const startedAt = performance.now();
      const end = response.end.bind(response);
      response.end = (/** @type {unknown} */ body) => {
        const page = JSON.parse(String(body));
        if (performance.now() - startedAt > WAITED_MS) page.messages?.shift();
        const json = JSON.stringify(page);
        response.setHeader('Content-Length', Buffer.byteLength(json));
        return end(json);
      };
    });
  });
}

/** A message on the plain page. */
const plainItem = /<li id="m.*?<\/li>/gs;

/** An answer that took as long was waited for. */
const WAITED_MS = 10;

/**
 * Changes the entries that a node reads. The entry after one that is left out names the one before, so that the node does
 * not notice.
 * @param {(entries: readonly Entry[], isFirstRead: boolean) => readonly Entry[]} alter
 * @returns {Mutation}
 */
function withEntries(alter) {
  return {
    wrapLink: (link) => {
      let last = '';
      let isFirstRead = true;
      return overriding(link, {
        async read(after) {
          if (last === '') last = after;
          const { entries, through } = await link.read(after);
          const altered = alter(entries, isFirstRead).map((entry) => {
            const linked = { ...entry, prev: last };
            last = entry.id;
            return linked;
          });
          if (entries.length > 0) isFirstRead = false;
          return { entries: altered, through };
        },
      });
    },
  };
}

/** Stores the position some time after the entries. @returns {Mutation} */
function storePositionLater() {
  return withStorage((storage) => ({
    transaction(work, position) {
      const result = storage.transaction(work);
      if (position !== undefined)
        setTimeout(() => storage.transaction(() => undefined, position), COMMIT_DELAY_MS);
      return result;
    },
  }));
}

/** Appends every 20th batch again, under the name of another node. @returns {Mutation} */
function appendTwice() {
  const node = `again-${Math.random()}`;
  let [count, n] = [0, 0];
  return {
    wrapLink: (link) =>
      overriding(link, {
        async append(batch) {
          const reply = await link.append(batch);
          if (++count % 20 === 0) await link.append({ ...batch, node, n: ++n });
          return reply;
        },
      }),
  };
}

/** Acknowledges a message that Redis did not take in time, with the newest number. @returns {Mutation} */
function acknowledgeUncertain() {
  let newest = 0;
  return {
    createSequencer: (handler) => {
      const sequencer = sharedSequencer(
        overriding(handler, {
          deliver: (results) => {
            for (const result of results) if (result.kind === 'accepted') newest = result.event.id;
            handler.deliver(results);
          },
        }),
      );
      return overriding(sequencer, {
        submit: (command, reply) =>
          sequencer.submit(command, (/** @type {Result} */ result) => {
            const isUncertain = result.kind === 'rejected' && result.problem.code === 'storage';
            reply?.(isUncertain && command.kind === 'change' ? ackOf(command, newest) : result);
          }),
      });
    },
  };
}

/**
 * The order of a node, as main.ts makes it.
 * @param {import('../../src/sequencer/sequencer.js').SharedHandler} handler
 * @param {(link: StreamLink) => StreamLink} [wrapLink]
 */
function sharedSequencer(handler, wrapLink = (link) => link) {
  const { redis } = readConfig(process.env);
  if (!redis) throw new Error('this mutant needs Redis');
  const { url, waitReplicas, streamHours } = redis;
  return new SharedSequencer(handler, {
    open: async (/** @type {() => void} */ onJunk) =>
      wrapLink(/** @type {StreamLink} */ (/** @type {unknown} */ (await openRedis(url, onJunk)))),
    ...{ logger: pino({ level: 'silent' }), waitReplicas, streamHours },
  });
}

/** @param {Mutation['wrapLink']} wrapLink @returns {NonNullable<Dependencies['createSequencer']>} */
function onLink(wrapLink) {
  return (handler) => sharedSequencer(handler, wrapLink);
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

/** @param {(memberships: MembershipStorage) => Partial<MembershipStorage>} override @returns {Mutation} */
function withMemberships(override) {
  return withStorage(({ memberships }) => ({ memberships: overriding(memberships, override(memberships)) }));
}

/**
 * Replaces a part of one SQL statement.
 * @param {string} part @param {string} replacement @returns {Mutation}
 */
function withSql(part, replacement) {
  const { prepare } = Database.prototype;
  let isChanged = false;
  Database.prototype.prepare = function changed(/** @type {string} */ sql) {
    isChanged ||= sql.includes(part);
    return prepare.call(this, sql.replace(part, replacement));
  };
  return {
    check: () => {
      if (!isChanged) throw new Error(`no statement has "${part}"`);
    },
  };
}

/** @param {string} setting @param {string} replacement @returns {Mutation} */
function withPragma(setting, replacement) {
  const { pragma } = Database.prototype;
  let isChanged = false;
  Database.prototype.pragma = function changed(/** @type {string} */ source, /** @type {object} */ options) {
    isChanged ||= source === setting;
    return pragma.call(this, source === setting ? replacement : source, options);
  };
  return {
    check: () => {
      if (!isChanged) throw new Error(`nobody sets "${setting}"`);
    },
  };
}

/**
 * Replaces a value that the server stores once, at each start.
 * @param {string} key @returns {Mutation}
 */
function withNewMeta(key) {
  const { getOrCreateMeta } = Store.prototype;
  Store.prototype.getOrCreateMeta = function fresh(
    /** @type {string} */ name,
    /** @type {() => string} */ create,
  ) {
    return name === key ? create() : getOrCreateMeta.call(this, name, create);
  };
  return {};
}

/**
 * Alters the answers to messages and changes; undefined gives none.
 * @param {(result: Result, command: Command) => Result | undefined} alter
 * @returns {Mutation}
 */
function withReplies(alter) {
  return {
    createSequencer: (handler) => {
      const sequencer = new LocalSequencer(handler);
      return {
        close: () => sequencer.close(),
        submit: (command, reply) => {
          const isEvent = command.kind === 'message' || command.kind === 'change';
          sequencer.submit(command, (/** @type {Result} */ result) => {
            const answer = isEvent ? alter(result, command) : result;
            if (answer) reply?.(answer);
          });
        },
      };
    },
  };
}

/** Knows a cid only while the process lives. @returns {Mutation} */
function forgetCidsAtRestart() {
  const known = new Set();
  return withEvents((events) => {
    const { append, appendChange } = withoutKnownCids(events);
    return {
      findByCid: (person, cid) =>
        known.has(`${person.id} ${cid}`) ? events.findByCid(person, cid) : undefined,
      append: (room, person, message) => {
        const event = append(room, person, message);
        known.add(`${person.id} ${message.cid}`);
        return event;
      },
      appendChange: (message, person, change) => {
        const event = appendChange(message, person, change);
        known.add(`${person.id} ${change.cid}`);
        return event;
      },
    };
  });
}

/** Takes the results of a batch that could not be committed for those of a committed one. @returns {Mutation} */
function acknowledgeFailedCommits() {
  return withStorage((storage) => ({
    transaction(work) {
      /** @type {ReturnType<typeof work>[]} */
      const results = [];
      try {
        return storage.transaction(() => {
          const result = work();
          results.push(result);
          return result;
        });
      } catch (error) {
        const [result] = results;
        if (result === undefined) throw error;
        return result;
      }
    },
  }));
}

/** @returns {Mutation} */
function findDeleted() {
  /** @type {SearchHit[]} */
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
}

/** @typedef {Readonly<Record<string, Omit<Mutant, 'place'>>>} Group */

/** @type {Group} The order of commands, and their answers. */
const sequencer = {
  'ack-before-commit': {
    fault: 'Acknowledges a command before its commit.',
    plant: () => beforeCommit('reply'),
  },
  'deliver-before-commit': {
    fault: 'Delivers an event to the room before its commit.',
    plant: () => beforeCommit('deliver'),
  },
  'change-dropped': {
    fault: 'Acknowledges every tenth change and does not apply it.',
    plant: dropChanges,
  },
  'message-without-cid-twice': {
    fault: 'Accepts each message without a cid twice.',
    plant: () => repeatCommands((command) => command.kind === 'message' && command.cid === undefined),
  },
  'batch-reversed': {
    fault: 'Applies the commands of a batch in reverse order.',
    plant: () => ({
      createSequencer: ({ apply, deliver }) =>
        new LocalSequencer({
          apply: (/** @type {readonly Command[]} */ commands) => apply(commands.toReversed()).toReversed(),
          deliver: (/** @type {readonly Result[]} */ results) => deliver(results.toReversed()),
        }),
    }),
  },
  'previous-answer': {
    fault: 'Answers every 20th command with the answer to the previous one.',
    plant: () => {
      /** @type {Result | undefined} */
      let previous;
      let count = 0;
      return withReplies((result) => {
        const answer = ++count % 20 === 0 ? previous : result;
        previous = result;
        return answer;
      });
    },
  },
  'rejections-unanswered': {
    fault: 'Leaves every fifth rejection unanswered.',
    plant: () => {
      let count = 0;
      return withReplies((result) => (result.kind === 'rejected' && ++count % 5 === 0 ? undefined : result));
    },
  },
  'wrong-number-of-duplicate': {
    fault: 'Acknowledges a repeated command with the next number.',
    plant: () =>
      withReplies((result) =>
        result.kind === 'duplicate'
          ? { ...result, event: { ...result.event, id: result.event.id + 1 } }
          : result,
      ),
  },
  'same-salt': {
    fault: 'Gives every event the same salt.',
    plant: () => ({
      createSequencer: ({ apply, deliver }) =>
        new LocalSequencer({
          deliver,
          apply: (/** @type {readonly Command[]} */ commands) =>
            apply(commands.map((one) => ('salt' in one ? { ...one, salt: '00'.repeat(16) } : one))),
        }),
    }),
    unseen: 'no client ever sees a salt',
  },
};

/** @type {Group} The storage that the rules use. */
const storage = {
  'no-deduplication': {
    fault: 'Accepts a repeated cid again.',
    plant: () => withEvents((events) => ({ findByCid: () => undefined, ...withoutKnownCids(events) })),
  },
  'no-deduplication-of-edits': {
    fault: 'Accepts a repeated cid of an edit again, which may replace a newer text.',
    plant: () =>
      withEvents((events) => ({
        findByCid: (person, cid) => {
          const stored = events.findByCid(person, cid);
          return stored?.event.type === 'edit' ? undefined : stored;
        },
        ...withoutKnownCids(events),
      })),
  },
  'cids-forgotten-at-restart': {
    fault: 'Knows a cid only while the process lives.',
    plant: forgetCidsAtRestart,
  },
  'cid-ignores-room': {
    fault: 'Acknowledges a command with the number that its cid has in another room.',
    plant: ignoreRoomOfCid,
  },
  'cid-ignores-person': {
    fault: "Takes a command for a duplicate of another person's command with the same cid.",
    plant: ignorePersonOfCid,
  },
  'no-author-check': {
    fault: 'Takes whoever asks for the author.',
    plant: () => {
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
  },
  'change-wrongly-rejected': {
    fault: 'Rejects every 20th change as if its message were deleted.',
    plant: () => {
      let count = 0;
      return withEvents((events) => ({
        message: (room, id) => {
          const message = events.message(room, id);
          return message && { ...message, deleted: message.deleted || ++count % 20 === 0 };
        },
      }));
    },
  },
  'deleted-message-changeable': {
    fault: 'Allows changes of deleted messages and replies to them.',
    plant: () =>
      withEvents((events) => ({
        message: (room, id) => {
          const message = events.message(room, id);
          return message && { ...message, deleted: false };
        },
      })),
  },
  'reactions-not-seen': {
    fault: 'Believes that nobody has reacted to anything.',
    plant: () => withEvents(() => ({ hasReaction: () => false })),
  },
  'edits-survive-deletion': {
    fault: 'Deletes a message without its edits, which keep their texts.',
    plant: () =>
      withEvents((events) => ({
        appendChange: (message, person, change) =>
          events.appendChange(
            change.type === 'delete' ? { ...message, edited: undefined } : message,
            person,
            change,
          ),
      })),
  },
  'author-name-replaced': {
    fault: 'Shows every message as by Mallory.',
    plant: () =>
      withEvents((events) => ({
        append: (room, person, message) => events.append(room, { ...person, name: 'Mallory' }, message),
      })),
  },
  'mentions-not-found': {
    fault: 'Finds no mentions in messages.',
    plant: () =>
      withEvents((events) => ({
        append: (room, person, { mentions, ...message }) => events.append(room, person, message),
      })),
  },
  'rename-ignored': {
    fault: 'Confirms a new name and keeps the old one.',
    plant: () => withPeople(() => ({ rename: () => {} })),
  },
  'sign-out-ignored': {
    fault: 'Confirms a sign-out, but the person stays signed in.',
    plant: () => withPeople(() => ({ signOut: () => {} })),
  },
  'name-taken-by-stranger': {
    fault: 'Gives the name of an active person to a stranger.',
    plant: () =>
      withPeople((people) => ({
        ownerOf: (skeleton) => {
          const owner = people.ownerOf(skeleton);
          return owner && { ...owner, lastSeen: 0 };
        },
      })),
  },
  'read-mark-goes-back': {
    fault: 'Sets a read mark wherever the client asks, also back.',
    plant: () =>
      withMemberships((memberships) => ({
        advanceReadMark: (room, person, id) => {
          memberships.leaveAll(person);
          return memberships.advanceReadMark(room, person, id);
        },
      })),
  },
  'read-mark-not-stored': {
    fault: 'Confirms a read mark without storing it.',
    plant: () =>
      withMemberships((memberships) => ({
        advanceReadMark: (room, person, id) => {
          const mark = memberships.advanceReadMark(room, person, 0);
          return { ...mark, read: Math.min(id, mark.last), advanced: true };
        },
      })),
  },
  'read-mark-in-wrong-room': {
    fault: 'Stores every read mark in the first room.',
    plant: () =>
      withMemberships((memberships) => ({
        advanceReadMark: (_room, person, id) => memberships.advanceReadMark('proof-1', person, id),
      })),
  },
  'failed-commit-acknowledged': {
    fault: 'Acknowledges and delivers a batch whose commit failed.',
    plant: acknowledgeFailedCommits,
  },
};

/** @type {Group} The database behind that storage. */
const database = {
  'commit-not-synced': {
    fault: 'Never syncs the disk (`synchronous = OFF`).',
    plant: () => withPragma('synchronous = FULL', 'synchronous = OFF'),
  },
  'commit-synced-late': {
    fault: 'Syncs the disk only at checkpoints (`synchronous = NORMAL`).',
    plant: () => withPragma('synchronous = FULL', 'synchronous = NORMAL'),
  },
  'failed-commit-not-overwritten': {
    fault: 'Leaves a commit whose sync failed in the write-ahead log, where a restart finds it.',
    plant: () => {
      Store.prototype.probe = () => {};
      return {};
    },
  },
  'counters-kept-after-rollback': {
    fault: 'Goes on counting from the numbers of a batch that was rolled back.',
    plant: () => {
      EventStore.prototype.clearCache = () => {};
      return {};
    },
  },
  'log-removed-at-start': {
    fault: 'Removes the write-ahead log of a server that was killed.',
    plant: () => {
      rmSync(join(readConfig(process.env).dataDir, 'oneport.db-wal'), { force: true });
      return {};
    },
  },
  'deleted-text-in-wal': {
    fault: 'Never truncates the write-ahead log, which holds deleted texts.',
    plant: () => {
      WalCheckpointer.prototype.tick = () => {};
      return {};
    },
  },
  'deleted-text-in-free-space': {
    fault: 'Does not overwrite free space in the database (`secure_delete = OFF`).',
    plant: () => withPragma('secure_delete = ON', 'secure_delete = OFF'),
  },
  'number-skipped': {
    fault: 'Gives every 25th number of a room to no event.',
    plant: () => {
      const { next } = RoomCounters.prototype;
      RoomCounters.prototype.next = function skipping(...args) {
        const counter = next.apply(this, args);
        return counter.last % 25 === 0 ? next.apply(this, args) : counter;
      };
      return {};
    },
  },
  'time-goes-back': {
    fault: 'Sets the time of every 20th event back.',
    plant: () => {
      const { next } = RoomCounters.prototype;
      RoomCounters.prototype.next = function earlier(...args) {
        const counter = next.apply(this, args);
        return counter.last % 20 === 0 ? { ...counter, at: counter.at - 60_000 } : counter;
      };
      return {};
    },
  },
  'unreact-ignored': {
    fault: 'Numbers and delivers an unreact, but keeps the reaction.',
    plant: () => {
      ReactionStore.prototype.remove = () => {};
      return {};
    },
  },
  'reactions-miscounted': {
    fault: 'Sets the count of reactions where it should add to it.',
    plant: () => withSql('coalesce(reacted, 0) + excluded.reacted', 'excluded.reacted'),
  },
  'mentions-kept-after-edit': {
    fault: 'Keeps the mentions of the previous text.',
    plant: () => {
      MentionStore.prototype.clear = () => {};
      return {};
    },
  },
  'replies-not-listed': {
    fault: 'Does not list a reply as a mention.',
    plant: () => withSql('AND target.person <> e.person', 'AND target.person < 0'),
  },
  'reply-without-quote': {
    fault: 'Reads replies without what they reply to.',
    plant: () => {
      Replies.prototype.of = () => new Map();
      return {};
    },
  },
  'deleted-messages-unread': {
    fault: 'Counts deleted messages as unread.',
    plant: () => withSql('d.room = r.room AND d.id > m.read', '0'),
  },
  'own-messages-unread': {
    fault: 'Counts own messages as unread.',
    plant: () => withSql(' - m.own\n', '\n'),
  },
  'page-repeats-event': {
    fault: 'Begins a replay one event too early.',
    plant: () => withSql('e.id > ? ORDER BY e.id LIMIT', 'e.id >= ? ORDER BY e.id LIMIT'),
  },
  'page-skips-event': {
    fault: 'Leaves out one event between two pages of history.',
    plant: () => withSql('e.id < ? ORDER BY e.id DESC', 'e.id < ? - 1 ORDER BY e.id DESC'),
  },
  'people-not-in-chain': {
    fault: 'Changes people without an entry in their chain.',
    plant: () => {
      PeopleChain.prototype.append = () => {};
      return {};
    },
  },
  'people-cached': {
    fault: 'Goes on with what it once read of a person.',
    plant: () => {
      PeopleStore.prototype.clearCache = () => {};
      return {};
    },
  },
  'unread-frame-wrong': {
    fault: 'Sends unread counts of other rooms that are one too high.',
    plant: () => {
      const { unread } = MembershipStore.prototype;
      MembershipStore.prototype.unread = function higher(person, room) {
        const counts = unread.call(this, person, room);
        return counts && { ...counts, unread: counts.unread + 1 };
      };
      return {};
    },
  },
  'signed-out-suggested': {
    fault: 'Suggests people who have signed out.',
    plant: () => withSql(' AND signed_out = 0', ''),
    unseen: 'it only checks that present people are suggested',
  },
};

/** @type {Group} Delivery to the sockets, and the sockets themselves. */
const room = {
  'deleted-text-in-cache': {
    fault: 'Replays deleted text from memory.',
    plant: () => {
      FrameCache.prototype.clear = () => {};
      return {};
    },
  },
  'edit-delivered-empty': {
    fault: 'Stores the text of an edit, but delivers the edit without it.',
    plant: () => withDelivery((event) => (event.type === 'edit' ? { ...event, data: '' } : event)),
  },
  'mentions-not-delivered': {
    fault: 'Stores mentions, but delivers messages without them.',
    plant: () =>
      withDelivery((event) => {
        if (event.type !== 'chat') return event;
        const { mentions, ...rest } = event;
        return rest;
      }),
  },
  'event-not-delivered': {
    fault: 'Delivers every 40th event to nobody.',
    plant: () => {
      const { publish } = Room.prototype;
      Room.prototype.publish = function silent(event) {
        if (event.id % 40 === 0) this.last = event.id;
        else publish.call(this, event);
      };
      return {};
    },
  },
  'event-delivered-twice': {
    fault: 'Delivers every 40th event twice.',
    plant: () => {
      const { publish } = Room.prototype;
      Room.prototype.publish = function twice(event) {
        publish.call(this, event);
        if (event.id % 40 !== 0) return;
        this.last--;
        publish.call(this, event);
      };
      return {};
    },
  },
  'batch-missed-on-join': {
    fault: 'Sends a new subscriber one batch less than it lacks.',
    plant: () => {
      const { subscribe } = Room.prototype;
      Room.prototype.subscribe = function late(subscriber) {
        subscribe.call(this, subscriber);
        subscriber.firstBatch++;
      };
      return {};
    },
  },
  'cached-page-incomplete': {
    fault: 'Leaves out the first event of a cached page.',
    plant: () => {
      const { pageAfter } = FrameCache.prototype;
      FrameCache.prototype.pageAfter = function shorter(id) {
        return pageAfter.call(this, id).slice(1);
      };
      return {};
    },
  },
  'resume-off-by-one': {
    fault: 'Resumes one event too late.',
    plant: () =>
      withHttp((http) => {
        http.prependListener('upgrade', (request) => {
          request.url = request.url?.replace(/after=([1-9]\d*)/, (_, after) => `after=${Number(after) + 1}`);
        });
      }),
  },
  'epoch-new-at-start': {
    fault: 'Makes a new epoch at each start, so clients think that the log was replaced.',
    plant: () => withNewMeta('epoch'),
  },
};

/** @type {Group} Who is here. */
const presence = {
  'presence-never-leaves': {
    fault: 'Never removes anybody from a room.',
    plant: () => {
      Presence.prototype.leave = () => undefined;
      return {};
    },
  },
  'join-not-announced': {
    fault: 'Announces nobody when they join.',
    plant: () => {
      const { enter } = Presence.prototype;
      Presence.prototype.enter = function silent(user) {
        enter.call(this, user);
        return undefined;
      };
      return {};
    },
  },
  'presence-list-incomplete': {
    fault: 'Leaves one person out of the list of a room.',
    plant: () => {
      const { list } = Presence.prototype;
      Presence.prototype.list = function shorter() {
        const frame = list.call(this);
        return frame.type === 'list' ? { ...frame, data: frame.data.slice(1) } : frame;
      };
      return {};
    },
  },
  'rename-not-announced': {
    fault: 'Tells nobody in the room of a new name.',
    plant: () => {
      Presence.prototype.renamed = () => [];
      return {};
    },
  },
};

/** @type {Group} */
const session = {
  'keys-new-at-start': {
    fault: 'Makes new keys at each start, which end all sessions.',
    plant: () => withNewMeta('session_keys'),
  },
  'cookie-outlives-sign-out': {
    fault: 'Accepts a cookie after its owner has signed out.',
    plant: () => {
      SessionCookie.prototype.isCurrent = () => true;
      return {};
    },
  },
};

/** @type {Group} */
const search = {
  'search-finds-nothing': {
    fault: 'Finds nothing.',
    plant: () => withAnswers('/api/search', (page) => ({ ...page, messages: [] })),
  },
  'search-finds-deleted': {
    fault: 'Finds a message although it is deleted.',
    plant: findDeleted,
  },
  'search-drops-hits': {
    fault: 'Leaves out every tenth message that a search or a list of mentions has found.',
    plant: () => {
      const { loadPage } = MessageLoader.prototype;
      MessageLoader.prototype.loadPage = function fewer(seqs, position) {
        const page = loadPage.call(this, seqs, position);
        return { ...page, messages: page.messages.filter(({ id }) => id % 10 !== 0) };
      };
      return {};
    },
  },
  'hits-without-reactions': {
    fault: 'Shows found messages without their reactions.',
    plant: () => {
      const { loadPage } = MessageLoader.prototype;
      MessageLoader.prototype.loadPage = function plain(seqs, position) {
        const page = loadPage.call(this, seqs, position);
        for (const hit of page.messages) Reflect.deleteProperty(hit, 'reactions');
        return page;
      };
      return {};
    },
  },
  'mention-list-empty': {
    fault: 'Shows no mentions.',
    plant: () => withAnswers('/api/mentions', (page) => ({ ...page, messages: [] })),
  },
};

/** @type {Group} Streams, polls and plain HTML. */
const transports = {
  'stream-id-off-by-one': {
    fault: 'Gives each event of an event stream the id of the next one.',
    plant: () => {
      const { eventStream } = Frames.prototype;
      Frames.prototype.eventStream = function wrong(epoch) {
        const text = eventStream.call(this, epoch).toString();
        return Buffer.from(
          text.replace(/(?<=^id: .*\/)\d+$/gm, (/** @type {string} */ id) => String(Number(id) + 1)),
        );
      };
      return {};
    },
  },
  'stream-forgets-id': {
    fault: 'Ignores the `Last-Event-ID` of a reader that comes back.',
    plant: () =>
      withHttp((http) => {
        http.prependListener('request', ({ headers }) => {
          delete headers['last-event-id'];
        });
      }),
  },
  'stream-misses-batch-on-join': {
    fault: 'Sends a new stream one batch less than it lacks after its replay.',
    plant: () => {
      const { subscribe } = Room.prototype;
      Room.prototype.subscribe = function late(subscriber) {
        subscribe.call(this, subscriber);
        if (subscriber instanceof StreamConnection) subscriber.firstBatch++;
      };
      return {};
    },
  },
  'lines-lose-end-of-batch': {
    fault: 'Leaves out the last line of a batch of several.',
    plant: () => {
      const lines = Object.getOwnPropertyDescriptor(Frames.prototype, 'lines')?.get;
      Object.defineProperty(Frames.prototype, 'lines', {
        get() {
          const text = String(lines?.call(this));
          const count = text.split('\n').length - 1;
          return Buffer.from(count < 3 ? text : text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1));
        },
      });
      return {};
    },
  },
  'poll-skips-when-woken': {
    fault: 'Leaves out the event that ended the wait of a poll.',
    plant: skipWhenWoken,
  },
  'plain-page-reversed': {
    fault: 'Shows the oldest message of a plain page first.',
    plant: () =>
      withPlainPage((html) => {
        const items = html.match(plainItem) ?? [];
        return html.replace(plainItem, () => items.pop() ?? '');
      }),
  },
  'plain-page-begins-late': {
    fault: 'Leaves the first message out of a plain page.',
    plant: () =>
      withPlainPage((html) => {
        const items = html.match(plainItem) ?? [];
        return html.replace(items.at(-1) ?? '', '');
      }),
  },
};

/** @type {Group} The order that nodes share by Redis. */
const nodes = {
  'append-twice': {
    fault: 'Appends every 20th batch again, under the name of another node.',
    plant: appendTwice,
  },
  'position-stored-later': {
    fault: 'Stores the position in the stream in a later transaction.',
    plant: storePositionLater,
  },
  'entries-missed-on-connect': {
    fault: 'Reads the stream from its end when a connection begins, and does not notice.',
    plant: () =>
      withEntries((entries, isFirstRead) =>
        entries.filter((entry) => !isFirstRead || entry.kind === 'begin' || entry === entries.at(-1)),
      ),
  },
  'entry-of-others-skipped': {
    fault: 'Leaves out every 30th batch of the stream, and does not notice.',
    plant: () => {
      let count = 0;
      return withEntries((entries) => entries.filter(({ kind }) => kind !== 'batch' || ++count % 30 !== 0));
    },
  },
  'uncertain-append-acknowledged': {
    fault: 'Acknowledges a change that Redis did not take in time.',
    plant: acknowledgeUncertain,
  },
  'client-ahead-not-awaited': {
    fault: 'Answers a client that knows more than the node as if its log had been replaced.',
    plant: () => {
      Hub.prototype.isBehind = () => false;
      return {};
    },
  },
  'position-ignored': {
    fault: 'Answers a request before the node has applied what the client has done elsewhere.',
    plant: () =>
      withHttp((http) => {
        http.prependListener('request', ({ headers }) => {
          delete headers['oneport-position'];
        });
      }),
  },
  'people-of-others-unknown': {
    fault: 'Does not send joins and departures to the other nodes.',
    plant: () => ({ wrapLink: (link) => overriding(link, { publish() {} }) }),
  },
};

/** Lets rooms deliver events that they have delivered or read before. */
function deliverKnown() {
  const { publish } = Room.prototype;
  Room.prototype.publish = function again(event) {
    this.last = Math.min(this.last, event.id - 1);
    publish.call(this, event);
  };
}

/** @type {Group} A primary that has the log, and workers that have the sockets. */
const workers = {
  'worker-delivers-twice': {
    fault: 'Delivers every 20th batch twice in a worker, whatever it has delivered.',
    plant: () => {
      deliverKnown();
      const { attach } = WorkerSequencer.prototype;
      let count = 0;
      WorkerSequencer.prototype.attach = function twice(listener) {
        return attach.call(
          this,
          overriding(listener, {
            deliver: (/** @type {readonly Result[]} */ results) => {
              listener.deliver(results);
              if (++count % 20 === 0) listener.deliver(results);
            },
          }),
        );
      };
      return {};
    },
  },
  'worker-repeats-what-it-read': {
    fault: 'Delivers events again that were in the log already when a worker opened their room.',
    plant: () => {
      deliverKnown();
      return {};
    },
  },
  'worker-forgets-replies': {
    fault: 'Leaves every 20th command of a worker unanswered.',
    plant: () => {
      const { submit } = WorkerSequencer.prototype;
      let count = 0;
      WorkerSequencer.prototype.submit = function silent(command, reply) {
        submit.call(this, command, ++count % 20 === 0 ? undefined : reply);
      };
      return {};
    },
  },
  'dead-worker-stays': {
    fault: 'Keeps the people of a worker that was killed in their rooms.',
    plant: () => {
      Directory.prototype.drop = () => {};
      return {};
    },
  },
};

/** @type {Group} The reducer of the page, in the readers of `prove`. */
const page = {
  'page-ignores-edits': {
    fault: 'Shows the text before an edit.',
    plant: () => ({
      reducer: {
        applyChange: (message, change) => (change.type === 'edit' ? message : applyChange(message, change)),
      },
    }),
  },
  'page-keeps-mentions': {
    fault: 'Shows the mentions of the text before an edit.',
    plant: () => ({
      reducer: {
        applyChange: (message, change) => {
          const changed = applyChange(message, change);
          if (change.type !== 'edit') return changed;
          const { mentions, ...rest } = changed;
          return message.mentions ? { ...rest, mentions: message.mentions } : rest;
        },
      },
    }),
  },
  'page-keeps-reactions': {
    fault: 'Shows the reactions to a deleted message.',
    plant: () => ({
      reducer: {
        applyChange: (message, change) => {
          const changed = applyChange(message, change);
          const { reactions } = message;
          return change.type === 'delete' && reactions ? { ...changed, reactions } : changed;
        },
      },
    }),
  },
  'page-ignores-unreact': {
    fault: 'Shows a reaction that was taken back.',
    plant: () => ({
      reducer: {
        applyChange: (message, change) =>
          change.type === 'unreact' ? message : applyChange(message, change),
      },
    }),
  },
  'page-keeps-quotes': {
    fault: 'Shows in a reply the text that its target had when the reply came.',
    plant: () => ({ reducer: { applyToReply: (message) => message } }),
  },
};

/** @type {Readonly<Record<string, Mutant>>} */
export const mutants = Object.fromEntries(
  Object.entries({
    ...{ sequencer, storage, database, room, presence, session, search, transports, nodes, workers, page },
  }).flatMap(([place, group]) => Object.entries(group).map(([name, mutant]) => [name, { place, ...mutant }])),
);

/** Returns the processes that a mutant needs. @param {string} name */
export function arrangementOf(name) {
  const place = mutants[name]?.place;
  return { nodes: place === 'nodes' ? 2 : 0, workers: place === 'workers' ? 2 : 0 };
}

/**
 * Returns the reducer of the readers when a mutant is planted; undefined for the real one.
 * @param {string} name
 */
export function reducerOf(name) {
  const mutant = mutants[name];
  const reducer = mutant?.place === 'page' ? mutant.plant().reducer : undefined;
  return reducer && { applyChange, applyToReply, ...reducer };
}

/**
 * Starts the real server after a mutant was planted. Its workers run this script, too.
 * @param {string} name
 */
async function startReal(name) {
  mutants[name]?.plant();
  process.env['MUTANT'] = name;
  process.argv.splice(2);
  await import('../../dist/main.js');
}

/** @param {string} name a mutant; 'none' plants nothing */
function start(name) {
  const mutant = mutants[name];
  if (mutant?.place === 'workers') return void startReal(name);
  if (!mutant && name !== 'none') throw new Error(`there is no mutant ${name}`);
  const { onHttp, check, reducer, wrapLink, ...dependencies } = mutant?.plant() ?? {};
  const config = readConfig(process.env);
  const server = createServer(config, {
    logger: pino({ level: 'silent' }),
    ...(config.redis ? { createSequencer: onLink(wrapLink) } : {}),
    ...dependencies,
  });
  check?.();
  onHttp?.(server.http);
  process.on('SIGTERM', () => server.close().then(() => process.exit(0)));
  server.http.listen(config.port, config.host, () => process.stdout.write('listening\n'));
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  start(process.argv[2] ?? process.env['MUTANT'] ?? 'none');
