/** Sessions of HTTP requests, and their cookies. */
import Cookies from 'cookies';
import type Koa from 'koa';
import type { Config } from '../config.js';
import { schemeOf } from '../origin.js';
import { type Session, type SessionCookie, sessionSeconds } from '../session.js';
import type { User } from '../shared/protocol.js';
import { HttpError } from './errors.js';

export interface SessionDeps {
  readonly config: Config;
  readonly sessionCookie: SessionCookie;
  /** Updates the user's last-seen time. */
  readonly onSeen: (user: User) => void;
  /** Lets the sockets that were opened with this session's cookie live as long as the new one. */
  readonly onRenewed: (session: Session, expiresAt: number) => void;
}

/**
 * Returns the session of a request, or undefined. Renews a cookie that is over a day old or has an older key. Updates the
 * last-seen time, so that users who only read keep their names.
 */
export function sessionOf(ctx: Koa.Context, deps: SessionDeps): Session | undefined {
  const session = deps.sessionCookie.verify(ctx.headers.cookie);
  if (!session) return undefined;
  if (session.needsRefresh) {
    setSession(ctx, session, deps);
    deps.onRenewed(session, deps.sessionCookie.nextExpiry());
  }
  deps.onSeen(session.user);
  return session;
}

/** @throws HttpError 401 */
export function requireUser(ctx: Koa.Context, deps: SessionDeps): User {
  return requireSession(ctx, deps).user;
}

/** @throws HttpError 401 */
export function requireSession(ctx: Koa.Context, deps: SessionDeps): Session {
  const session = sessionOf(ctx, deps);
  if (!session) throw notSignedIn();
  return session;
}

export function notSignedIn(): HttpError {
  return new HttpError(401, 'not_signed_in', 'Sign in first.');
}

export function setSession(
  ctx: Koa.Context,
  { user, generation }: Pick<Session, 'user' | 'generation'>,
  deps: SessionDeps,
): void {
  setCookie(ctx, deps, deps.sessionCookie.sign(user, generation), sessionSeconds * 1000);
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
      path: config.site.basePath,
      secure,
      maxAge,
      overwrite: true,
    });
}
