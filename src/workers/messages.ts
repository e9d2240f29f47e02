/**
 * What the primary and a worker send each other. A worker sends all messages of one iteration of its event loop together, as
 * JSON. The primary sends the results of a batch to all workers as one text, which it makes once.
 */
import type { Command, Result } from '../chat/types.js';
import type { ConnectionOwner, ConnectionRefusal } from '../realtime/upgrade.js';
import type { Identity } from '../sequencer/sequencer.js';
import type { SearchAnswer, SearchRequest } from '../store/search-index.js';

/** `serial`: the answer has the same. Each side counts its own. */
export type ToPrimary =
  /** `charge`: takes the tokens of the message first, also those of the network that it came from */
  | readonly ['command', serial: number, command: Command, charge: { readonly address?: string } | null]
  | readonly ['ask', serial: number, question: Question]
  /** the answer to the primary's 'metrics' */
  | readonly ['metrics', serial: number, metrics: readonly object[]]
  | readonly ['publish', text: string]
  /** a connection that the primary has counted is closed */
  | readonly ['closed', client: ConnectionOwner]
  /** a user's cookie was signed again; the times are those at which the old and the new one expire */
  | readonly ['renewed', user: string, expiredAt: number, expiresAt: number]
  /** a user was disconnected for flooding */
  | readonly ['flood', user: string]
  /** why a part of the database cannot be read */
  | readonly ['damage', damage: string]
  /** whether the worker has no file descriptors left for connections, and should not listen */
  | readonly ['full', isFull: boolean]
  | readonly ['alive'];

/** The questions of a worker, by kind, with their answers. */
export interface Questions {
  /** Takes the tokens of a message that does not come over a socket. False: over the limit. */
  readonly tokens: readonly [
    { readonly user: string; readonly cost: number; readonly address?: string },
    boolean,
  ];
  /** Takes a token of a RateLimiter. Returns 0, or the seconds until there is one. */
  readonly rate: readonly [{ readonly limiter: LimiterName; readonly key: string }, number];
  /** Counts a connection, unless it is refused. */
  readonly open: readonly [ConnectionOwner, ConnectionRefusal | null];
  readonly find: readonly [SearchRequest, SearchAnswer | 'full' | null];
  /** The metrics of all processes, as text. */
  readonly metrics: readonly [object, string];
}

export type LimiterName = 'signin' | 'search';

export type Question = {
  readonly [K in keyof Questions]: Questions[K][0] & { readonly kind: K };
}[keyof Questions];

export type ToWorker =
  /** the first message */
  | { readonly kind: 'start'; readonly place: WorkerPlace; readonly state: LogState }
  | { readonly kind: 'state'; readonly state: LogState }
  /**
   * A batch was committed. `results` is JSON of the results that concern all workers. `own` has the results of this worker's
   * commands: an index in `results`, or a result that concerns no other worker.
   */
  | {
      readonly kind: 'batch';
      readonly position: string;
      readonly results: string;
      readonly own: readonly (readonly [serial: number, result: number | Result])[];
    }
  | { readonly kind: 'answer'; readonly serial: number; readonly answer: unknown }
  | { readonly kind: 'metrics'; readonly serial: number }
  | { readonly kind: 'receive'; readonly text: string }
  | { readonly kind: 'begin'; readonly identity: Identity }
  | {
      readonly kind: 'renewed';
      readonly user: string;
      readonly expiredAt: number;
      readonly expiresAt: number;
    }
  | { readonly kind: 'flood'; readonly user: string }
  | { readonly kind: 'replaced' | 'stop' | 'reload' | 'stop-listening' };

/** `port`: the port that all workers listen on. */
export interface WorkerPlace {
  readonly number: number;
  readonly port: number;
}

/** What a worker has to know of the log beside its results. */
export interface LogState {
  readonly role: 'primary' | 'node';
  readonly position: string;
  readonly behind: number;
  readonly junkCount: number;
  readonly problems: readonly string[];
  readonly isStale: boolean;
  readonly writeError: string | undefined;
  readonly damage: string | undefined;
}

/** One direction of the channel between two processes. */
export interface Sender<Message> {
  send(message: Message): void;
}
