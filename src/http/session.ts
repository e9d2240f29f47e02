/** Sessions over HTTP: who asks, and the cookies that say so next time. */
import Cookies from 'cookies';
import type Koa from 'koa';
import type { Config } from '../config.js';
import { type Identity, SESSION_SECONDS, type Session } from '../identity.js';
import type { User } from '../protocol.js';
import { schemeOf } from '../request.js';
import { HttpFault } from './fault.js';

export interface SessionParts {
  readonly config: Config;
  readonly identity: Identity;
}

/** Who asks, or undefined. A cookie that grows old, or was signed with an older key, is made anew on the way. */
export function sessionOf(ctx: Koa.Context, parts: SessionParts): Session | undefined {
  const session = parts.identity.open(ctx.headers.cookie);
  if (session?.stale) setSession(ctx, session.user, parts);
  return session;
}

/** @throws HttpFault 401 */
export function requireUser(ctx: Koa.Context, parts: SessionParts): User {
  const session = sessionOf(ctx, parts);
  if (!session) throw new HttpFault(401, 'not_signed_in', 'Sign in first.');
  return session.user;
}

export function setSession(ctx: Koa.Context, user: User, parts: SessionParts): void {
  put(ctx, parts, parts.identity.seal(user), SESSION_SECONDS * 1000);
}

export function clearSession(ctx: Koa.Context, parts: SessionParts): void {
  put(ctx, parts, '', 0);
}

function put(ctx: Koa.Context, { config, identity }: SessionParts, value: string, maxAge: number): void {
  const secure = schemeOf(ctx.req, config.trustedProxies) === 'https';
  const cookies = new Cookies(ctx.req, ctx.res, { keys: identity.keys, secure });
  cookies.set('name', value, {
    signed: true,
    httpOnly: true,
    sameSite: 'lax',
    path: '/',
    secure,
    maxAge,
    overwrite: true,
  });
}
