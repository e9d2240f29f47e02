/**
 * Counts and logs refusals, closes, commits and disk errors for the operator. metrics.ts reads the counts. Log lines of one
 * kind are sampled, so that a flood cannot fill a disk. No line holds a text, a name or a cookie.
 */
import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import { Histogram } from 'prom-client';
import { CLOSE } from './shared/protocol.js';

/** Lines of one kind in each window; the first line after it says how many were left out. */
const linesPerWindow = 5;
const windowMs = 10_000;
const slowCommitMs = 500;
/** Longest header value in a line. */
const maxFieldLength = 200;

const knownCloseCodes: ReadonlySet<number> = new Set([
  ...Object.values(CLOSE).map(([code]) => code),
  ...[1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013, 4508],
]);

type Fields = Readonly<Record<string, unknown>>;

export class Telemetry {
  readonly httpByStatus = new Map<string, number>();
  readonly refusalsByCode = new Map<string, number>();
  readonly closesByCode = new Map<string, number>();
  /** A commit is a sync of the disk: 1 ms on an SSD, 10 ms on a spinning disk. */
  readonly commitSeconds = new Histogram({
    name: 'oneport_commit_seconds',
    help: 'time to apply a batch of commands, with its commit',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [],
  });
  /** Batches committed since the start. */
  commits = 0;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #windows = new Map<string, { from: number; lines: number }>();
  #storeError: string | undefined;

  /** `now` is in milliseconds. */
  constructor(logger: Logger, now: () => number) {
    this.#logger = logger;
    this.#now = now;
  }

  /** Counts an answer, and logs it at level debug. */
  answered(status: number, request: Fields): void {
    increment(this.httpByStatus, String(status));
    this.#logger.debug({ status, ...request }, 'request');
  }

  /** Counts a request, an upgrade or a command that was refused with this error code. */
  refused(code: string): void {
    increment(this.refusalsByCode, code);
  }

  /** Counts a refusal and logs it, because an operator can act on it. */
  warnRefused(code: string, fields: Fields): void {
    this.refused(code);
    this.#sampled('warn', `refused: ${code}`, { code, ...fields });
  }

  /** Logs a wrong Host or Origin, with the headers that distinguish a misconfigured proxy from another site's page. */
  refusedOrigin(code: 'wrong_host' | 'wrong_origin', request: IncomingMessage, likelyCause: string): void {
    this.#sampled('warn', `refused: ${code}`, { code, ...originFields(request), likelyCause });
  }

  /** Counts a closed socket. Unknown codes count as one, because a peer may close with any code. */
  closed(code: number): void {
    const known = knownCloseCodes.has(code);
    this.#logger.debug({ code }, 'closed a socket');
    increment(this.closesByCode, known ? String(code) : 'other');
    if (known && code > 4000) this.#sampled('info', `closed a socket with ${code}`, { code });
  }

  committed(ms: number, commands: number): void {
    this.commits++;
    this.commitSeconds.observe(ms / 1000);
    if (ms > slowCommitMs) this.#sampled('warn', 'slow commit', { ms: Math.round(ms), commands });
  }

  /** Logs when the store begins to fail, and when it works again. `error`: why the last write failed. */
  storeState(error: string | undefined): void {
    const before = this.#storeError;
    this.#storeError = error;
    if (error !== undefined && before === undefined)
      this.#logger.error({ error }, 'the store fails: messages are refused until it works again');
    if (error === undefined && before !== undefined) this.#logger.info('the store works again');
  }

  #sampled(level: 'info' | 'warn', message: string, fields: Fields): void {
    const now = this.#now();
    const window = this.#windows.get(message);
    if (window && Math.abs(now - window.from) < windowMs) {
      window.lines++;
      if (window.lines <= linesPerWindow) this.#logger[level](fields, message);
      return;
    }
    const leftOut = Math.max(0, (window?.lines ?? 0) - linesPerWindow);
    this.#windows.set(message, { from: now, lines: 1 });
    this.#logger[level](leftOut > 0 ? { ...fields, leftOut } : fields, message);
  }
}

/** Returns the headers that distinguish a misconfigured proxy from another site's page. */
function originFields({ headers }: IncomingMessage): Fields {
  const names = ['host', 'origin', 'x-forwarded-proto', 'x-forwarded-for'] as const;
  const entries = names.map((name) => [name, headers[name]?.toString().slice(0, maxFieldLength)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
