/**
 * Reading a room over HTTP: server-sent events by fetch, and long polling. By itself, because the page loads it only where
 * WebSocket is blocked.
 */
import { isObject, parseJsonObject } from '../shared/parse.js';
import {
  brokenCode,
  type Close,
  type Endpoint,
  type Frame,
  type LinkEvents,
  onText,
  type Position,
  parseProblem,
  plannedCode,
  query,
  type Readers,
  readJson,
  roomPath,
} from './transport.js';

/** Server-sent events. The server ends a stream after a minute; the next one begins at the position. */
async function streamEvents(endpoint: Endpoint, events: LinkEvents, signal: AbortSignal): Promise<Close> {
  const { room, history } = endpoint;
  for (;;) {
    const path = roomPath(room, 'events') + query({ ...events.position(), history });
    const headers = { accept: 'text/event-stream' };
    const response = await endpoint.fetch(path, { headers, signal });
    // The page of a proxy may be an answer too.
    const isStream = response.ok && response.headers.get('content-type')?.startsWith('text/event-stream');
    if (!isStream || !response.body) return closeOf(response);
    const close = await readMessages(response.body, events);
    if (close[0] !== plannedCode) return close;
  }
}

/** Resolves with what the event `close` says. Our server writes each message as one line `data:`. */
async function readMessages(body: ReadableStream<Uint8Array>, events: LinkEvents): Promise<Close> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let isClose = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return [brokenCode, 'cut'];
    const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    events.onAlive();
    for (const line of lines) {
      if (line.startsWith('event:')) isClose = line.slice(6).trim() === 'close';
      if (!line.startsWith('data:')) continue;
      const data = line.slice(5);
      if (isClose) return parseClose(data);
      onText(data, events);
    }
  }
}

function parseClose(json: string): Close {
  const { code, reason } = parseJsonObject(json) ?? {};
  return [Number(code) || brokenCode, String(reason)];
}

/** Shorter than proxies wait for an answer, and than the server takes a silent reader for gone. */
const pollSeconds = 15;
const pollEvents = 500;
const defaultHistory = 50;

/** Long polling. Makes the `hello` frames itself. */
async function pollPages(endpoint: Endpoint, events: LinkEvents, signal: AbortSignal): Promise<Close> {
  const { room } = endpoint;
  const me = await get(endpoint, 'api/me', signal);
  if (me.close) return me.close;
  let at = events.position();
  let hello: Frame | undefined = { type: 'hello', room, user: me.value, complete: true };
  for (;;) {
    const answer = await get(endpoint, pagePath(endpoint, at, hello ? undefined : pollSeconds), signal);
    if (answer.close) return answer.close;
    const page = parsePage(answer.value);
    if (!page) return [brokenCode, 'no answer'];
    const { epoch, last } = page;
    if (at && (at.after > last || (at.epoch ?? epoch) !== epoch)) {
      at = undefined; // another log: from its latest events
      hello = { type: 'hello', room, user: me.value, complete: false };
      continue;
    }
    if (hello) events.onFrame({ ...hello, epoch, last });
    hello = undefined;
    const messages = at || endpoint.history !== 0 ? page.messages : [];
    for (const message of messages) events.onFrame(message);
    events.onAlive();
    at = { epoch, after: Number(messages.at(-1)?.['id'] ?? at?.after ?? last) };
  }
}

function pagePath(
  { room, history = defaultHistory }: Endpoint,
  at: Position | undefined,
  wait: number | undefined,
): string {
  const params = at ? { ...at, limit: pollEvents, wait } : { limit: Math.max(1, history) };
  return roomPath(room, 'messages') + query(params);
}

function parsePage(value: unknown) {
  if (!isObject(value)) return undefined;
  const { epoch, last, messages } = value;
  if (typeof epoch !== 'string' || typeof last !== 'number' || !Array.isArray(messages)) return undefined;
  return { epoch, last, messages: messages.filter(isObject) };
}

async function get({ fetch }: Endpoint, path: string, signal: AbortSignal) {
  const response = await fetch(path, { signal, headers: { accept: 'application/json' } });
  return response.ok
    ? { value: await readJson(response), close: undefined }
    : { close: await closeOf(response) };
}

/** The close code that a socket would get. A refusal that is not ours comes from a proxy. */
async function closeOf(response: Response): Promise<Close> {
  const { status } = response;
  if (status === 401) return [4001, 'not signed in'];
  if (status === 429) return [4429, 'too fast'];
  if (status >= 500) return [1013, `status ${status}`];
  const { error } = await readJson(response);
  const { code = '', message = '' } = parseProblem(error) ?? {};
  // Another 404 is that of an older server, without this transport.
  const final =
    String(code) === 'invalid_room' ? 4000 : code && (status === 400 || status === 403) ? 1008 : 0;
  return [final || brokenCode, message || `status ${status}`];
}

export const httpReaders: Readers = { stream: streamEvents, poll: pollPages };
