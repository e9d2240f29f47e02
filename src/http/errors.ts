/** HTTP errors. A client's mistake is an `HttpError`; anything else is a bug, which is logged and answered with 500. */
import type { Duplex } from 'node:stream';
import type Koa from 'koa';
import type { Logger } from 'pino';
import type { Site } from '../config.js';
import { isObject } from '../shared/parse.js';
import type { Problem } from '../shared/protocol.js';
import type { Telemetry } from '../telemetry.js';
import { problemText, readHtml, render, translationsFor } from './html.js';

export class HttpError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  /** Without a stack, which nobody reads and which takes longer than all else: floods make thousands of these. */
  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export interface ErrorDeps {
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  /** Hears of every error that is no client's mistake. */
  readonly onError: (error: unknown) => void;
}

/** Refusals that are logged, because a limit or a setting may be wrong. */
const loggedCodes = new Set(['too_many', 'too_many_connections', 'full', 'forbidden', 'name_taken']);

/** The outermost handler. Answers every error as `{"error":{"code","message"}}`, or as a page to a browser. */
export function errorHandler({ logger, telemetry, onError }: ErrorDeps, page: ErrorPage): Koa.Middleware {
  return async (ctx, next) => {
    try {
      await next();
      if (ctx.status === 404 && ctx.body === undefined)
        throw new HttpError(404, 'not_found', 'Page not found.');
      if (ctx.status === 501 && ctx.body === undefined)
        throw new HttpError(501, 'unknown_method', 'This server does not know the method.');
      if (ctx.status === 405 && ctx.body === undefined)
        throw new HttpError(405, 'wrong_method', 'Method not allowed.');
    } catch (error) {
      const httpError = toHttpError(error);
      if (httpError.status < 500 && ctx.req.socket.destroyed) {
        ctx.respond = false; // its client has gone, perhaps with a thousand others
        return;
      }
      if (loggedCodes.has(httpError.code))
        telemetry.warnRefused(httpError.code, { status: httpError.status });
      else telemetry.refused(httpError.code);
      if (httpError.status === 500) onError(error);
      if (httpError.status === 500) logger.error({ err: error, path: ctx.path }, 'request failed');
      respond(ctx, httpError, page);
    }
  };
}

function respond(ctx: Koa.Context, httpError: HttpError, page: ErrorPage): void {
  ctx.status = httpError.status;
  ctx.set(httpError.headers);
  // does not read the rest of a refused body
  if (httpError.status === 413 || httpError.status === 503) ctx.set('Connection', 'close');
  if (page.isWantedBy(ctx)) page.render(ctx, httpError);
  else ctx.body = { error: { code: httpError.code, message: httpError.message } };
}

function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  const status = isObject(error) && typeof error['status'] === 'number' ? error['status'] : 500;
  if (status >= 400 && status < 500) return new HttpError(status, 'bad_request', 'The request is malformed.');
  return new HttpError(500, 'internal', 'Internal error. Please try again; the server has logged it.');
}

/** The error page for navigation in a browser, in the visitor's language, with a link back. Everything else gets JSON. */

interface PageError {
  readonly status: number;
  readonly code: string;
}

export class ErrorPage {
  readonly #html: string;

  constructor(publicDir: string, site: Site) {
    this.#html = readHtml(publicDir, 'error.html', site);
  }

  /** Whether the client prefers HTML. The API has none. */
  isWantedBy(ctx: Koa.Context): boolean {
    if (/^\/api(?:\/|$)/.test(ctx.path)) return false;
    ctx.vary('Accept');
    return ctx.accepts('json', 'html') === 'html';
  }

  /** Sets the body. */
  render(ctx: Koa.Context, { status, code }: PageError): void {
    const t = translationsFor(ctx);
    const { rooms, errorPage } = t;
    const { tag } = t.language;
    const what = problemText(t, code);
    const why = code === 'invalid_room' ? rooms.invalidName : errorPage.status(status);
    ctx.set({ 'Cache-Control': 'no-store', 'Content-Language': tag });
    ctx.type = 'html';
    ctx.body = render(this.#html, tag, { status: String(status), what, why, home: errorPage.home });
  }
}

export function tooFast(): HttpError {
  return new HttpError(429, 'too_fast', 'You are too fast. Wait a second.', { 'Retry-After': '1' });
}

/** Other nodes know more than this one. */
export function behind(): HttpError {
  return new HttpError(503, 'behind', 'This server is catching up. Try again in a moment.', {
    'Retry-After': '2',
  });
}

/** Returns a rejection of the rules as an HTTP error. */
export function toError({ code, message }: Problem): HttpError {
  return new HttpError(statusByCode[code] ?? 400, code, message);
}

const statusByCode: Readonly<Record<string, number>> = {
  no_message: 404,
  not_there: 404,
  not_yours: 403,
  deleted: 410,
  already_there: 409,
  too_many_reactions: 409,
  cid_conflict: 409,
  signed_out: 401,
  storage: 503,
  stopping: 503,
  internal: 500,
};

/** Answers a request that the HTTP parser rejected ('clientError'), once and only if the peer can still read. */
export function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (socket.destroyed || !socket.writable || isConnectionOver(error)) {
    socket.destroy();
    return;
  }
  const status = clientErrorStatus[error.code ?? ''] ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

/** Errors without an answer, because the connection was lost or TLS failed. */
function isConnectionOver({ code = '' }: NodeJS.ErrnoException): boolean {
  return /^(ECONNRESET|EPROTO|ERR_SSL|ERR_TLS)/.test(code);
}

const clientErrorStatus: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Content Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
