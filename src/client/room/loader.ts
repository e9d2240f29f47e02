/**
 * Loads pages of a room's log into its transcript: to close holes, on the way up and down, around a number. One that
 * was read before changes which are not remembered is asked for again; one of another log is not mixed in.
 */
import type { Signal } from '@preact/signals';
import { pageAround } from '../../shared/protocol.js';
import { backoffMs, type Clock } from '../clock.js';
import type { LogEvent, Page } from '../decode.js';
import * as timeline from './timeline.js';

export interface PageRange {
  readonly after?: number;
  readonly before?: number;
  readonly limit?: number;
}
/** undefined when the server cannot be reached */
export type LoadPage = (where: PageRange) => Promise<Page | undefined>;

type ApplyPage = (t: timeline.Timeline, page: timeline.LoadedPage) => timeline.Timeline;

export interface HistoryLoaderDeps {
  readonly transcript: Signal<timeline.Timeline>;
  readonly load: LoadPage;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onRead: (events: readonly LogEvent[]) => void;
  readonly startOver: () => void;
}

const pageSize = 100;
const gapPageSize = 500;
const maxTries = 3;

export class HistoryLoader {
  readonly #deps: HistoryLoaderDeps;
  #filling = false;
  #loading = false;
  /** Places asked for: only the newest wish is fulfilled. */
  #request = 0;
  #generation = 0;

  constructor(parts: HistoryLoaderDeps) {
    this.#deps = parts;
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

  /** Resolves with the message that the number leads to, once it is in the window. */
  async goTo(id: number): Promise<number | undefined> {
    const asked = Math.max(1, Math.min(id, this.#timeline.last));
    if (!(await this.loadAround(asked))) return undefined;
    const message = timeline.messageIdAt(this.#timeline, asked);
    if (message === undefined || message >= asked) return message;
    return (await this.loadAround(message)) ? message : undefined; // asked was a change of one further up
  }

  /** True when the number is in the window now; false also when another place was asked for meanwhile. */
  async loadAround(id: number): Promise<boolean> {
    const wish = ++this.#request;
    if (!timeline.containsId(this.#timeline, id)) {
      await this.#load(pageAround(id), (t, page) =>
        wish === this.#request ? timeline.replaceWindow(t, page) : t,
      );
    }
    if (wish !== this.#request || !timeline.containsId(this.#timeline, id)) return false;
    this.#deps.transcript.value = timeline.setPinned(this.#timeline, false);
    return true;
  }

  /** While there is a hole: loads what is missing, again and again until it is closed or the log is another one. */
  async fillGap(): Promise<void> {
    if (this.#filling) return;
    this.#filling = true;
    const life = this.#generation;
    let failures = 0;
    for (let after = this.#gap(); after !== undefined && life === this.#generation; after = this.#gap()) {
      await this.#load({ after, limit: gapPageSize }, timeline.fillGap);
      failures = this.#gap() === after ? failures + 1 : 0;
      if (failures > 0) await this.#sleep(backoffMs(failures, this.#deps.random));
    }
    this.#filling = false;
  }

  /** The socket will tell again what is missing. */
  stop(): void {
    this.#generation++;
  }

  /** One page at a time: scrolling asks for the same again and again. */
  async #loadOnce(where: PageRange, add: ApplyPage): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    await this.#load(where, add);
    this.#loading = false;
  }

  async #load(where: PageRange, add: ApplyPage): Promise<void> {
    const { epoch } = this.#timeline;
    for (let tries = 0; tries < maxTries; tries++) {
      const page = await this.#deps.load(where);
      const now = this.#timeline;
      if (!page || now.epoch !== epoch) return;
      if (page.epoch !== epoch) return this.#deps.startOver();
      if (timeline.isStale(now, page)) continue;
      this.#deps.transcript.value = add(now, page);
      return this.#deps.onRead(page.messages);
    }
  }

  get #timeline(): timeline.Timeline {
    return this.#deps.transcript.peek();
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
