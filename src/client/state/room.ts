/**
 * One room as this tab knows it: takes frames from the connection, keeps transcript and people, fills holes, loads
 * pages. It hands on what concerns the outbox. No DOM.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { HelloFrame, Problem, User } from '../../protocol.js';
import { backoff } from './backoff.js';
import type { Clock } from './clock.js';
import type { Frame, LogEvent, Page } from './frames.js';
import { NOBODY, type People, people } from './people.js';
import * as log from './transcript.js';

type Where = { readonly after?: number; readonly before?: number; readonly limit?: number };
type Add = (t: log.Transcript, events: readonly LogEvent[]) => log.Transcript;

export interface RoomParts {
  /** A page of this room's log; undefined when the server cannot be reached. */
  readonly load: (where: Where) => Promise<Page | undefined>;
  readonly clock: Clock;
  readonly random: () => number;
  /** This cid is in the log. */
  readonly settled: (cid: string) => void;
  /** This cid was refused; for now or for good is not for us to say. */
  readonly refused: (cid: string, problem: Problem) => void;
  /** The log is not the one we know any more: the connection has to begin anew. */
  readonly startOver: () => void;
}

const PAGE = 100;
const HOLE_PAGE = 500;
/** So far behind, the latest page is worth more than everything between. */
const FAR = 2_000;

export class Room {
  readonly #parts: RoomParts;
  readonly #transcript = signal(log.EMPTY);
  readonly #people = signal<People>(NOBODY);
  readonly #typing = signal<readonly User[]>([]);
  readonly #me = signal<User | undefined>(undefined);
  readonly #notice = signal<Problem | undefined>(undefined);
  #filling = false;
  #turning = false;

  constructor(parts: RoomParts) {
    this.#parts = parts;
  }

  get transcript(): ReadonlySignal<log.Transcript> {
    return this.#transcript;
  }
  get people(): ReadonlySignal<People> {
    return this.#people;
  }
  /** Who is writing now, without me. */
  get typing(): ReadonlySignal<readonly User[]> {
    return this.#typing;
  }
  /** Who the server says I am; undefined until the first hello. */
  get me(): ReadonlySignal<User | undefined> {
    return this.#me;
  }
  /** A refusal that belongs to no message of ours. */
  get notice(): ReadonlySignal<Problem | undefined> {
    return this.#notice;
  }

  /** Where a socket goes on; undefined: from the latest. */
  get place(): { after: number; epoch: string } | undefined {
    const { seen, epoch } = this.#transcript.peek();
    return seen === undefined || epoch === undefined ? undefined : { after: seen, epoch };
  }

  take(frame: Frame): void {
    if (frame.type === 'hello') this.#greet(frame);
    else if (frame.type === 'chat' || frame.type === 'other') this.#event(frame);
    else if (frame.type === 'ack') this.#parts.settled(frame.cid);
    else if (frame.type === 'error') this.#refused(frame.data, frame.cid);
    else this.#people.value = people(this.#people.peek(), frame);
  }

  /** Forgets the log: it is another one now. */
  reset(): void {
    this.#transcript.value = log.EMPTY;
  }

  pin(pinned: boolean): void {
    this.#transcript.value = log.pin(this.#transcript.peek(), pinned);
  }

  /** Loads what is above the window, when there is any. */
  async loadOlder(): Promise<void> {
    const t = this.#transcript.peek();
    if (log.hasOlder(t)) await this.#turn({ before: log.top(t), limit: PAGE }, log.older);
  }

  /** Loads what is below the window, when it was let go. */
  async loadNewer(): Promise<void> {
    const t = this.#transcript.peek();
    if (!log.isAttached(t)) await this.#turn({ after: log.bottom(t), limit: PAGE }, log.newer);
  }

  /** The newest into view. */
  async toLatest(): Promise<void> {
    if (!log.isAttached(this.#transcript.peek())) await this.#page({ limit: PAGE }, log.jumped);
    this.pin(true);
  }

  #greet(hello: HelloFrame): void {
    this.#me.value = hello.user;
    this.#notice.value = undefined;
    const t = this.#transcript.peek();
    if (t.seen !== undefined && hello.complete && hello.last - t.seen > FAR) this.#startOver();
    else this.#transcript.value = log.greeted(t, hello);
  }

  #event(event: LogEvent): void {
    this.#transcript.value = log.received(this.#transcript.peek(), event);
    this.#settle([event]);
    void this.#fill();
  }

  /** Those of mine that are in the log now are not waiting any more. */
  #settle(events: readonly LogEvent[]): void {
    const me = this.#me.peek()?.id;
    for (const event of events) {
      if (event.type === 'chat' && event.user.id === me && event.cid) this.#parts.settled(event.cid);
    }
  }

  #refused(problem: Problem, cid?: string): void {
    if (cid !== undefined) this.#parts.refused(cid, problem);
    else this.#notice.value = problem;
  }

  /** While there is a hole: loads what is missing, again and again until it is closed or the log is another one. */
  async #fill(): Promise<void> {
    if (this.#filling) return;
    this.#filling = true;
    let failures = 0;
    for (let after = this.#hole(); after !== undefined; after = this.#hole()) {
      await this.#page({ after, limit: HOLE_PAGE }, log.filled);
      failures = this.#hole() === after ? failures + 1 : 0;
      if (failures > 0) await this.#wait(backoff(failures, this.#parts.random));
    }
    this.#filling = false;
  }

  #hole(): number | undefined {
    return log.holeAfter(this.#transcript.peek());
  }

  /** One page at a time: scrolling asks for the same again and again. */
  async #turn(where: Where, add: Add): Promise<void> {
    if (this.#turning) return;
    this.#turning = true;
    await this.#page(where, add);
    this.#turning = false;
  }

  async #page(where: Where, add: Add): Promise<void> {
    const { epoch } = this.#transcript.peek();
    const page = await this.#parts.load(where);
    const now = this.#transcript.peek();
    if (!page || now.epoch !== epoch) return;
    if (page.epoch === epoch) this.#transcript.value = add(now, page.messages);
    else this.#startOver();
    this.#settle(page.messages);
  }

  #startOver(): void {
    this.reset();
    this.#parts.startOver();
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.clock.after(ms, resolve);
    });
  }
}
