/**
 * Request bodies: JSON or a form, of limited size, strictly UTF-8. The body parser reads them as bytes. We decode them,
 * because the parser would replace invalid UTF-8 by U+FFFD without an error.
 */
import bodyParser from '@koa/bodyparser';
import type Koa from 'koa';
import { HttpError } from './errors.js';

export const maxBodyBytes = 64 * 1024;
const bodyTypes = ['application/json', 'application/x-www-form-urlencoded'];

/** Parses the body into `ctx.request.body`: a JSON value or the fields of a form; {} when there is no body. */
export function bodyReader(): Koa.Middleware {
  const read = bodyParser({
    enableTypes: ['text'],
    extendTypes: { text: bodyTypes },
    encoding: 'binary',
    textLimit: maxBodyBytes,
    onError: onReadError,
  });
  return (ctx, next) =>
    read(ctx, () => {
      ctx.request.body = parseBody(ctx);
      return next();
    });
}

export function bodyTooLarge(): HttpError {
  return new HttpError(413, 'too_big', `A request body can have at most ${maxBodyBytes} bytes.`);
}

function onReadError(error: Error): void {
  throw 'status' in error && error.status === 413 ? bodyTooLarge() : badBody();
}

function parseBody(ctx: Koa.Context): unknown {
  const bytes: unknown = ctx.request.body;
  if (typeof bytes !== 'string' || bytes === '') return {};
  if (!/^(utf-?8)?$/i.test(ctx.request.charset)) throw badBody();
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(bytes, 'binary'));
    return ctx.is('json') ? parseJson(text) : parseForm(text);
  } catch {
    throw badBody();
  }
}

/** @throws SyntaxError also when the value is no object or array */
function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (typeof value === 'object' && value !== null) return value;
  throw new SyntaxError('no object');
}

/** @throws URIError when an escape is no UTF-8, which URLSearchParams would replace by U+FFFD */
function parseForm(text: string): Readonly<Record<string, string>> {
  for (const [escapes] of text.matchAll(/(?:%[\da-f]{2})+/gi)) decodeURIComponent(escapes);
  return Object.fromEntries(new URLSearchParams(text));
}

function badBody(): HttpError {
  return new HttpError(400, 'bad_body', 'The body does not match its Content-Type, or is not valid UTF-8.');
}
