/**
 * One tab at a time does the work of a name (Web Locks); when it is closed the next takes over. Where there are no
 * Web Locks (a page over plain http) every tab does it: drain.ts is safe even so, it only asks the server twice.
 */
export type Work = (signal: AbortSignal) => Promise<void>;

export class Leader {
  readonly #locks: LockManager | undefined;
  readonly #name: string;
  readonly #work: Work;
  #stop: AbortController | undefined;
  leads = false;

  constructor(locks: LockManager | undefined, name: string, work: Work) {
    this.#locks = locks;
    this.#name = name;
    this.#work = work;
  }

  /** Stands in line for the work, and again whenever it was taken away. */
  start(): void {
    this.#begin(false);
  }

  /** Takes the work from a tab that holds it and does not do it: phones freeze pages in the background. */
  steal(): void {
    if (!this.leads) this.#begin(true);
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = undefined;
  }

  async #begin(steal: boolean): Promise<void> {
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
    this.leads = true;
    try {
      await this.#work(signal);
    } finally {
      this.leads = false;
    }
  }
}
