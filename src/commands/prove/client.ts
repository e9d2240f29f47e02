/**
 * Somebody who talks, and changes what was said: at random times, over the socket or over HTTP, sometimes over both.
 * What is sent stays in the outbox, and is sent again with its cid, until the server has acknowledged or refused it on
 * the way on which it was sent. Its connections are cut at random; the server's death it notices as a page would.
 */
import type { PostCommand } from '../../shared/protocol.js';
import { choose } from './choice.js';
import type { Heard, Trouble } from './frames.js';
import { Line } from './line.js';
import { between, type Random } from './random.js';
import type { Visitor } from './visitor.js';
import type { Witness } from './witness.js';

/** Commands that may wait at once: who gets no answer falls silent. */
const OUTBOX = 16;
/** Of a hundred commands: over HTTP, twice at the same time; HTTP requests that are cut half way; cuts that last. */
const CHANCE = { http: 40, twice: 8, quit: 10, sleep: 25 } as const;
/** Milliseconds, at random: between two commands, between two cuts, before the next try over HTTP, of a cut that lasts. */
const PAUSE = {
  speak: [2, 40],
  cut: [150, 2500],
  retry: [5, 60],
  quit: [0, 12],
  sleep: [300, 1500],
} as const;
/** Errors that a retry may cure. */
const PASSING = ['stopping', 'storage', 'too_fast'];
/** Errors that are the rules' answer to a change; the judge asks whether they were right. */
const RULES = ['no_message', 'not_yours', 'deleted', 'already_there', 'not_there', 'too_many_reactions'];

interface Waiting {
  readonly posting: PostCommand;
  /** the newest number that anybody knew when it was last sent */
  after: number;
}

export class Client {
  readonly line: Line;
  readonly name: string;
  readonly #visitor: Visitor;
  readonly #witness: Witness;
  readonly #random: Random;
  /** what goes over the socket and is not answered, in order, by cid */
  readonly #unheard = new Map<string, Waiting>();
  #posting = 0;
  #said = 0;
  #speaking: NodeJS.Timeout | undefined;
  #cutting: NodeJS.Timeout | undefined;
  readonly #over = new AbortController();

  constructor(name: string, visitor: Visitor, witness: Witness, random: Random) {
    this.name = name;
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
      this.line.cut(this.#chance('sleep') ? PAUSE.sleep : undefined);
      this.#cut();
    }, soon);
  }

  #say(): void {
    const cid = `${this.name}-${++this.#said}`;
    const posting = choose(this.line.story, this.#random, cid);
    const [http, twice] = [this.#chance('http'), this.#chance('twice')];
    this.#witness.send(cid, this.#visitor.id, posting, http || twice ? undefined : this.#said);
    if (http || twice) void this.#post(cid, posting);
    if (http && twice) void this.#post(cid, posting);
    if (http) return;
    const waiting = { posting, after: 0 };
    this.#unheard.set(cid, waiting);
    this.#send(waiting);
  }

  #send(waiting: Waiting): void {
    waiting.after = this.#witness.last;
    this.line.send(waiting.posting);
  }

  #sendAgain(): void {
    for (const waiting of this.#unheard.values()) {
      this.#witness.resent++;
      this.#send(waiting);
    }
  }

  /** Over HTTP, until there is an answer. */
  async #post(cid: string, posting: PostCommand): Promise<void> {
    this.#posting++;
    for (let tries = 0; !this.#over.signal.aborted; tries++) {
      if (tries > 0) this.#witness.resent++;
      const after = this.#witness.last;
      const answer = await this.#visitor.post(posting, this.#quitting());
      if (answer.kind === 'kept') this.#witness.acknowledge(cid, answer.event.id);
      else if (answer.kind === 'refused') this.#refused(cid, answer.problem, after);
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
    if (frame.kind === 'told' && frame.event.user.id === this.#visitor.id)
      this.#kept(frame.event.cid, frame.event.id);
    else if (frame.kind === 'ack') this.#kept(frame.cid, frame.id);
    else if (frame.kind === 'error' && PASSING.includes(frame.problem.code))
      this.line.cut(); // comes back and sends all again, in order
    else if (frame.kind === 'error') this.#heardNo(frame.cid ?? '', frame.problem);
  }

  #heardNo(cid: string, problem: Trouble): void {
    this.#refused(cid, problem, this.#unheard.get(cid)?.after ?? 0);
    this.#unheard.delete(cid);
  }

  #refused(cid: string, { code, message }: Trouble, after: number): void {
    if (RULES.includes(code)) this.#witness.refuse(cid, code, after);
    else this.#witness.accuse('refused', `${cid}: ${code} ${message}`);
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
