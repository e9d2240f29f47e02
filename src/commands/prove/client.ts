/**
 * Somebody who talks: at random times, over the socket or over HTTP, sometimes over both. What is said stays in the
 * outbox, and is sent again with its cid, until the server has acknowledged it on the way on which it was sent. Its
 * connections are cut at random; the server's death it notices as a page would.
 */
import type { Heard } from './frames.js';
import { Line } from './line.js';
import { between, type Random } from './random.js';
import type { Visitor } from './visitor.js';
import type { Witness } from './witness.js';

/** Messages that may wait at once: who gets no answer falls silent. */
const OUTBOX = 16;
/** Of a hundred messages: over HTTP, twice at the same time, and HTTP requests that are cut half way. */
const CHANCE = { http: 40, twice: 8, quit: 10 } as const;
/** Milliseconds, at random: between two messages, between two cuts, before the next try over HTTP. */
const PAUSE = { speak: [2, 40], cut: [150, 2500], retry: [5, 60], quit: [0, 12] } as const;
/** Errors that a retry may cure. */
const PASSING = ['stopping', 'storage', 'too_fast'];

export class Client {
  readonly line: Line;
  readonly #name: string;
  readonly #visitor: Visitor;
  readonly #witness: Witness;
  readonly #random: Random;
  /** what goes over the socket and is not acknowledged, in order, by cid */
  readonly #unheard = new Map<string, string>();
  #posting = 0;
  #said = 0;
  #speaking: NodeJS.Timeout | undefined;
  #cutting: NodeJS.Timeout | undefined;
  readonly #over = new AbortController();

  constructor(name: string, visitor: Visitor, witness: Witness, random: Random) {
    this.#name = name;
    this.#visitor = visitor;
    this.#witness = witness;
    this.#random = random;
    const opened = (): void => this.#sendAgain();
    this.line = new Line(name, visitor, witness, random, { opened, heard: (frame) => this.#heard(frame) });
  }

  get waiting(): number {
    return this.#unheard.size + this.#posting;
  }

  start(): void {
    this.line.connect();
    this.#speak();
    this.#cut();
  }

  /** Says nothing new and is cut no more; what waits is still sent. */
  calmDown(): void {
    clearTimeout(this.#speaking);
    clearTimeout(this.#cutting);
  }

  end(): void {
    this.calmDown();
    this.#over.abort();
    this.line.end();
  }

  #speak(): void {
    if (this.waiting < OUTBOX) this.#say();
    this.#speaking = setTimeout(() => this.#speak(), between(this.#random, ...PAUSE.speak));
  }

  #cut(): void {
    const soon = between(this.#random, ...PAUSE.cut);
    this.#cutting = setTimeout(() => {
      this.line.cut();
      this.#cut();
    }, soon);
  }

  #say(): void {
    const cid = `${this.#name}-${++this.#said}`;
    const data = `${cid} ${'.'.repeat(between(this.#random, 1, 200))}`;
    const [http, twice] = [this.#chance('http'), this.#chance('twice')];
    const turn = http || twice ? undefined : this.#said;
    this.#witness.sent.set(cid, { author: this.#visitor.id, data, turn, id: undefined });
    if (http || twice) void this.#post(cid, data);
    if (http && twice) void this.#post(cid, data);
    if (!http) {
      this.#unheard.set(cid, data);
      this.line.send({ type: 'chat', data, cid });
    }
  }

  #sendAgain(): void {
    for (const [cid, data] of this.#unheard) {
      this.#witness.resent++;
      this.line.send({ type: 'chat', data, cid });
    }
  }

  /** Over HTTP, until there is an answer. */
  async #post(cid: string, data: string): Promise<void> {
    this.#posting++;
    for (let tries = 0; !this.#over.signal.aborted; tries++) {
      if (tries > 0) this.#witness.resent++;
      const answer = await this.#visitor.post(data, cid, this.#quitting());
      if (answer.kind === 'kept') this.#witness.acknowledge(cid, answer.told.id);
      else if (answer.kind === 'refused')
        this.#witness.accuse('refused', `POST of ${cid}: ${answer.status} ${answer.body}`);
      if (answer.kind !== 'later') break;
      await new Promise((resolve) => setTimeout(resolve, between(this.#random, ...PAUSE.retry)));
    }
    this.#posting--;
  }

  /** Most requests are waited for; some are left in the middle. */
  #quitting(): AbortSignal {
    if (!this.#chance('quit')) return this.#over.signal;
    return AbortSignal.timeout(between(this.#random, ...PAUSE.quit));
  }

  #heard(frame: Heard): void {
    if (frame.kind === 'told' && frame.told.author === this.#visitor.id) this.#kept(frame.cid, frame.told.id);
    else if (frame.kind === 'ack') this.#kept(frame.cid, frame.id);
    else if (frame.kind === 'error' && !PASSING.includes(frame.code))
      this.#witness.accuse('refused', `${frame.cid}: ${frame.code} ${frame.message}`);
    else if (frame.kind === 'error') this.line.cut(); // comes back and sends all again, in order
  }

  #kept(cid: string | undefined, id: number): void {
    if (cid === undefined) return;
    this.#witness.acknowledge(cid, id);
    this.#unheard.delete(cid);
  }

  #chance(what: keyof typeof CHANCE): boolean {
    return this.#random() * 100 < CHANCE[what];
  }
}
