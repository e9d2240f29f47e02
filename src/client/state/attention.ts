/** Calls a person who looks elsewhere: a desktop notification and a short sound, for what they asked to be called for. */
import { type ReadonlySignal, signal } from '@preact/signals';

/** What the browser says to notifications; `never`: it knows none (or the page came over plain http). */
export type Permission = 'default' | 'granted' | 'denied' | 'never';

export class Attention {
  readonly #permission = signal<Permission>('never');

  get permission(): ReadonlySignal<Permission> {
    return this.#permission;
  }

  /** Asks for the permission; only after a click of the person. */
  async ask(): Promise<void> {}
}
