/** Sessions over HTTP: who asks, and the cookies that say so next time. */
import Cookies from 'cookies';
import type Koa from 'koa';
import type { Config } from '../config.js';
import { schemeOf } from '../origin.js';
import { SESSION_SECONDS, type Session, type SessionCookie } from '../session.js';
import type { User } from '../shared/protocol.js';
import { HttpError } from './errors.js';

export interface SessionDeps {
  readonly config: Config;
  readonly sessionCookie: SessionCookie;
}

/** Who asks, or undefined. A cookie that grows old, or was signed with an older key, is made anew on the way. */
export function sessionOf(ctx: Koa.Context, deps: SessionDeps): Session | undefined {
  const session = deps.sessionCookie.verify(ctx.headers.cookie);
  if (session?.needsRefresh) setSession(ctx, session.user, deps);
  return session;
}

/** @throws HttpFault 401 */
export function requireUser(ctx: Koa.Context, deps: SessionDeps): User {
  const session = sessionOf(ctx, deps);
  if (!session) throw new HttpError(401, 'not_signed_in', 'Sign in first.');
  return session.user;
}

export function setSession(ctx: Koa.Context, user: User, deps: SessionDeps): void {
  setCookie(ctx, deps, deps.sessionCookie.sign(user), SESSION_SECONDS * 1000);
}

export function clearSession(ctx: Koa.Context, deps: SessionDeps): void {
  setCookie(ctx, deps, '', 0);
}

function setCookie(
  ctx: Koa.Context,
  { config, sessionCookie: identity }: SessionDeps,
  value: string,
  maxAge: number,
): void {
  const secure = schemeOf(ctx.req, config.trustedProxies) === 'https';
  const cookies = new Cookies(ctx.req, ctx.res, { keys: identity.keys, secure });
  for (const name of identity.names.toReversed())
    cookies.set(name, value, {
      signed: true,
      httpOnly: true,
      sameSite: 'lax',
      path: '/',
      secure,
      maxAge,
      overwrite: true,
    });
}
