/** Sign in with a name, sign out. As a form it works without JavaScript; as JSON it is the API. */
import type Koa from 'koa';
import Router from 'koa-router';
import type { Command, Outcome } from '../chat/command.js';
import { parseName, skeleton } from '../chat/name.js';
import { newId } from '../identity.js';
import { field, isObject } from '../parse.js';
import type { User } from '../protocol.js';
import { addressOf } from '../request.js';
import { HttpFault } from './fault.js';
import { SigninForm } from './form.js';
import { clearSession, type SessionParts, sessionOf, setSession } from './session.js';
import { Throttle } from './throttle.js';

export interface SigninParts extends SessionParts {
  readonly publicDir: string;
  readonly now: () => number;
  readonly submit: (command: Command) => Promise<Outcome>;
}

export function signinRoutes(parts: SigninParts): Router {
  const router = new Router();
  const form = new SigninForm(parts.publicDir);
  const throttle = new Throttle(parts.config.limits.signinsPerMinute, parts.now);
  router.get('/signin', (ctx) => {
    const { name, next } = ctx.query; // the name comes along when the language is changed
    form.show(ctx, { name: textOf(name), next: localPath(next) });
  });
  router.post('/signin', async (ctx) => {
    if (isJson(ctx)) await signIn(ctx, parts, throttle);
    else await signInByForm(ctx, parts, throttle, form);
  });
  router.post('/signout', async (ctx) => {
    await signOut(ctx, parts);
    if (isForm(ctx)) seeOther(ctx, '/signin');
    else ctx.status = 204;
  });
  return router;
}

async function signInByForm(
  ctx: Koa.Context,
  parts: SigninParts,
  throttle: Throttle,
  form: SigninForm,
): Promise<void> {
  const next = localPath(bodyField(ctx, 'next'));
  try {
    await signIn(ctx, parts, throttle);
    seeOther(ctx, next);
  } catch (error) {
    if (!(error instanceof HttpFault)) throw error;
    form.show(ctx, { fault: error, name: textOf(bodyField(ctx, 'name')), next });
  }
}

/** Answers `{id,name}` and sets the cookies. @throws HttpFault 422, 409, 429, 503 */
async function signIn(ctx: Koa.Context, parts: SigninParts, throttle: Throttle): Promise<void> {
  const wait = throttle.take(addressOf(ctx.req, parts.config.trustedProxies));
  if (wait > 0) {
    const message = `Too many sign-ins from your address; try again in ${wait} seconds.`;
    throw new HttpFault(429, 'too_many', message, { 'Retry-After': String(wait) });
  }
  const user = await takeName(nameOf(ctx), sessionOf(ctx, parts)?.user.id ?? newId(), parts);
  setSession(ctx, user, parts);
  ctx.body = user;
}

function nameOf(ctx: Koa.Context): string {
  const name = parseName(bodyField(ctx, 'name'));
  if (!name.ok) throw new HttpFault(422, 'bad_name', name.message);
  return name.name;
}

async function takeName(name: string, id: string, { submit, now }: SigninParts): Promise<User> {
  const outcome = await submit({ kind: 'sign-in', user: { id, name }, skeleton: skeleton(name), at: now() });
  if (outcome.kind === 'signed-in') return outcome.user;
  if (outcome.kind === 'refused') throw new HttpFault(503, outcome.problem.code, outcome.problem.message);
  throw new HttpFault(
    409,
    'name_taken',
    'This name, or one that looks like it, belongs to somebody else: choose another.',
  );
}

async function signOut(ctx: Koa.Context, parts: SigninParts): Promise<void> {
  const session = sessionOf(ctx, parts);
  if (session) {
    const outcome = await parts.submit({ kind: 'sign-out', user: session.user });
    if (outcome.kind === 'refused') throw new HttpFault(503, outcome.problem.code, outcome.problem.message);
  }
  clearSession(ctx, parts);
}

/** Only paths of our own: `//evil`, `/\evil` and `https:…` lead away, so they lead home. */
export function localPath(raw: unknown): string {
  if (typeof raw !== 'string' || !/^\/(?![/\\])[^\\\p{Cc}]*$/u.test(raw)) return '/';
  const base = 'http://local.invalid';
  return URL.canParse(raw, base) && new URL(raw, base).origin === base ? raw : '/';
}

function seeOther(ctx: Koa.Context, path: string): void {
  ctx.status = 303;
  ctx.set('Location', encodeURI(decodeURISafe(path)));
  ctx.body = '';
}

function decodeURISafe(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return '/';
  }
}

function bodyField(ctx: Koa.Context, name: string): unknown {
  const body: unknown = ctx.request.body;
  return isObject(body) ? field(body, name) : undefined;
}

function textOf(raw: unknown): string {
  return typeof raw === 'string' ? raw : '';
}

function isJson(ctx: Koa.Context): boolean {
  return ctx.is('json') === 'json';
}

/** A form of a page; an empty post of a program gets the answer of the API. */
function isForm(ctx: Koa.Context): boolean {
  return ctx.is('urlencoded') === 'urlencoded' || ctx.accepts('json', 'html') === 'html';
}
