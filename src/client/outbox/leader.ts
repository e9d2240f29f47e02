/**
 * Runs a task in one tab at a time (Web Locks); another tab takes over when it closes. Without Web Locks
 * every tab runs it. The send loop tolerates that, because the server stores each cid once.
 */
export type LeaderTask = (signal: AbortSignal) => Promise<void>;

export class TabLeader {
  readonly #locks: LockManager | undefined;
  readonly #name: string;
  readonly #task: LeaderTask;
  #stop: AbortController | undefined;
  isLeader = false;

  constructor(locks: LockManager | undefined, name: string, task: LeaderTask) {
    this.#locks = locks;
    this.#name = name;
    this.#task = task;
  }

  /** Waits for leadership, and again after losing it. */
  start(): void {
    this.#compete(false);
  }

  /** Takes leadership from a tab that is stuck; phones freeze background pages. */
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
    const lockLost = new AbortController();
    const task = () => this.#run(AbortSignal.any([signal, lockLost.signal]));
    try {
      if (this.#locks) await this.#locks.request(this.#name, steal ? { steal } : { signal }, task);
      else await task();
    } catch {
      // The wait was aborted or the lock stolen: the loop above decides.
    } finally {
      lockLost.abort();
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
