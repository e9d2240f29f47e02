/** Whatever is looked for: what is found is what has it, in order and in pages, wherever in the log it is. */
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { applyBatch } from '../../../src/chat/rules.js';
import type { Command } from '../../../src/chat/types.js';
import type { SearchPage } from '../../../src/shared/protocol.js';
import { databaseFile } from '../../../src/store/database.js';
import { PART } from '../../../src/store/search/short.js';
import { Store } from '../../../src/store/store.js';
import { verify } from '../../../src/store/verify.js';
import { temporaryFolder } from '../../harness.js';

/** Short ones, so that few messages have several, and frequent words in them. */
const ERA = 256;
vi.mock('../../../src/store/search/era.js', () => ({ ERA: 256 }));

const PEOPLE = [
  { id: 'aaaaaaaaaaaa', name: 'Ann' },
  { id: 'bbbbbbbbbbbb', name: 'Bob' },
] as const;
const ROOMS = ['lobby', 'garden'] as const;
/** Frequent ones first; "here" and "there" never meet. */
const WORDS = ['the', 'a', 'of', '上', '海', 'tea', 'pot', '東', 'café', 'rare'] as const;
const APART = /^[上海東]$/;
/** Messages said at a time; after each time a tenth of all is changed. */
const HAPPEN = 400;
const TIMES = 3;

/** One that was said, as it is now: its words, none when it is deleted. */
interface Line {
  readonly room: string;
  readonly id: number;
  readonly person: number;
  words: readonly string[];
}

/** What a search asks for, and as it is typed. */
interface Asked {
  readonly runs: readonly (readonly string[])[];
  readonly from: readonly number[];
  readonly rooms: readonly string[];
  readonly here: string | undefined;
}

