/**
 * What one person has asked for in one room (to say, edit, delete, react) and the log has not confirmed. What must
 * stay true:
 * 1. A letter is shown as waiting only when it is in the store; it leaves it only when it is in the log, or by its
 *    writer's hand. Before that it is shown as being saved, and not sent.
 * 2. What the store does not take (it fails, or does not answer) is shown as not kept, and sent from this tab all the
 *    same. It is offered to the store again with the next letter, under the same cid.
 * 3. The order is that of the store (`seq`), which all tabs share; what is not in it comes after, as it was said.
 *    A tab puts its letters there one by one, so none is kept, or sent, before one that was said earlier.
 * 4. A cid, once used, is used for the same text only.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Problem } from '../../shared/protocol.js';
import { type Clock, within } from './clock.js';
import { isWaiting, type Letter, type OutboxStore, type Unsent, type Wish } from './letter.js';

/** Said here, and not read back from the store yet. */
interface Fresh extends Letter {
  readonly instead?: string | undefined;
  /** the store takes its time */
  readonly shown?: true;
}

export interface OutboxParts {
  readonly store: OutboxStore;
  readonly user: string;
  readonly room: string;
  readonly newCid: () => string;
  readonly clock: Clock;
  /** The store has changed: the other tabs want to know. */
  readonly changed: () => void;
  /** A letter is not kept: no other tab can see it, so this one has to send. */
  readonly stranded: () => void;
}

/** A store that takes longer than this is not waited for before the letter is shown. */
const LATE_MS = 300;
/** A store that does not answer for so long is given up for now. */
export const PATIENCE_MS = 3_000;

export class Outbox {
  readonly #parts: OutboxParts;
  readonly #letters = signal<readonly Letter[]>([]);
  #kept: readonly Letter[] = [];
  #fresh: readonly Fresh[] = [];
  /** in the log, or dropped: not shown again, whatever a slow read of the store still says */
  readonly #settled = new Set<string>();
  #reads = 0;
  /** the store let us down, and has not taken a letter since */
  #failing = false;
  /** the letters on their way into the store */
  #line = Promise.resolve();

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Waiting and refused ones, in order. */
  get letters(): ReadonlySignal<readonly Letter[]> {
    return this.#letters;
  }

  get next(): Letter | undefined {
    return this.#letters.peek().find(isWaiting);
  }

  /** Asks for something. Resolves when it is kept, or the store has refused it. */
  async post(posting: Wish): Promise<void> {
    const { user, room, newCid, clock } = this.#parts;
    await this.#keep({ user, room, cid: newCid(), posting, at: clock.now() });
  }

