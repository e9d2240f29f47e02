/** What goes wrong in HTTP: the client's mistake is an HttpFault; anything else is ours, logged with its stack, 500. */
import type Koa from 'koa';
import type { Logger } from 'pino';
import { isObject } from '../parse.js';
import type { FaultPage } from './faultpage.js';

export class HttpFault extends Error {
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

/** The one outer handler: every fault leaves as `{"error":{"code","message"}}`, or as a page for who asks for one. */
export function faults(logger: Logger, page: FaultPage): Koa.Middleware {
  return async (ctx, next) => {
    try {
      await next();
      if (ctx.status === 404 && ctx.body === undefined)
        throw new HttpFault(404, 'not_found', 'There is nothing here.');
      if (ctx.status === 405 && ctx.body === undefined)
        throw new HttpFault(405, 'wrong_method', 'Not with this method.');
    } catch (error) {
      const fault = toFault(error);
      if (fault.status === 500) logger.error({ err: error, path: ctx.path }, 'request failed');
      answer(ctx, fault, page);
    }
  };
}

function answer(ctx: Koa.Context, fault: HttpFault, page: FaultPage): void {
  ctx.status = fault.status;
  ctx.set(fault.headers);
  // what is left of a body that was refused is not read
  if (fault.status === 413 || fault.status === 503) ctx.set('Connection', 'close');
  if (page.isAskedBy(ctx)) page.show(ctx, fault);
  else ctx.body = { error: { code: fault.code, message: fault.message } };
}

function toFault(error: unknown): HttpFault {
  if (error instanceof HttpFault) return error;
  const status = isObject(error) && typeof error['status'] === 'number' ? error['status'] : 500;
  if (status >= 400 && status < 500)
    return new HttpFault(status, 'bad_request', 'This request cannot be understood.');
  return new HttpFault(500, 'internal', 'Something is wrong on our side; it was logged.');
}
