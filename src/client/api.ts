/** The server's HTTP API, as far as the page asks it. Never throws for what a network does: undefined, or `lost`. */
import { field, isObject } from '../shared/parse.js';
import type { RoomSummary, SearchPage, User } from '../shared/protocol.js';
import { type Page, parseFoundPage, parsePage, parsePeople, parseProblem, parseRooms } from './decode.js';
import type { PendingMessage } from './outbox/outbox.js';
import type { SendResult } from './outbox/sender.js';

type Query = Readonly<Record<string, string | number | undefined>>;

/** A page of a room's log; without `after` and `before` the latest. */
export function messages(room: string, where: Query): Promise<Page | undefined> {
  return getJson(withQuery(roomPath(room, 'messages'), where), parsePage);
}

export function rooms(): Promise<readonly RoomSummary[] | undefined> {
  return getJson('/api/rooms', parseRooms);
}

export function search(query: Query): Promise<SearchPage | undefined> {
  return getJson(withQuery('/api/search', query), parseFoundPage);
}

export function mentions(query: Query): Promise<SearchPage | undefined> {
  return getJson(withQuery('/api/mentions', query), parseFoundPage);
}

export function searchPeople(q: string): Promise<readonly User[] | undefined> {
  return getJson(withQuery('/api/people', { q }), parsePeople);
}

/** The version of the page that the server has now (build.js writes it). */
export function latestVersion(): Promise<string | undefined> {
  return getJson('/version.json', (value) => {
    const found = isObject(value) ? field(value, 'version') : undefined;
    return typeof found === 'string' ? found : undefined;
  });
}

/** Moves my read mark. False when it may help to say it again. */
export async function markRead(room: string, id: number, leaving: boolean): Promise<boolean> {
  const answer = await sendJson('PUT', roomPath(room, 'read'), { id }, { keepalive: leaving });
  return answer !== undefined && (answer.ok || isPermanentFailure(answer));
}

export async function signOut(): Promise<boolean> {
  const answer = await request('/signout', { method: 'POST', headers: { accept: 'application/json' } });
  return answer?.ok ?? false;
}

/** Sends a letter over HTTP: the way to rooms that no tab shows. */
export async function sendMessage(
  { room, posting, cid }: PendingMessage,
  signal: AbortSignal,
): Promise<SendResult> {
  const answer = await sendJson('POST', roomPath(room, 'messages'), { ...posting, cid }, { signal });
  if (answer?.ok) return { kind: 'settled' };
  if (!answer || !isPermanentFailure(answer)) return { kind: 'lost' };
  const body = await readJson(answer);
  const problem = parseProblem(isObject(body) ? field(body, 'error') : undefined);
  return problem ? { kind: 'error', problem } : { kind: 'lost' };
}

/** Asked again, the answer would be the same. Not so: signed out, too fast, and all that is the server's own trouble. */
function isPermanentFailure({ status }: Response): boolean {
  return status >= 400 && status < 500 && ![401, 408, 425, 429].includes(status);
}

function roomPath(room: string, what: string): string {
  return `/api/rooms/${encodeURIComponent(room)}/${what}`;
}

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return `${path}?${new URLSearchParams(given)}`;
}

async function getJson<T>(path: string, parse: (value: unknown) => T | undefined): Promise<T | undefined> {
  const answer = await request(path);
  return answer?.ok ? parse(await readJson(answer)) : undefined;
}

function sendJson(
  method: string,
  path: string,
  body: unknown,
  init: RequestInit,
): Promise<Response | undefined> {
  const headers = { 'content-type': 'application/json' };
  return request(path, { method, headers, body: JSON.stringify(body), ...init });
}

async function request(path: string, init?: RequestInit): Promise<Response | undefined> {
  try {
    return await fetch(path, { ...init, redirect: 'error', cache: 'no-store' });
  } catch {
    return undefined;
  }
}

async function readJson(answer: Response): Promise<unknown> {
  try {
    return await answer.json();
  } catch {
    return undefined; // an error page of something between us
  }
}
