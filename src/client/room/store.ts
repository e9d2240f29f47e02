/**
 * One room as this tab knows it: takes frames from the connection, keeps transcript, people, and who is writing. What
 * comes fast is taken in at once and shown together, when the page draws next. It hands on what concerns the outbox.
 * No DOM. How it gets pages is in pages.ts.
 */
import { batch, type ReadonlySignal, signal } from '@preact/signals';
import type { HelloFrame, Problem, User } from '../../shared/protocol.js';
import type { Clock } from '../clock.js';
import type { Frame, LogEvent, Snapshot } from '../decode.js';
import { HistoryLoader, type LoadPage } from './loader.js';
import { isSameUser, Presence, type RoomPeople } from './presence.js';
import * as timeline from './timeline.js';
import { withoutEditText } from './timeline.js';

export interface RoomStoreDeps {
  /** A page of this room's log; undefined when the server cannot be reached. */
  readonly load: LoadPage;
  readonly clock: Clock;
  readonly random: () => number;
  /** Calls back when the page is about to draw. */
  readonly schedule: (show: () => void) => void;
  /** This cid is in the log. */
  readonly onSettled: (cid: string) => void;
  /** This cid was refused; for now or for good is not for us to say. */
  readonly onRefused: (cid: string, problem: Problem) => void;
  /** These have happened since we are here, or while the line was away. */
  readonly onEvents: (events: readonly LogEvent[]) => void;
  /** The log begins anew for us: where to open it (a number, or nothing for its end). */
  readonly start: () => Promise<number | undefined>;
  /** It is open there. */
  readonly opened: () => void;
  /** The log is not the one we know any more: the connection has to begin anew. */
  readonly reconnect: () => void;
}

/** So far behind, the place where one stopped is worth more than everything between. */
const maxResumeGap = 2_000;

export class RoomStore {
  readonly #deps: RoomStoreDeps;
  readonly #transcript = signal(timeline.emptyTimeline);
  readonly #presence: Presence;
  readonly #me = signal<User | undefined>(undefined);
  readonly #notice = signal<Problem | undefined>(undefined);
  readonly #loader: HistoryLoader;
  readonly #buffer: EventBuffer;
  readonly #initialLoad = new InitialLoad();
  #helloLast = 0;

  readonly transcript: ReadonlySignal<timeline.Timeline> = this.#transcript;
  readonly people: ReadonlySignal<RoomPeople>;
  /** Who is writing now, without me. */
  readonly typing: ReadonlySignal<readonly User[]>;
  /** Who the server says I am; undefined until it has said so. */
  readonly me: ReadonlySignal<User | undefined> = this.#me;
  /** A refusal that belongs to no message of ours. */
  readonly notice: ReadonlySignal<Problem | undefined> = this.#notice;

