/**
 * Loads pages of a room's log into its timeline: gaps, older and newer events, and a window around a number.
 * A page that is older than the remembered changes is requested again. A page of another epoch is never
 * merged.
 */
import type { Signal } from '@preact/signals';
import { backoffMs, type Clock } from '../../connect/clock.js';
import { pageAround } from '../../shared/protocol.js';
import type { LogEvent, Page } from '../decode.js';
import * as timeline from './timeline.js';

interface PageRange {
  readonly after?: number;
  readonly before?: number;
  readonly limit?: number;
}
/** Resolves with undefined when the server cannot be reached. */
export type LoadPage = (where: PageRange) => Promise<Page | undefined>;

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

export class HistoryLoader {
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
