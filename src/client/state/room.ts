/**
 * One room as this tab knows it: takes frames from the connection, keeps transcript, people, and who is writing. What
 * comes fast is taken in at once and shown together, when the page draws next. It hands on what concerns the outbox.
 * No DOM. How it gets pages is in pages.ts.
 */
import { batch, type ReadonlySignal, signal } from '@preact/signals';
import type { HelloFrame, Problem, User } from '../../shared/protocol.js';
import type { Snapshot } from './answers.js';
import { Arrivals } from './arrivals.js';
import { bare } from './changes.js';
import type { Clock } from './clock.js';
import type { LogEvent } from './events.js';
import type { Frame } from './frames.js';
import { Opening } from './opening.js';
import { type Load, Pages } from './pages.js';
import { isSame, type People } from './people.js';
import { Presence } from './presence.js';
import * as log from './transcript.js';

export interface RoomParts {
  /** A page of this room's log; undefined when the server cannot be reached. */
  readonly load: Load;
  readonly clock: Clock;
  readonly random: () => number;
  /** Calls back when the page is about to draw. */
  readonly soon: (show: () => void) => void;
  /** This cid is in the log. */
  readonly settled: (cid: string) => void;
  /** This cid was refused; for now or for good is not for us to say. */
  readonly refused: (cid: string, problem: Problem) => void;
  /** These have happened since we are here, or while the line was away. */
  readonly news: (events: readonly LogEvent[]) => void;
  /** The log begins anew for us: where to open it (a number, or nothing for its end). */
  readonly start: () => Promise<number | undefined>;
  /** It is open there. */
  readonly opened: () => void;
  /** The log is not the one we know any more: the connection has to begin anew. */
  readonly startOver: () => void;
}

/** So far behind, the place where one stopped is worth more than everything between. */
const FAR = 2_000;

export class Room {
  readonly #parts: RoomParts;
  readonly #transcript = signal(log.EMPTY);
  readonly #presence: Presence;
  readonly #me = signal<User | undefined>(undefined);
  readonly #notice = signal<Problem | undefined>(undefined);
  readonly #pages: Pages;
  readonly #arrivals: Arrivals;
  readonly #opening = new Opening();
  #greetedAt = 0;

  readonly transcript: ReadonlySignal<log.Transcript> = this.#transcript;
  readonly people: ReadonlySignal<People>;
  /** Who is writing now, without me. */
  readonly typing: ReadonlySignal<readonly User[]>;
  /** Who the server says I am; undefined until it has said so. */
  readonly me: ReadonlySignal<User | undefined> = this.#me;
  /** A refusal that belongs to no message of ours. */
  readonly notice: ReadonlySignal<Problem | undefined> = this.#notice;

  constructor(parts: RoomParts) {
    this.#parts = parts;
    this.#presence = new Presence(parts.clock);
    this.people = this.#presence.people;
    this.typing = this.#presence.typing;
    this.#arrivals = new Arrivals(parts.soon, () => this.flush());
    this.#pages = new Pages({
      ...parts,
      transcript: this.#transcript,
      read: (events) => this.#settle(events),
      startOver: () => this.#startOver(),
    });
  }

  /** Where a socket goes on; undefined: from the latest. */
  get place(): { after: number; epoch: string } | undefined {
    this.flush();
    const { seen: after, epoch } = this.#transcript.peek();
    return after === undefined || epoch === undefined ? undefined : { after, epoch };
  }
  take(frame: Frame): void {
    if (frame.type === 'hello') this.#greet(frame);
    else if (frame.type === 'ack') this.#parts.settled(frame.cid);
    else if ('id' in frame) this.#event(frame);
    else if (frame.type !== 'error') this.#presence.take(frame);
    else if (frame.cid === undefined) this.#notice.value = frame.data;
    else this.#parts.refused(frame.cid, frame.data);
  }

  /** What was kept of the window, to be shown until more is known. */
  restore(kept: Parameters<typeof log.restored>[0]): void {
    if (this.#transcript.peek().epoch === undefined) this.#transcript.value = log.restored(kept);
  }

  /** What the page was delivered with: the room is open there at once. */
  begin({ user, page: { epoch, last, messages } }: Pick<Snapshot, 'user' | 'page'>): void {
    this.#me.value = user;
    this.restore({ epoch, seen: last, events: messages.map(bare) });
    this.#settle(messages);
    this.#parts.opened();
  }

  /** Forgets the log: it is another one now. */
  reset(): void {
    this.#arrivals.take();
    this.#transcript.value = log.EMPTY;
  }
  /** Nobody looks at it any more: presence and typing are not told to us now. */
  rest(): void {
    this.flush();
    this.#presence.clear();
    this.#pages.stop();
  }

  pin(pinned: boolean): void {
    this.#transcript.value = log.pin(this.#transcript.peek(), pinned);
  }

  /** Loads what is above the window, when there is any. */
  loadOlder(): Promise<void> {
    return this.#pages.older();
  }

  /** Loads what is below the window, when it was let go. */
  loadNewer(): Promise<void> {
    return this.#pages.newer();
  }

  /** The newest into view. */
  async toLatest(): Promise<void> {
    if (!log.isAttached(this.#transcript.peek())) await this.#pages.latest();
    this.pin(true);
  }

  /** A number into the window; resolves with the message it leads to, or nothing when it cannot be had now. */
  async goTo(id: number): Promise<number | undefined> {
    await this.#opening.now;
    this.flush();
    return this.#pages.goTo(id);
  }

  /** Opens it at a number, or at its end. Until that is decided what the socket brings is not shown. */
  open(start: Promise<number | undefined>): Promise<void> {
    const shown = start.then((id) => (id === undefined ? false : this.#pages.show(id)));
    return this.#opening.begin(shown, () => {
      this.#parts.opened();
      this.flush();
    });
  }

  /** Shows what has come by now. */
  flush(): void {
    const events = this.#opening.now ? [] : this.#arrivals.take();
    if (events.length === 0) return;
    const { seen = this.#greetedAt } = this.#transcript.peek();
    batch(() => {
      this.#transcript.value = log.received(this.#transcript.peek(), events);
      this.#settle(events);
    });
    const news = events.filter(({ id }) => id > seen);
    if (news.length > 0) this.#parts.news(news);
    void this.#pages.fill();
  }

  #greet(hello: HelloFrame): void {
    if (this.#opening.now) this.#arrivals.take(); // they come once more
    this.flush();
    if (!isSame(this.#me.peek(), hello.user)) this.#me.value = hello.user; // all rows look at it
    this.#notice.value = undefined;
    this.#presence.clear();
    const t = this.#transcript.peek();
    const on = log.goesOn(t, hello);
    if (on && hello.last - (t.seen ?? 0) > FAR) return void this.#startOver();
    this.#transcript.value = log.greeted(t, hello);
    if (on) return;
    this.#greetedAt = hello.last;
    void this.open(this.#parts.start());
  }

  #event(event: LogEvent): void {
    this.#presence.spoke(event);
    this.#arrivals.add(event);
  }

  /** Those of mine that are in the log now are not waiting any more. */
  #settle(events: readonly LogEvent[]): void {
    const me = this.#me.peek()?.id;
    for (const event of events) {
      if (event.type !== 'other' && event.user.id === me && event.cid) this.#parts.settled(event.cid);
    }
  }

  #startOver(): void {
    this.reset();
    this.#parts.startOver();
  }
}
