/**
 * Sends an outbox: one letter at a time, the next only when the one before is in the log or refused for good. So
 * the order holds whatever is lost on the way, even when two tabs do this at once (each sends k+1 only after it
 * knows k is settled, and the server keeps a cid once).
 */
import type { Problem } from '../../shared/protocol.js';
import { backoff } from './backoff.js';
import { type Clock, pause } from './clock.js';
import type { Letter, Wish } from './letter.js';
import type { Outbox } from './outbox.js';

export type Outcome =
  | { readonly kind: 'settled' }
  | { readonly kind: 'error'; readonly problem: Problem }
  /** the line went away before an answer came: it may be in the log or not */
  | { readonly kind: 'lost' };

/** A way to the server. Both calls end early, with whatever, when the signal aborts. */
export interface Transport {
  ready(signal: AbortSignal): Promise<void>;
  submit(letter: Letter, signal: AbortSignal): Promise<Outcome>;
}

export interface DrainParts {
  readonly outbox: Outbox;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  /** Waits for the next letter, or says that there will be none. */
  readonly next: (signal: AbortSignal) => Promise<Letter | undefined>;
}

/** Answers that pass: the same letter is sent again, with the same cid. All others are for good. */
const PASSING: ReadonlySet<string> = new Set(['storage', 'too_fast', 'stopping', 'signed_out', 'internal']);
/** An `internal` may be our letter's own fault: it must not hold up the others for ever. */
const INTERNAL_TRIES = 5;
const CALM_MS = 500;

export async function drain(parts: DrainParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const letter = await parts.next(signal);
    if (!letter || signal.aborted) return;
    await deliver(parts, letter, signal);
  }
}

/** Until it is settled or refused for good. */
async function deliver(parts: DrainParts, letter: Letter, signal: AbortSignal): Promise<void> {
  for (let tries = 0; !signal.aborted; tries++) {
    await parts.transport.ready(signal);
    if (signal.aborted || parts.outbox.next?.cid !== letter.cid) return;
    const outcome = await parts.transport.submit(letter, signal);
    if (outcome.kind === 'settled') return parts.outbox.settle(letter.cid);
    if (outcome.kind === 'lost') continue;
    if (isDone(letter, outcome.problem)) return parts.outbox.settle(letter.cid);
    if (!passes(outcome.problem, tries)) return parts.outbox.refuse(letter.cid, outcome.problem);
    await pause(parts.clock, CALM_MS + backoff(tries, parts.random), signal);
  }
}

/** What was asked for is so already: another device was quicker. */
function isDone({ posting: { type } }: Letter, { code }: Problem): boolean {
  return DONE[type] === code;
}
const DONE: Readonly<Partial<Record<Wish['type'], string>>> = {
  react: 'already_there',
  unreact: 'not_there',
  delete: 'deleted',
};

function passes({ code }: Problem, tries: number): boolean {
  return PASSING.has(code) && (code !== 'internal' || tries < INTERNAL_TRIES);
}