  /** It is in the log. */
  async settle(cid: string): Promise<void> {
    if (this.#settled.has(cid)) return;
    this.#settled.add(cid);
    if (this.#find(cid)) await this.drop(cid);
  }

  async refuse(cid: string, problem: Problem): Promise<void> {
    this.#kept = noted(this.#kept, cid, { problem });
    this.#fresh = noted(this.#fresh, cid, { problem });
    this.#show();
    await this.#tell(() => this.#parts.store.refuse(cid, problem));
  }

  /** Sends a refused one again, as the last. Its cid stands for another text if that was the reason: a new one. */
  async again(cid: string): Promise<void> {
    const letter = this.#find(cid);
    if (!letter?.problem) return;
    const { user, room, posting } = letter;
    const next = letter.problem.code === 'cid_conflict' ? this.#parts.newCid() : cid;
    await this.#keep({ user, room, cid: next, posting, at: this.#parts.clock.now() }, cid);
  }

  async drop(cid: string): Promise<void> {
    this.#settled.add(cid);
    this.#fresh = this.#fresh.filter((letter) => letter.cid !== cid);
    this.#show();
    await this.#tell(() => this.#parts.store.remove(cid));
  }

  /** Reads the store again. One that does not answer is not waited for: what was read before stands. */
  reload(): Promise<void> {
    return within(this.#parts.clock, PATIENCE_MS, this.#read());
  }

  /** Of several reads at once the one that began last counts: it knows the most. */
  async #read(): Promise<void> {
    const read = ++this.#reads;
    const written = this.#fresh.filter(({ seq }) => seq !== undefined);
    const all = await this.#parts.store.all(this.#parts.user);
    if (read !== this.#reads) return;
    const replaced = this.#fresh.filter(({ seq }) => seq === undefined).map(({ instead }) => instead);
    this.#kept = all.filter(({ room, cid }) => room === this.#parts.room && !replaced.includes(cid));
    const known = new Set([...this.#kept, ...written].map(({ cid }) => cid));
    this.#fresh = this.#fresh.filter(({ cid }) => !known.has(cid));
    this.#show();
    // The echo can be quicker than the first look into the store.
    for (const { cid } of this.#kept.filter((letter) => this.#settled.has(letter.cid))) await this.drop(cid);
  }

  async #keep(unsent: Unsent, instead?: string): Promise<void> {
    const { cid } = unsent;
    this.#kept = this.#kept.filter((letter) => letter.cid !== instead);
    this.#fresh = [...this.#fresh.filter((letter) => letter.cid !== instead), { ...unsent, instead }];
    this.#show();
    const { clock } = this.#parts;
    const late = clock.after(LATE_MS, () => this.#note(cid, { shown: true }));
    const lost = clock.after(
      PATIENCE_MS,
      () => this.#unwritten((letter) => letter.cid === cid) && this.#giveUp(),
    );
    this.#line = this.#line.then(() => this.#write());
    await this.#line;
    late();
    lost();
  }

  /** Puts what is not in the store there, the oldest first. One that it does not take holds back the later ones. */
  async #write(): Promise<void> {
    try {
      for (let letter = this.#unwritten(); letter; letter = this.#unwritten()) await this.#add(letter);
    } catch {
      this.#giveUp();
    }
  }

  async #add({ user, room, cid, posting, at, instead }: Fresh): Promise<void> {
    const seq = await this.#parts.store.add({ user, room, cid, posting, at }, instead);
    this.#failing = false;
    this.#note(cid, { seq });
    this.#parts.changed();
    await this.reload();
  }

  #unwritten(which: (letter: Fresh) => boolean = () => true): Fresh | undefined {
    return this.#fresh.find((letter) => letter.seq === undefined && !letter.problem && which(letter));
  }

  #giveUp(): void {
    this.#failing = true;
    this.#show();
    if (this.#unwritten()) this.#parts.stranded();
  }

  #note(cid: string, news: Partial<Fresh>): void {
    this.#fresh = noted(this.#fresh, cid, news);
    this.#show();
  }

  /**
   * Writes down what this tab already acts upon. A store that fails now costs nothing: the letter is sent again
   * when the page is opened next, and the server knows its cid.
   */
  #tell(write: () => Promise<void>): Promise<void> {
    return within(this.#parts.clock, PATIENCE_MS, write().then(this.#parts.changed));
  }

  #find(cid: string): Letter | undefined {
    return this.#letters.peek().find((letter) => letter.cid === cid);
  }

  #show(): void {
    const fresh = this.#fresh
      .map((one) => (this.#failing && one.seq === undefined ? { ...one, unkept: true as const } : one))
      .filter(({ shown, unkept, seq, problem }) => shown || unkept || problem || seq !== undefined);
    const all = [...this.#kept, ...fresh].sort((a, b) => place(a) - place(b));
    this.#letters.value = all.filter(({ cid }) => !this.#settled.has(cid));
  }
}

function place({ seq }: Letter): number {
  return seq ?? Number.MAX_SAFE_INTEGER;
}

function noted<T extends Letter>(letters: readonly T[], cid: string, news: Partial<T>): readonly T[] {
  return letters.map((letter) => (letter.cid === cid ? { ...letter, ...news } : letter));
}
