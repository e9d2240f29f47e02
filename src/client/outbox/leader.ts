/**
 * One tab at a time does the work of a name (Web Locks); when it is closed the next takes over. Where there are no
 * Web Locks (a page over plain http) every tab does it: drain.ts is safe even so, it only asks the server twice.
 */
export type LeaderTask = (signal: AbortSignal) => Promise<void>;

export class TabLeader {
  readonly #locks: LockManager | undefined;
  readonly #name: string;
  readonly #task: LeaderTask;
  #stop: AbortController | undefined;
  isLeader = false;

  constructor(locks: LockManager | undefined, name: string, work: LeaderTask) {
    this.#locks = locks;
    this.#name = name;
    this.#task = work;
  }

  /** Stands in line for the work, and again whenever it was taken away. */
  start(): void {
    this.#compete(false);
  }

  /** Takes the work from a tab that holds it and does not do it: phones freeze pages in the background. */
  steal(): void {
    if (!this.isLeader) this.#compete(true);
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = undefined;
  }

  async #compete(steal: boolean): Promise<void> {
    this.stop();
    const stop = new AbortController();
    this.#stop = stop;
    await this.#lead(stop.signal, steal);
    while (!stop.signal.aborted) await this.#lead(stop.signal, false);
  }

  async #lead(signal: AbortSignal, steal: boolean): Promise<void> {
    const taken = new AbortController();
    const work = () => this.#run(AbortSignal.any([signal, taken.signal]));
    try {
      if (this.#locks) await this.#locks.request(this.#name, steal ? { steal } : { signal }, work);
      else await work();
    } catch {
      // Aborted while in line, or the lock was stolen: the loop above decides.
    } finally {
      taken.abort();
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.isLeader = true;
    try {
      await this.#task(signal);
    } finally {
      this.isLeader = false;
    }
  }
}
