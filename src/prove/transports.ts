/**
 * The transports without a WebSocket, as a client of a run reads them: event streams, lines and long polls. Each delivers
 * frames as JSON, and then a close code once, as a WebSocket does. Plain HTML delivers pages.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { field, isObject, parseJsonObject } from '../shared/parse.js';
import { CLOSE } from '../shared/protocol.js';

export const transports = ['websocket', 'sse', 'ndjson', 'poll', 'plain'] as const;
export type Transport = (typeof transports)[number];
export type HttpTransport = Exclude<Transport, 'websocket'>;

/** Where a reader begins. */
export interface Place {
  readonly origin: string;
  readonly cookie: string;
  readonly room: string;
  readonly after: number;
  readonly epoch: string | undefined;
}

export interface TransportEvents {
  onFrame(json: string): void;
  onPage(page: PlainPage): void;
  /** 1006 when the connection was lost, or was wrong in itself. */
  onClose(code: number): void;
}

const LOST = 1006;
const POLL_SECONDS = 2;
/** Milliseconds until a reader of plain HTML loads the newer messages. */
const PLAIN_RELOAD_MS = 50;

/** Reads until the server ends it or the returned function is called, which calls nothing back. */
export function openHttp(transport: HttpTransport, place: Place, events: TransportEvents): () => void {
  const abort = new AbortController();
  const { signal } = abort;
  const onFrame = (json: string): void => {
    if (!signal.aborted) events.onFrame(json);
  };
  const onPage = (page: PlainPage): void => {
    if (!signal.aborted) events.onPage(page);
  };
  const reading = read(transport, place, { onFrame, onPage }, signal);
  const end = (code: number): void => {
    if (!signal.aborted) events.onClose(code);
  };
  reading.then(end, () => end(LOST));
  return () => abort.abort();
}

function read(
  transport: HttpTransport,
  place: Place,
  { onFrame, onPage }: Pick<TransportEvents, 'onFrame' | 'onPage'>,
  signal: AbortSignal,
): Promise<number> {
  switch (transport) {
    case 'plain':
      return browse(place, onPage, signal);
    case 'poll':
      return poll(place, onFrame, signal);
    default:
      return stream(transport, place, onFrame, signal);
  }
}

async function stream(
  transport: 'sse' | 'ndjson',
  { origin, cookie, room, after, epoch }: Place,
  onFrame: (json: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const isSse = transport === 'sse';
  const query = epoch === undefined ? `?after=${after}` : isSse ? '' : `?after=${after}&epoch=${epoch}`;
  const headers = {
    cookie,
    accept: isSse ? 'text/event-stream' : 'application/x-ndjson',
    ...(isSse && epoch !== undefined ? { 'last-event-id': `${epoch}/${after}` } : {}),
  };
  const response = await fetch(`${origin}/api/rooms/${room}/events${query}`, { headers, signal });
  if (!response.ok || !response.body) return closeCodeOf(response.status);
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split(isSse ? '\n\n' : '\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const code = isSse ? readMessage(part, onFrame) : readLine(part, onFrame);
      if (code !== undefined) return code;
    }
  }
  return LOST;
}

/** Returns the code of a line that ends the stream. */
function readLine(line: string, onFrame: (json: string) => void): number | undefined {
  if (line === '') return undefined;
  const fields = parseJsonObject(line) ?? {};
  if (field(fields, 'type') === 'close') return Number(field(fields, 'code'));
  onFrame(line);
  return undefined;
}

/** Does the same with a message of an event stream. The number in its id must be that of the event. */
function readMessage(message: string, onFrame: (json: string) => void): number | undefined {
  const [, id] = /^id: [\w-]+\/(\d+)$/m.exec(message) ?? [];
  const [, data] = /^data: (.*)$/m.exec(message) ?? [];
  if (data === undefined) return undefined;
  const fields = parseJsonObject(data) ?? {};
  if (/^event: close$/m.test(message)) return Number(field(fields, 'code'));
  const isNumbered = typeof field(fields, 'target') === 'number' || field(fields, 'type') === 'chat';
  if (isNumbered && Number(id) !== field(fields, 'id')) return CLOSE.protocolError[0];
  onFrame(data);
  return undefined;
}

