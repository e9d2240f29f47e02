/**
 * The state of one room: log, people, typing. Takes frames from the connection, buffers events until the next
 * rendering, and reports what concerns the outbox. Has no access to the DOM.
 */
import { batch, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { backoffMs, type Clock } from '../../connect/clock.js';
import { type HelloFrame, type Problem, pageAround, type User } from '../../shared/protocol.js';
import type { Frame, LogEvent, Page, Snapshot } from '../decode.js';
import { isSameUser, Presence, type RoomPeople } from './presence.js';
import * as timeline from './timeline.js';
import { withoutEditText } from './timeline.js';

interface RoomStoreDeps {
  readonly load: LoadPage;
  /** the cached user, until the server has named them */
  readonly me?: User | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  /** Calls back before the next rendering. */
  readonly schedule: (flush: () => void) => void;
  /** The log contains this cid. */
  readonly onSettled: (cid: string) => void;
  /** The server rejected this cid, for now or for good. */
  readonly onRefused: (cid: string, problem: Problem) => void;
  /** New events, including those of the time without connection. */
  readonly onEvents: (events: readonly LogEvent[]) => void;
  /** The log starts over: resolves with the number to open it at, or undefined for its end. */
  readonly start: () => Promise<number | undefined>;
  readonly onOpened: () => void;
  /** The log changed: the connection has to start over. */
  readonly reconnect: () => void;
}

/** Further behind, the room opens at the read position instead of loading everything between. */
const maxResumeGap = 2_000;
/** A fuller buffer is flushed at once. */
const maxBufferedEvents = 1_000;

export class RoomStore {
  readonly #deps: RoomStoreDeps;
  readonly #timeline = signal(timeline.emptyTimeline);
  readonly #presence: Presence;
  readonly #me = signal<User | undefined>(undefined);
  readonly #notice = signal<Problem | undefined>(undefined);
  readonly #loader: HistoryLoader;
  /** received events that are not applied yet */
  #buffer: LogEvent[] = [];
  #flushScheduled = false;
  /** ends when the opening position is known and loaded; live events are held back meanwhile */
  #initialLoad: Promise<void> | undefined;
  #helloLast = 0;

  readonly timeline: ReadonlySignal<timeline.Timeline> = this.#timeline;
  readonly people: ReadonlySignal<RoomPeople>;
  /** Without the user. */
  readonly typing: ReadonlySignal<readonly User[]>;
  /** Undefined until the server has said it. */
  readonly me: ReadonlySignal<User | undefined> = this.#me;
  /** An error that belongs to no message. */
  readonly notice: ReadonlySignal<Problem | undefined> = this.#notice;

  constructor(deps: RoomStoreDeps) {
    this.#deps = deps;
    this.#me.value = deps.me;
    this.#presence = new Presence(deps.clock);
    this.people = this.#presence.people;
    this.typing = this.#presence.typing;
    this.#loader = new HistoryLoader({
      ...deps,
      timeline: this.#timeline,
      onRead: (events) => this.#reportSettled(events),
      startOver: () => this.#startOver(),
    });
  }

  /** Undefined: from the latest. */
  get resumePosition(): { after: number; epoch: string } | undefined {
    this.flush();
    const { seen: after, epoch } = this.#timeline.peek();
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

  /** Of the others, only their number is known. */
  showPeopleCount(count: number): void {
    const me = this.#me.peek();
    this.#presence.showCount(me ? [me] : [], count);
  }

  /** Shows a cached window until the server answers. */
  restore(cached: Parameters<typeof timeline.fromCache>[0]): void {
    if (this.#timeline.peek().epoch === undefined) this.#timeline.value = timeline.fromCache(cached);
  }

  openFromSnapshot({ user, page: { epoch, last, messages } }: Pick<Snapshot, 'user' | 'page'>): void {
    this.#me.value = user;
    this.restore({ epoch, seen: last, events: messages.map(withoutEditText) });
    this.#reportSettled(messages);
    this.#deps.onOpened();
  }

  /** Forgets the log, because it was replaced. */
  reset(): void {
    this.#buffer = [];
    this.#timeline.value = timeline.emptyTimeline;
  }
  /** The connection closes: presence and typing are not received any more. */
  suspend(): void {
    this.flush();
    this.#presence.clearTyping();
    this.#loader.stop();
  }

  pin(pinned: boolean): void {
    this.#timeline.value = timeline.setPinned(this.#timeline.peek(), pinned);
  }

  loadOlder(): Promise<void> {
    return this.#loader.loadOlder();
  }

  loadNewer(): Promise<void> {
    return this.#loader.loadNewer();
  }

  /** Scrolls to the newest message, loading it if necessary. */
  async toLatest(): Promise<void> {
    if (!timeline.isAttached(this.#timeline.peek())) await this.#loader.loadLatest();
    this.pin(true);
  }

  /** Loads a number into the window. Resolves with the message it leads to, or undefined on failure. */
  async goTo(id: number): Promise<number | undefined> {
    await this.#initialLoad;
    this.flush();
    return id > this.#timeline.peek().last ? undefined : this.#loader.goTo(id);
  }

  /** Opens the log at a number or at its end. Live events are held back until then. */
  open(start: Promise<number | undefined>): Promise<void> {
    const loaded = start.then((id) => (id === undefined ? false : this.#loader.loadAround(id)));
    const initialLoad = loaded.then(() => {
      if (this.#initialLoad !== initialLoad) return; // a later one has started
      this.#initialLoad = undefined;
      batch(() => {
        this.#deps.onOpened();
        this.flush();
      });
    });
    this.#initialLoad = initialLoad;
    return initialLoad;
  }

  /** Applies the buffered events. */
  flush(): void {
    if (this.#initialLoad || this.#buffer.length === 0) return;
    const events = this.#buffer;
    this.#buffer = [];
    const { seen = this.#helloLast } = this.#timeline.peek();
    batch(() => {
      this.#timeline.value = timeline.receiveEvents(this.#timeline.peek(), events);
      this.#reportSettled(events);
    });
    const fresh = events.filter(({ id }) => id > seen);
    if (fresh.length > 0) this.#deps.onEvents(fresh);
    void this.#loader.fillGap();
  }

  #onHello(hello: HelloFrame): void {
    if (this.#initialLoad) this.#buffer = []; // the server sends them again
    this.flush();
    if (!isSameUser(this.#me.peek(), hello.user)) this.#me.value = hello.user; // all rows depend on it
    this.#notice.value = undefined;
    this.#presence.clearTyping();
    const t = this.#timeline.peek();
    const isResumed = timeline.canResume(t, hello);
    if (isResumed && hello.last - (t.seen ?? 0) > maxResumeGap) return void this.#startOver();
    this.#timeline.value = timeline.afterHello(t, hello);
    if (isResumed) return;
    this.#helloLast = hello.last;
    void this.open(this.#deps.start());
  }

  #onEvent(event: LogEvent): void {
    this.#presence.onEvent(event);
    this.#buffer.push(event);
    if (this.#buffer.length >= maxBufferedEvents) this.flush();
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#deps.schedule(() => {
      this.#flushScheduled = false;
      this.flush();
    });
  }

  /** Settles the user's own messages. */
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

interface PageRange {
  readonly after?: number;
  readonly before?: number;
  readonly limit?: number;
}
/** Resolves with undefined when the server cannot be reached. */
type LoadPage = (where: PageRange) => Promise<Page | undefined>;

type ApplyPage = (t: timeline.Timeline, page: timeline.LoadedPage) => timeline.Timeline;

interface HistoryLoaderDeps {
  readonly timeline: Signal<timeline.Timeline>;
  readonly load: LoadPage;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onRead: (events: readonly LogEvent[]) => void;
  readonly startOver: () => void;
}

const pageSize = 100;
const gapPageSize = 500;
const maxTries = 3;

/**
 * Loads pages of a room's log into its timeline: gaps, older and newer events, and a window around a number.
 * A page that is older than the remembered changes is requested again. A page of another epoch is never
 * merged.
 */
class HistoryLoader {
  readonly #deps: HistoryLoaderDeps;
  #filling = false;
  #loading = false;
  /** number of the latest jump; older ones are dropped */
  #request = 0;
  #generation = 0;

  constructor(deps: HistoryLoaderDeps) {
    this.#deps = deps;
  }

  async loadOlder(): Promise<void> {
    const t = this.#timeline;
    if (timeline.hasOlder(t))
      await this.#loadOnce({ before: timeline.firstId(t), limit: pageSize }, timeline.prependPage);
  }

  async loadNewer(): Promise<void> {
    const t = this.#timeline;
    if (!timeline.isAttached(t))
      await this.#loadOnce({ after: timeline.lastId(t), limit: pageSize }, timeline.appendPage);
  }

  async loadLatest(): Promise<void> {
    this.#request++;
    await this.#load({ limit: pageSize }, timeline.jumpToLatest);
  }

  /** Resolves with the number of the message that `id` leads to, once it is in the window. */
  async goTo(id: number): Promise<number | undefined> {
    const target = Math.max(1, id);
    if (!(await this.loadAround(target))) return undefined;
    const message = timeline.messageIdAt(this.#timeline, target);
    if (message === undefined || message >= target) return message;
    return (await this.loadAround(message)) ? message : undefined; // the target was a change of an older message
  }

  /** Returns false when the number could not be loaded, or a later jump replaced this one. */
  async loadAround(id: number): Promise<boolean> {
    const request = ++this.#request;
    // A page of long messages may end before it reaches the number. The second one begins with it.
    for (const where of [pageAround(id), { before: id + 1, limit: pageSize }]) {
      if (timeline.containsId(this.#timeline, id)) break;
      await this.#load(where, (t, page) => (request === this.#request ? timeline.replaceWindow(t, page) : t));
    }
    if (request !== this.#request || !timeline.containsId(this.#timeline, id)) return false;
    this.#deps.timeline.value = timeline.setPinned(this.#timeline, false);
    return true;
  }

  /** Loads until the gap is closed or the log has changed. */
  async fillGap(): Promise<void> {
    if (this.#filling) return;
    this.#filling = true;
    const generation = this.#generation;
    let failures = 0;
    for (
      let after = this.#gap();
      after !== undefined && generation === this.#generation;
      after = this.#gap()
    ) {
      await this.#load({ after, limit: gapPageSize }, timeline.fillGap);
      failures = this.#gap() === after ? failures + 1 : 0;
      if (failures > 0) await this.#sleep(backoffMs(failures, this.#deps.random));
    }
    this.#filling = false;
  }

  /** The next connection reports gaps again. */
  stop(): void {
    this.#generation++;
  }

  /** Scrolling asks repeatedly, so only one page loads at a time. */
  async #loadOnce(where: PageRange, apply: ApplyPage): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    await this.#load(where, apply);
    this.#loading = false;
  }

  async #load(where: PageRange, apply: ApplyPage): Promise<void> {
    const { epoch } = this.#timeline;
    for (let tries = 0; tries < maxTries; tries++) {
      const page = await this.#deps.load(where);
      const current = this.#timeline;
      if (!page || current.epoch !== epoch) return;
      if (page.epoch !== epoch) return this.#deps.startOver();
      if (timeline.isStale(current, page)) continue;
      this.#deps.timeline.value = apply(current, page);
      return this.#deps.onRead(page.messages);
    }
  }

  get #timeline(): timeline.Timeline {
    return this.#deps.timeline.peek();
  }

  #gap(): number | undefined {
    return timeline.gapAfter(this.#timeline);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#deps.clock.after(ms, resolve);
    });
  }
}
