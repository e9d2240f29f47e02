/** The two ways of a letter to the server: over the room's own socket, and over HTTP to rooms that no tab shows. */
import { backoff } from './backoff.js';
import { type Clock, pause } from './clock.js';
import type { Connection } from './connection.js';
import type { Outcome, Transport } from './drain.js';
import type { Letter } from './letter.js';
import { when } from './when.js';

/** A live line that does not answer for so long is asked whether it lives, and the letter is sent again. */
const ANSWER_MS = 20_000;

export class SocketTransport implements Transport {
  readonly #connection: Connection;
  readonly #clock: Clock;
  #waiting: { readonly cid: string; readonly done: (outcome: Outcome) => void } | undefined;

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  ready(signal: AbortSignal): Promise<void> {
    return when(this.#connection.link, ({ state }) => state === 'live', signal);
  }

  submit({ cid, posting }: Letter, signal: AbortSignal): Promise<Outcome> {
    if (!this.#connection.send(JSON.stringify({ ...posting, cid }))) return Promise.resolve({ kind: 'lost' });
    return new Promise((resolve) => {
      const done = (outcome: Outcome) => {
        this.#waiting = undefined;
        cancel();
        signal.removeEventListener('abort', lost);
        resolve(outcome);
      };
      const lost = () => done({ kind: 'lost' });
      const cancel = this.#clock.after(ANSWER_MS, () => {
        this.#connection.wake();
        lost();
      });
      signal.addEventListener('abort', lost, { once: true });
      this.#waiting = { cid, done };
    });
  }

  /** The server said something about this cid: its echo, an ack or an error. */
  answered(cid: string, outcome: Outcome): void {
    if (this.#waiting?.cid === cid) this.#waiting.done(outcome);
  }

  /** The line went away: what was on it may have arrived or not. */
  lost(): void {
    this.#waiting?.done({ kind: 'lost' });
  }
}

/** `post` sends one letter. After a failure the next try waits, longer each time. */
export function httpTransport(
  post: (letter: Letter, signal: AbortSignal) => Promise<Outcome>,
  clock: Clock,
  random: () => number,
): Transport {
  let failures = 0;
  return {
    async ready(signal) {
      if (failures > 0) await pause(clock, backoff(failures, random), signal);
    },
    async submit(letter, signal) {
      const outcome = await post(letter, signal);
      failures = outcome.kind === 'lost' ? failures + 1 : 0;
      return outcome;
    },
  };
}
