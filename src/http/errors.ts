/** What goes wrong in HTTP: the client's mistake is an HttpFault; anything else is ours, logged with its stack, 500. */
import type { Duplex } from 'node:stream';
import type Koa from 'koa';
import type { Logger } from 'pino';
import { isObject } from '../shared/parse.js';
import type { Problem } from '../shared/protocol.js';
import type { Telemetry } from '../telemetry.js';
import { readHtml, render, translationsFor } from './html.js';

export class HttpError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export interface ErrorDeps {
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/** Refusals that an operator wants to see, because they can be a limit or a setting that does not fit. */
const LOGGED_CODES = new Set(['too_many', 'full', 'forbidden', 'name_taken']);

/** The one outer handler: every fault leaves as `{"error":{"code","message"}}`, or as a page for who asks for one. */
export function errorHandler({ logger, telemetry }: ErrorDeps, page: ErrorPage): Koa.Middleware {
  return async (ctx, next) => {
    try {
      await next();
      if (ctx.status === 404 && ctx.body === undefined)
        throw new HttpError(404, 'not_found', 'Page not found.');
      if (ctx.status === 405 && ctx.body === undefined)
        throw new HttpError(405, 'wrong_method', 'Method not allowed.');
    } catch (error) {
      const fault = toHttpError(error);
      if (LOGGED_CODES.has(fault.code)) telemetry.warnRefused(fault.code, { status: fault.status });
      else telemetry.refused(fault.code);
      if (fault.status === 500) logger.error({ err: error, path: ctx.path }, 'request failed');
      respond(ctx, fault, page);
    }
  };
}

function respond(ctx: Koa.Context, fault: HttpError, page: ErrorPage): void {
  ctx.status = fault.status;
  ctx.set(fault.headers);
  // what is left of a body that was refused is not read
  if (fault.status === 413 || fault.status === 503) ctx.set('Connection', 'close');
  if (page.isWantedBy(ctx)) page.render(ctx, fault);
  else ctx.body = { error: { code: fault.code, message: fault.message } };
}

function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  const status = isObject(error) && typeof error['status'] === 'number' ? error['status'] : 500;
  if (status >= 400 && status < 500) return new HttpError(status, 'bad_request', 'The request is malformed.');
  return new HttpError(500, 'internal', 'Internal error. Please try again; the server has logged it.');
}

/**
 * What goes wrong while somebody goes from page to page in a browser: a small page in their language, with a way back.
 * Programs, and the page's own requests, get JSON (fault.ts).
 */

interface PageError {
  readonly status: number;
  readonly code: string;
}

export class ErrorPage {
  readonly #html: string;

  /** The file is read once. */
  constructor(publicDir: string) {
    this.#html = readHtml(publicDir, 'fault.html');
  }

  /** A browser goes there: it asks for HTML by name. The API has none. */
  isWantedBy(ctx: Koa.Context): boolean {
    if (/^\/api(?:\/|$)/.test(ctx.path)) return false;
    ctx.vary('Accept');
    return ctx.accepts('json', 'html') === 'html';
  }

  /** The body; the status is the fault's own. */
  render(ctx: Koa.Context, { status, code }: PageError): void {
    const { language, problems, rooms, errorPage } = translationsFor(ctx);
    const { tag } = language;
    const what = Object.entries(problems).find(([name]) => name === code)?.[1] ?? problems.unknown;
    const why = code === 'invalid_room' ? rooms.invalidName : errorPage.status(status);
    ctx.set({ 'Cache-Control': 'no-store', 'Content-Language': tag });
    ctx.type = 'html';
    ctx.body = render(this.#html, tag, { status: String(status), what, why, home: errorPage.home });
  }
}

export function tooFast(): HttpError {
  return new HttpError(429, 'too_fast', 'You are too fast. Wait a second.', { 'Retry-After': '1' });
}

/** A refusal of the rules as a fault of HTTP. */

export function toError({ code, message }: Problem): HttpError {
  return new HttpError(STATUS_BY_CODE[code] ?? 400, code, message);
}

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
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

/** Requests that are no HTTP, or too big, or too late: the parser gave up on them before the app saw anything. */

/** The listener of 'clientError': one answer, if the peer can still read it. */
export function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (socket.destroyed || !socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = CLIENT_ERROR_STATUS[error.code ?? ''] ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

const CLIENT_ERROR_STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
