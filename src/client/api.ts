/**
 * Client of the server's HTTP API. Network failures never throw: they resolve with undefined, false or
 * `lost`.
 */
import type { UnsavedMessage } from '../connect/outbox.js';
import {
  isFinal,
  parseProblem,
  roomPath as pathInRoom,
  postCommand,
  query,
  type SendResult,
} from '../connect/transport.js';
import { field, isObject } from '../shared/parse.js';
import type { RoomSummary, SearchPage, User } from '../shared/protocol.js';
import { type Page, parseFoundPage, parsePage, parsePeople, parseRooms, parseUser } from './decode.js';
import { publicPath } from './site.js';

type Query = Readonly<Record<string, string | number | undefined>>;

/** One page of a room's log; the latest without `after` and `before`. */
export function messages(room: string, where: Query): Promise<Page | undefined> {
  return getJson(roomPath(room, 'messages') + query(where), parsePage);
}

export function rooms(): Promise<readonly RoomSummary[] | undefined> {
  return getJson('/api/rooms', parseRooms);
}

export function search(where: Query): Promise<SearchPage | undefined> {
  return getJson(`/api/search${query(where)}`, parseFoundPage);
}

export function mentions(where: Query): Promise<SearchPage | undefined> {
  return getJson(`/api/mentions${query(where)}`, parseFoundPage);
}

export function searchPeople(q: string): Promise<readonly User[] | undefined> {
  return getJson(`/api/people${query({ q })}`, parsePeople);
}

/** Returns the version that the server serves now (written by build.js). */
export function latestVersion(): Promise<string | undefined> {
  return getJson('/version.json', (value) => {
    const version = isObject(value) ? field(value, 'version') : undefined;
    return typeof version === 'string' ? version : undefined;
  });
}

/** Returns false when a retry may help. */
export async function markRead(room: string, id: number, isLeaving: boolean): Promise<boolean> {
  const response = await sendJson('PUT', roomPath(room, 'read'), { id }, { keepalive: isLeaving });
  return response !== undefined && (response.ok || isFinal(response.status));
}

/** A value, or the code of the error. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string };

/** A link that signs in as the user, once. */
export interface OneTimeLink {
  readonly url: string;
  readonly expires: number;
}

export async function rename(name: string): Promise<Answer<User>> {
  return parseAnswer(await sendJson('PATCH', '/api/me', { name }, {}), parseUser);
}

/** For another device of the user. */
export async function createLink(): Promise<Answer<OneTimeLink>> {
  return parseAnswer(await sendJson('POST', '/api/me/link', {}, {}), parseLink);
}

/** Ends all sessions of the user. */
export async function signOut(wantsLink: boolean): Promise<Answer<OneTimeLink | undefined>> {
  const response = await sendJson('POST', '/signout', wantsLink ? { return: true } : {}, {});
  if (response?.ok && !wantsLink) return { ok: true, value: undefined };
  return parseAnswer(response, parseLink);
}

async function parseAnswer<T>(
  response: Response | undefined,
  parse: (value: unknown) => T | undefined,
): Promise<Answer<T>> {
  const body = response && (await readJson(response));
  const value = response?.ok ? parse(body) : undefined;
  if (value !== undefined) return { ok: true, value };
  const problem = parseProblem(isObject(body) ? field(body, 'error') : undefined);
  return { ok: false, code: problem?.code ?? 'unknown' };
}

function parseLink(value: unknown): OneTimeLink | undefined {
  const [url, expires] = isObject(value) ? [field(value, 'url'), field(value, 'expires')] : [];
  return typeof url === 'string' && typeof expires === 'number' ? { url, expires } : undefined;
}

/** Sends a pending message to a room that no tab shows, or from a page that closes (`keepalive`). */
export function sendMessage(
  { room, posting, cid }: Pick<UnsavedMessage, 'room' | 'posting' | 'cid'>,
  signal: AbortSignal | null,
  keepalive = false,
): Promise<SendResult> {
  return postCommand(fetchBelow, room, { ...posting, cid }, { signal, keepalive });
}

/** For the library, whose paths begin without a slash. @throws when the server cannot be reached */
export function fetchBelow(path: string, init?: RequestInit): Promise<Response> {
  return fetch(publicPath(`/${path}`), { ...init, redirect: 'error', cache: 'no-store' });
}

function roomPath(room: string, resource: string): string {
  return `/${pathInRoom(room, resource)}`;
}

async function getJson<T>(path: string, parse: (value: unknown) => T | undefined): Promise<T | undefined> {
  const response = await request(path);
  return response?.ok ? parse(await readJson(response)) : undefined;
}

function sendJson(
  method: string,
  path: string,
  body: unknown,
  init: RequestInit,
): Promise<Response | undefined> {
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  return request(path, { method, headers, body: JSON.stringify(body), ...init });
}

async function request(path: string, init?: RequestInit): Promise<Response | undefined> {
  try {
    return await fetchBelow(path.slice(1), init);
  } catch {
    return undefined;
  }
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined; // HTML from a proxy
  }
}
