/** The server's HTTP API, as far as the page asks it. Never throws for what a network does: undefined, or `lost`. */
import { isObject, type User } from '../protocol.js';
import type { Outcome } from './state/drain.js';
import { type Page, parsePage, parseProblem, parseUser } from './state/frames.js';
import type { Letter } from './state/letter.js';

/** A page of a room's log; without `after` and `before` the latest. */
export async function messages(
  room: string,
  where: { readonly after?: number; readonly before?: number; readonly limit?: number },
): Promise<Page | undefined> {
  const query = new URLSearchParams(Object.entries(where).map(([name, value]) => [name, String(value)]));
  const answer = await ask(`${messagesPath(room)}?${query}`);
  return answer?.ok ? parsePage(await json(answer)) : undefined;
}

/** Who I am; undefined when not signed in or out of reach. */
export async function me(): Promise<User | undefined> {
  const answer = await ask('/api/me');
  return answer?.ok ? parseUser(await json(answer)) : undefined;
}

export async function signOut(): Promise<boolean> {
  const answer = await ask('/signout', { method: 'POST', headers: { accept: 'application/json' } });
  return answer?.ok ?? false;
}

/** Says something over HTTP: the way of letters to rooms that no tab shows. */
export async function post({ room, data, cid }: Letter, signal: AbortSignal): Promise<Outcome> {
  const answer = await ask(messagesPath(room), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ data, cid }),
    signal,
  });
  if (answer?.ok) return { kind: 'settled' };
  if (!answer || !FOR_GOOD.has(answer.status)) return { kind: 'lost' };
  const body = await json(answer);
  const problem = parseProblem(isObject(body) ? body['error'] : undefined);
  return problem ? { kind: 'error', problem } : { kind: 'lost' };
}

/** Bad request, conflict, too large, unprocessable: asked again, the answer would be the same. */
const FOR_GOOD: ReadonlySet<number> = new Set([400, 409, 413, 422]);

function messagesPath(room: string): string {
  return `/api/rooms/${encodeURIComponent(room)}/messages`;
}

async function ask(path: string, init?: RequestInit): Promise<Response | undefined> {
  try {
    return await fetch(path, { ...init, redirect: 'error', cache: 'no-store' });
  } catch {
    return undefined;
  }
}

async function json(answer: Response): Promise<unknown> {
  try {
    return await answer.json();
  } catch {
    return undefined; // an error page of something between us
  }
}
