/** After every transaction, kept or not, shorthand is what the index has, and so are bits: whatever is said, changed, killed. */
import type Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { databaseFile, openDatabase } from '../../../src/store/database.js';
import { noBits, seqsOf } from '../../../src/store/search/bits.js';
import { WordIndex } from '../../../src/store/search/index.js';
import { narrow, PART, partOf, shortOf, shortsOf } from '../../../src/store/search/short.js';
import { faultOfFrequent, faultOfShorthand } from '../../../src/store/search/sound.js';
import { temporaryFolder } from '../../harness.js';

const ERA = 256;
vi.mock('../../../src/store/search/era.js', () => ({ ERA: 256 }));

/** The last ones are in few messages. */
const WORDS = ['the', 'of', '上', '海', '😀', 'tea', 'rare', 'seldom'];

/** What may happen; numbers are taken modulo what there is. "made" is the first message of the part that is made, and the index follows. */
type Step =
  | { readonly kind: 'say'; readonly count: number; readonly chance: number }
  | { readonly kind: 'edit'; readonly at: number | 'made'; readonly chance: number }
  | { readonly kind: 'delete'; readonly at: number | 'made' }
  | { readonly kind: 'work'; readonly pieces: number; readonly kept: boolean }
  | { readonly kind: 'index' }
  | { readonly kind: 'kill' };

/** A log without the rest of the server. */
class Log {
  readonly db: Database.Database;
  index: WordIndex;
  #end = 0;

  constructor() {
    this.db = openDatabase(databaseFile(temporaryFolder()));
    this.db.exec(`PRAGMA synchronous = OFF;
      INSERT INTO people (id, name, seen) VALUES ('a', 'Ann', 0); INSERT INTO rooms (name, last, at) VALUES ('lobby', 0, 0)`);
    this.index = new WordIndex(this.db);
  }

  do(step: Step): void {
    if (step.kind === 'say') this.#say(step.count, step.chance);
    else if (step.kind === 'edit') this.#change(step.at, textOf(step.chance));
    else if (step.kind === 'delete') this.#change(step.at, undefined);
    else if (step.kind === 'work') for (let n = 0; n < step.pieces; n++) this.#work(step.kept || n % 7 > 0);
    else if (step.kind === 'index') this.#index();
    else this.index = new WordIndex(this.db);
  }

  #say(count: number, chance: number): void {
    const say = this.db.prepare(
      "INSERT INTO events (room, id, messages, type, person, name, data, at) VALUES (1, ?, 0, 'chat', 1, 'Ann', ?, 0)",
    );
    this.db.transaction(() => {
      for (let n = 0; n < count; n++) say.run(++this.#end, textOf(chance + n * 7919));
    })();
  }

  #change(at: number | 'made', text: string | undefined): void {
    const seq = at === 'made' ? this.#made() : 1 + (at % this.#end);
    const was = this.db
      .prepare<[number], { text: string; deleted: number | null }>(
        'SELECT coalesce(text, data) AS text, deleted FROM events WHERE seq = ?',
      )
      .get(seq);
    if (was === undefined || was.deleted !== null) return;
    this.db.transaction(() => {
      this.index.outdate({ key: seq, roomKey: 1, text: was.text }, { key: 1 });
      this.db
        .prepare('UPDATE events SET text = ?, deleted = ? WHERE seq = ?')
        .run(text, text === undefined ? 1 : null, seq);
      if (text === undefined) this.db.prepare("UPDATE events SET data = '' WHERE seq = ?").run(seq);
    })();
    if (at === 'made') this.#index();
  }

  #made(): number {
    const last = this.db.prepare<[], number | null>('SELECT max(part) FROM shorthand').pluck().get() ?? -1;
    return Math.max(1, (last + 1) * PART);
  }

  #index(): void {
    while (this.index.behind) this.#transact(() => this.index.work(performance.now()), true);
  }

  /** The smallest piece there is. */
  #work(kept: boolean): void {
    const { frequent, shorthand, reach } = this.index;
    if (frequent.behind(reach)) this.#transact(() => frequent.work(), kept);
    else if (shorthand.behind) this.#transact(() => shorthand.work(0), kept);
    else if (this.index.behind) this.#transact(() => this.index.work(0), kept);
  }

  /** As the store does it: when it is not kept, nothing of it may be. */
  #transact(work: () => () => void, kept: boolean): void {
    const disk = new Error('the disk is full');
    const all = this.db.transaction(() => {
      const after = work();
      if (!kept) throw disk;
      return after;
    });
    try {
      all()();
    } catch (error) {
      if (error !== disk) throw error;
    }
  }
}