  constructor(parts: RoomStoreDeps) {
    this.#deps = parts;
    this.#presence = new Presence(parts.clock);
    this.people = this.#presence.people;
    this.typing = this.#presence.typing;
    this.#buffer = new EventBuffer(parts.schedule, () => this.flush());
    this.#loader = new HistoryLoader({
      ...parts,
      transcript: this.#transcript,
      onRead: (events) => this.#reportSettled(events),
      startOver: () => this.#startOver(),
    });
  }

  /** Where a socket goes on; undefined: from the latest. */
  get resumePosition(): { after: number; epoch: string } | undefined {
    this.flush();
    const { seen: after, epoch } = this.#transcript.peek();
    return after === undefined || epoch === undefined ? undefined : { after, epoch };
  }
  receive(frame: Frame): void {
    if (frame.type === 'hello') this.#onHello(frame);
    else if (frame.type === 'ack') this.#deps.onSettled(frame.cid);
    else if ('id' in frame) this.#onEvent(frame);
    else if (frame.type !== 'error') this.#presence.receive(frame);
    else if (frame.cid === undefined) this.#notice.value = frame.data;
    else this.#deps.onRefused(frame.cid, frame.data);
  }

  /** What was kept of the window, to be shown until more is known. */
  restore(kept: Parameters<typeof timeline.fromCache>[0]): void {
    if (this.#transcript.peek().epoch === undefined) this.#transcript.value = timeline.fromCache(kept);
  }

  /** What the page was delivered with: the room is open there at once. */
  openFromSnapshot({ user, page: { epoch, last, messages } }: Pick<Snapshot, 'user' | 'page'>): void {
    this.#me.value = user;
    this.restore({ epoch, seen: last, events: messages.map(withoutEditText) });
    this.#reportSettled(messages);
    this.#deps.opened();
  }

  /** Forgets the log: it is another one now. */
  reset(): void {
    this.#buffer.take();
    this.#transcript.value = timeline.emptyTimeline;
  }
  /** Nobody looks at it any more: presence and typing are not told to us now. */
  suspend(): void {
    this.flush();
    this.#presence.clearTyping();
    this.#loader.stop();
  }

  pin(pinned: boolean): void {
    this.#transcript.value = timeline.setPinned(this.#transcript.peek(), pinned);
  }

  /** Loads what is above the window, when there is any. */
  loadOlder(): Promise<void> {
    return this.#loader.loadOlder();
  }

  /** Loads what is below the window, when it was let go. */
  loadNewer(): Promise<void> {
    return this.#loader.loadNewer();
  }

  /** The newest into view. */
  async toLatest(): Promise<void> {
    if (!timeline.isAttached(this.#transcript.peek())) await this.#loader.loadLatest();
    this.pin(true);
  }

  /** A number into the window; resolves with the message it leads to, or nothing when it cannot be had now. */
  async goTo(id: number): Promise<number | undefined> {
    await this.#initialLoad.pending;
    this.flush();
    return this.#loader.goTo(id);
  }

  /** Opens it at a number, or at its end. Until that is decided what the socket brings is not shown. */
  open(start: Promise<number | undefined>): Promise<void> {
    const shown = start.then((id) => (id === undefined ? false : this.#loader.loadAround(id)));
    return this.#initialLoad.start(shown, () => {
      this.#deps.opened();
      this.flush();
    });
  }

  /** Shows what has come by now. */
  flush(): void {
    const events = this.#initialLoad.pending ? [] : this.#buffer.take();
    if (events.length === 0) return;
    const { seen = this.#helloLast } = this.#transcript.peek();
    batch(() => {
      this.#transcript.value = timeline.receiveEvents(this.#transcript.peek(), events);
      this.#reportSettled(events);
    });
    const news = events.filter(({ id }) => id > seen);
    if (news.length > 0) this.#deps.onEvents(news);
    void this.#loader.fillGap();
  }

  #onHello(hello: HelloFrame): void {
    if (this.#initialLoad.pending) this.#buffer.take(); // they come once more
    this.flush();
    if (!isSameUser(this.#me.peek(), hello.user)) this.#me.value = hello.user; // all rows look at it
    this.#notice.value = undefined;
    this.#presence.clearTyping();
    const t = this.#transcript.peek();
    const on = timeline.canResume(t, hello);
    if (on && hello.last - (t.seen ?? 0) > maxResumeGap) return void this.#startOver();
    this.#transcript.value = timeline.afterHello(t, hello);
    if (on) return;
    this.#helloLast = hello.last;
    void this.open(this.#deps.start());
  }

  #onEvent(event: LogEvent): void {
    this.#presence.onEvent(event);
    this.#buffer.add(event);
  }

  /** Those of mine that are in the log now are not waiting any more. */
  #reportSettled(events: readonly LogEvent[]): void {
    const me = this.#me.peek()?.id;
    for (const event of events) {
      if (event.type !== 'other' && event.user.id === me && event.cid) this.#deps.onSettled(event.cid);
    }
  }

  #startOver(): void {
    this.reset();
    this.#deps.reconnect();
  }
}

/** Events as they come from the socket, however fast, handed on together when the page draws next. */

/** More than this is not left waiting for the next drawing. */
const maxBufferedEvents = 1_000;

export class EventBuffer {
  readonly #schedule: (show: () => void) => void;
  readonly #flush: () => void;
  #events: LogEvent[] = [];
  #scheduled = false;

  /** `soon` calls back when the page is about to draw; `show` takes what is here. */
  constructor(soon: (show: () => void) => void, show: () => void) {
    this.#schedule = soon;
    this.#flush = show;
  }

  add(event: LogEvent): void {
    this.#events.push(event);
    if (this.#events.length >= maxBufferedEvents) this.#flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  take(): readonly LogEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}

/** The time until it is decided where a room opens: what the socket brings meanwhile is not shown. */

export class InitialLoad {
  #pending: Promise<void> | undefined;

  /** Ends with the opening; undefined when the room is open. */
  get pending(): Promise<void> | undefined {
    return this.#pending;
  }

  /** Calls `opened` once the place is shown, unless another opening has begun meanwhile. */
  start(shown: Promise<unknown>, opened: () => void): Promise<void> {
    const now = shown.then(() => {
      if (this.#pending !== now) return;
      this.#pending = undefined;
      batch(opened);
    });
    this.#pending = now;
    return now;
  }
}