/** Chances that are the same each time. */
function chances(): (below: number) => number {
  let state = 7;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** As one types it: no spaces between those that are written without. */
function typed(words: readonly string[]): string {
  return words.reduce((text, word, n) => {
    const together = APART.test(word) && APART.test(words[n - 1] ?? '');
    return text + (n === 0 || together ? '' : ' ') + word;
  }, '');
}

class Talk {
  readonly lines: Line[] = [];
  readonly folder = temporaryFolder();
  readonly #chance = chances();
  readonly #last = new Map<string, number>();

  /** Much is said, and some of it changed: before it is indexed, while that is made quick to search, and after it. */
  async fill(): Promise<Store> {
    let store = new Store(this.folder);
    for (let time = 1; time <= TIMES; time++) {
      store.close();
      store = new Store(this.folder);
      this.#beat(store, HAPPEN);
      this.#change(store, HAPPEN / 20);
      await this.#quickened(store, time === TIMES ? 0 : 1);
      this.#change(store, HAPPEN / 20);
    }
    await complete(store, 'rare');
    return store;
  }

  /** All is indexed, and so many eras that are over are still to be made quick. */
  async #quickened(store: Store, left: number): Promise<void> {
    await complete(store, 'rare');
    const db = new Database(databaseFile(this.folder), { readonly: true });
    const done = db.prepare<[], number | null>('SELECT max(part) FROM shorthand').pluck();
    const end = db.prepare<[], number>('SELECT max(seq) FROM events').pluck().get() ?? 0;
    while (((done.get() ?? -1) + 1) * PART < Math.floor((end + 1) / ERA) * ERA - left * ERA) {
      store.tick();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    db.close();
  }

  #beat(store: Store, count: number): void {
    apply(
      store,
      Array.from({ length: count }, () => this.#say()),
    );
  }

  #say(): Command {
    const person = this.#chance(2);
    const room = ROOMS[this.#chance(2)] ?? 'lobby';
    const words = this.#words();
    this.lines.push({ room, id: this.#number(room), person, words });
    return { kind: 'message', room, user: PEOPLE[person] ?? PEOPLE[0], data: typed(words), at: 0 };
  }

  #words(): string[] {
    const words = Array.from({ length: 1 + this.#chance(8) }, () => {
      const frequent = Math.min(this.#chance(WORDS.length), this.#chance(WORDS.length + 1));
      return WORDS[frequent] ?? 'the';
    });
    return [...words, this.#chance(2) === 0 ? 'here' : 'there'];
  }

  #number(room: string): number {
    const id = (this.#last.get(room) ?? 0) + 1;
    this.#last.set(room, id);
    return id;
  }

  #change(store: Store, count: number): void {
    for (let n = 0; n < count; n++) {
      const line = this.lines[this.#chance(this.lines.length)];
      if (!line || line.words.length === 0) continue;
      const words = this.#chance(3) === 0 ? [] : this.#words();
      const type = words.length === 0 ? 'delete' : 'edit';
      const user = PEOPLE[line.person] ?? PEOPLE[0];
      const { room, id: target } = line;
      apply(store, [{ kind: 'change', type, room, user, target, data: typed(words), at: 0 }]);
      this.#number(line.room);
      line.words = words;
    }
  }

  /** What is to be found, newest first. */
  having({ runs, from, rooms, here }: Asked): string[] {
    return this.lines
      .filter(({ words }) => runs.every((run) => ` ${words.join(' ')} `.includes(` ${run.join(' ')} `)))
      .filter(({ words }) => words.length > 0)
      .filter(({ person }) => from.length === 0 || from.includes(person))
      .filter(({ room }) => (rooms.length === 0 || rooms.includes(room)) && (!here || room === here))
      .map(({ room, id }) => `${room} ${id}`)
      .reverse();
  }
}

function apply(store: Store, commands: readonly Command[]): void {
  const outcomes = applyBatch(commands, store, (error) => {
    throw error;
  });
  for (const { kind } of outcomes) expect(['accepted']).toContain(kind);
}

async function complete(store: Store, q: string, rest: object = {}): Promise<SearchPage> {
  for (;;) {
    const page = await store.search.find({ q, room: undefined, before: undefined, limit: 100, ...rest });
    if (page.complete) return page;
  }
}

/** All pages of a search. */
async function findAll(store: Store, { runs, from, rooms, here }: Asked, limit: number): Promise<string[]> {
  const q = [
    ...runs.map((run) => (run.length === 1 ? typed(run) : `"${typed(run)}"`)),
    ...from.map((person) => `from:${PEOPLE[person]?.name}`),
    ...rooms.map((room) => `in:${room}`),
  ].join(' ');
  const found: string[] = [];
  for (let before: number | undefined; ; ) {
    const { messages, next } = await complete(store, q, { room: here, before, limit });
    found.push(...messages.map(({ room, id }) => `${room} ${id}`));
    if (next === undefined) return found;
    before = next;
  }
}

const word = fc.constantFrom(...WORDS, 'here', 'there', 'nowhere');
const asked: fc.Arbitrary<Asked> = fc.record({
  runs: fc.array(fc.array(word, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 }),
  from: fc.uniqueArray(fc.constantFrom(0, 1), { maxLength: 2 }),
  rooms: fc.uniqueArray(fc.constantFrom(...ROOMS), { maxLength: 2 }),
  here: fc.option(fc.constantFrom(...ROOMS), { nil: undefined, freq: 2 }),
});
/** Runs of frequent words, which more messages have than are read. */
const frequent = fc.constantFrom(...WORDS.slice(0, 5), 'here', 'there');
const phrases: fc.Arbitrary<Asked> = fc.record({
  runs: fc.array(fc.array(frequent, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 2 }),
  from: fc.constant([]),
  rooms: fc.constant([]),
  here: fc.option(fc.constantFrom(...ROOMS), { nil: undefined, freq: 4 }),
});

describe('a search', () => {
  it('finds all that has what is asked for, and nothing else', { timeout: 60_000 }, async () => {
    const talk = new Talk();
    const store = await talk.fill();
    await fc.assert(
      fc.asyncProperty(fc.oneof(asked, phrases), fc.constantFrom(7, 50, 100), async (some, limit) => {
        expect(await findAll(store, some, limit)).toEqual(talk.having(some));
      }),
      { numRuns: 400 },
    );
    store.close();
    expect(verify(databaseFile(talk.folder), () => {}).finding).toBeUndefined();
  });
});