function textOf(chance: number): string {
  const size = chance % 11;
  return Array.from({ length: size }, (_, n) => {
    const one = (chance * (n + 3) * 40_503) >>> 4;
    return WORDS[Math.min(one % 8, (one >>> 5) % 8)] ?? '';
  }).join(' ');
}

const number = fc.nat(100_000);
const place = fc.oneof(number, fc.constant<'made'>('made'));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('say'), count: fc.nat(200), chance: number }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('edit'), at: place, chance: number }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete'), at: place }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('work'),
      pieces: fc.oneof(fc.nat(5), fc.nat(60)),
      kept: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('index') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill') }) },
);

describe('shorthand', () => {
  it('is what the index has, after every step', { timeout: 60_000 }, () => {
    let parts = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 40 }), (steps) => {
        const log = new Log();
        log.do({ kind: 'say', count: 2 * ERA, chance: 1 });
        log.do({ kind: 'index' });
        for (const one of steps) {
          log.do(one);
          expect(faultOfShorthand(log.db)).toBeUndefined();
        }
        expect(faultOfFrequent(log.db)).toBeUndefined();
        parts += log.db.prepare<[], number>('SELECT count(*) FROM shorthand').pluck().get() ?? 0;
        log.db.close();
      }),
      { numRuns: 30 },
    );
    expect(parts).toBeGreaterThan(100);
  });
});

describe('a part', () => {
  const codes = new Map([
    ['the', 1],
    ['of', 2],
  ]);

  it('keeps each message, the frequent words of it in their order', () => {
    const texts = ['the of', '', 'a the b c of d', 'the the'];
    const shorts = Array.from({ length: 32 }, (_, n) => shortOf((texts[n] ?? '').split(' '), codes));
    expect(shorts.slice(0, 4).map((short) => [...short])).toEqual([[1, 2], [], [0, 1, 0, 2, 0], [1, 1]]);
    expect(shortsOf(partOf(shorts)).map((short) => [...short])).toEqual(shorts.map((short) => [...short]));
  });

  it('tells who may have a run, also where there was no room', () => {
    const texts = ['the of', 'of the', 'the', 'of', 'a the of', 'the a of', 'of the of'];
    const shorts = Array.from({ length: PART }, (_, n) => shortOf((texts[n] ?? '').split(' '), codes));
    const narrowed = (part: Buffer, run: string): number[] => {
      const bits = noBits().fill(0xffffffff);
      narrow(bits, PART, part, shortOf(run.split(' '), codes));
      expect(seqsOf(bits, 0, PART, ERA)).toHaveLength(PART); // of other parts nothing is told
      return seqsOf(bits, 0, 2 * PART, PART).flatMap((seq) => (seq < PART ? [] : [seq - PART]));
    };
    expect(narrowed(partOf(shorts), 'the of')).toEqual([6, 4, 0]);
    expect(narrowed(partOf(shorts), 'of the of')).toEqual([6]);
    expect(narrowed(partOf(shorts), 'the the')).toEqual([]);
    const long = shortOf(Array<string>(4000).fill('of'), codes);
    expect(narrowed(partOf([...shorts.slice(1), long]), 'the of')).toEqual([PART - 1, 5, 3]);
    expect(narrowed(partOf([...shorts.slice(1), long]), 'the the')).toEqual([PART - 1]);
  });

  it('has a bound, whatever people write', () => {
    const long = shortOf(Array<string>(4000).fill('the'), codes);
    const part = partOf(Array<Buffer>(32).fill(long));
    expect(part.length).toBeLessThan(32 * 50);
    expect(shortsOf(part)).toHaveLength(32);
  });
});