async function poll(
  { origin, cookie, room, after, epoch }: Place,
  onFrame: (json: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const get = async (path: string): Promise<Readonly<Record<string, unknown>> | number> => {
    const response = await fetch(origin + path, { headers: { cookie }, signal });
    const body: unknown = await response.json();
    return response.ok && isObject(body) ? body : closeCodeOf(response.status);
  };
  const user = await get('/api/me');
  if (typeof user === 'number') return user;
  for (let [last, isFirst] = [after, true]; ; isFirst = false) {
    const wait = isFirst ? '' : `&wait=${POLL_SECONDS}`;
    const from = epoch === undefined ? `after=${last}` : `after=${last}&epoch=${epoch}`;
    const page = await get(`/api/rooms/${room}/messages?${from}&limit=500${wait}`);
    if (typeof page === 'number') return page;
    const complete = page['complete'] === true && (epoch ?? page['epoch']) === page['epoch'];
    if (isFirst)
      onFrame(JSON.stringify({ ...page, type: 'hello', room, user, complete, messages: undefined }));
    for (const message of Array.isArray(page['messages']) ? page['messages'] : []) {
      onFrame(JSON.stringify(message));
      if (isObject(message)) last = Number(field(message, 'id'));
    }
  }
}

/** The close code that a WebSocket would get. */
function closeCodeOf(status: number): number {
  if (status === 401) return CLOSE.notSignedIn[0];
  return status === 429 || status >= 500 ? LOST : CLOSE.protocolError[0];
}

/** A message of the plain page, with the text that a browser shows. */
export interface PlainMessage {
  readonly id: number;
  readonly text: string;
}

export interface PlainPage {
  /** The page shows messages after this number. */
  readonly after: number;
  /** in their order on the page: the newest first */
  readonly messages: readonly PlainMessage[];
}

/** Loads the newer messages again and again, each time after the newest one that was shown. */
async function browse(
  { origin, cookie, room, after }: Place,
  onPage: (page: PlainPage) => void,
  signal: AbortSignal,
): Promise<number> {
  for (let shown = after; ; await sleep(PLAIN_RELOAD_MS, undefined, { signal })) {
    const html = await loadPlainPage(`${origin}/r/${room}/plain?after=${shown}`, cookie, signal);
    if (typeof html === 'number') return html;
    const messages = messagesOf(html);
    onPage({ after: shown, messages });
    shown = Math.max(shown, ...messages.map(({ id }) => id));
  }
}

/** Reads a room as plain HTML, page by page from the first event on. */
export async function* readPlainPages(
  origin: string,
  cookie: string,
  room: string,
): AsyncGenerator<PlainPage> {
  for (let after: string | undefined = '0'; after !== undefined; ) {
    const html = await loadPlainPage(`${origin}/r/${room}/plain?after=${after}`, cookie);
    if (typeof html === 'number') return;
    yield { after: Number(after), messages: messagesOf(html) };
    after = /href="\?after=(\d+)"/.exec(html)?.[1];
  }
}

/** Resolves with a close code when there is no page. */
async function loadPlainPage(url: string, cookie: string, signal?: AbortSignal): Promise<string | number> {
  const response = await fetch(url, {
    headers: { cookie },
    redirect: 'manual',
    ...(signal ? { signal } : {}),
  });
  const html = await response.text();
  if (response.status === 302) return CLOSE.notSignedIn[0]; // to the sign-in form
  return response.ok ? html : closeCodeOf(response.status);
}

function messagesOf(html: string): PlainMessage[] {
  const items = html.matchAll(/<li id="m(\d+)">.*?<div dir="auto">(.*?)<\/div>/gs);
  return Array.from(items, ([, id, markup = '']) => ({ id: Number(id), text: textOf(markup) }));
}

function textOf(markup: string): string {
  const text = markup.replaceAll('<br>', '\n').replace(/<[^>]*>/g, '');
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
}
