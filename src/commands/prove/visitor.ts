/** A person of the proof on the server's HTTP side: signs in, posts, reads the log from either end. */
import { field, isObject } from '../../shared/parse.js';
import type { PostCommand, RoomEvent } from '../../shared/protocol.js';
import { eventOf, type Trouble, troubleOf } from './frames.js';

export const ROOM = 'proof';
const PATIENCE = 10_000;

/** What became of a post: its number, a no that a retry may turn into a yes, or a no that must not be. */
export type Answer =
  | { readonly kind: 'kept'; readonly event: RoomEvent }
  | { readonly kind: 'later' }
  | { readonly kind: 'refused'; readonly problem: Trouble };

export class Visitor {
  readonly port: number;
  readonly id: string;
  readonly cookie: string;

  constructor(port: number, id: string, cookie: string) {
    this.port = port;
    this.id = id;
    this.cookie = cookie;
  }

  /** `quit` cuts the connection, whatever the server has done by then. */
  async post(posting: PostCommand, quit: AbortSignal): Promise<Answer> {
    try {
      const response = await this.#fetch(`/api/rooms/${ROOM}/messages`, {
        method: 'POST',
        body: JSON.stringify(posting),
        signal: AbortSignal.any([quit, AbortSignal.timeout(PATIENCE)]),
      });
      const body: unknown = await response.json();
      if (response.status === 200 || response.status === 201) return { kind: 'kept', event: eventOf(body) };
      if (response.status === 503 || response.status === 429) return { kind: 'later' };
      return { kind: 'refused', problem: troubleOf(isObject(body) ? field(body, 'error') : undefined) };
    } catch {
      return { kind: 'later' }; // cut, or the server is down: nobody knows what it did
    }
  }

  /** The whole log, page by page. */
  async *log(): AsyncGenerator<RoomEvent> {
    for (let after = 0; ; ) {
      const events = await this.#page(`after=${after}`);
      yield* events;
      const last = events.at(-1);
      if (!last) return;
      after = last.id;
    }
  }

  /** The same from its end, the newest event first. */
  async *back(): AsyncGenerator<RoomEvent> {
    for (let before = ''; ; ) {
      const events = await this.#page(before);
      yield* events.toReversed();
      const [first] = events;
      if (!first) return;
      before = `before=${first.id}`;
    }
  }

  async #page(where: string): Promise<RoomEvent[]> {
    const response = await this.#fetch(`/api/rooms/${ROOM}/messages?limit=500&${where}`, {
      signal: AbortSignal.timeout(PATIENCE),
    });
    const page: unknown = await response.json();
    const events = isObject(page) ? field(page, 'messages') : undefined;
    return Array.isArray(events) ? events.map(eventOf) : [];
  }

  #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = { 'content-type': 'application/json', cookie: this.cookie };
    return fetch(`http://127.0.0.1:${this.port}${path}`, { ...init, headers });
  }
}

export async function signIn(port: number, name: string): Promise<Visitor> {
  const response = await fetch(`http://127.0.0.1:${port}/signin`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
    signal: AbortSignal.timeout(PATIENCE),
  });
  const user: unknown = await response.json();
  const id = isObject(user) ? field(user, 'id') : undefined;
  if (typeof id !== 'string') throw new Error(`${name} cannot sign in: ${JSON.stringify(user)}`);
  const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(';')[0]);
  return new Visitor(port, id, cookies.join('; '));
}
