/** Signs in with a name, renames, signs out. The forms work without JavaScript; as JSON they are the API. */
import type Koa from 'koa';
import Router from 'koa-router';
import { parseName, skeleton } from '../chat/names.js';
import type { Command, Result } from '../chat/types.js';
import type { Site } from '../config.js';
import { addressOf, networkOf, publicPath } from '../origin.js';
import { newId, type Session } from '../session.js';
import type { Translations } from '../shared/i18n/en.js';
import { field, isObject } from '../shared/parse.js';
import type { User } from '../shared/protocol.js';
import {
  clearSession,
  notSignedIn,
  requireSession,
  type SessionDeps,
  sessionOf,
  setSession,
} from './auth.js';
import { HttpError, toError, tooFast } from './errors.js';
import { chosenTranslations, languageButtons, readHtml, render } from './html.js';
import { createLink, describeLink, endSessions, ReturnPage } from './links.js';
import type { Limiter } from './rate-limiter.js';

export interface SigninDeps extends SessionDeps {
  readonly publicDir: string;
  readonly now: () => number;
  readonly submit: (command: Command) => Promise<Result>;
  /** Limits the sign-ins of each address. */
  readonly signinLimiter: Limiter;
  /** Takes a message token of the user. Returns false when the user is over the limit. */
  readonly takeToken: (user: User, text?: string, address?: string) => boolean | Promise<boolean>;
}

export function signinRoutes(deps: SigninDeps): Router {
  const router = new Router();
  const form = new SigninForm(deps);
  const { site } = deps.config;
  router.get('/signin', (ctx) => {
    const { name, next } = ctx.query; // the language buttons send the name too
    form.render(ctx, { name: textOf(name), next: localPath(next, site) });
  });
  router.post('/signin', async (ctx) => {
    if (ctx.is('json', 'urlencoded') === false)
      throw new HttpError(
        415,
        'unsupported_type',
        'Send JSON or a form (application/x-www-form-urlencoded).',
      );
    if (isJson(ctx)) await signIn(ctx, deps);
    else await signInByForm(ctx, deps, form);
  });
  const returnPage = new ReturnPage(deps);
  router.post('/signout', (ctx) => signOut(ctx, deps, returnPage));
  router.patch('/api/me', async (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    await rename(ctx, deps);
  });
  return router;
}

/** Whether the browser dropped the cookie that came with the form. Programs that post a name have not loaded the form. */
function hasDroppedCookies(ctx: Koa.Context): boolean {
  return bodyField(ctx, 'form') !== undefined && ctx.headers.cookie === undefined;
}

async function signInByForm(ctx: Koa.Context, deps: SigninDeps, form: SigninForm): Promise<void> {
  const name = textOf(bodyField(ctx, 'name'));
  const next = localPath(bodyField(ctx, 'next'), deps.config.site);
  if (hasDroppedCookies(ctx)) return form.render(ctx, { cookiesMissing: true, name, next });
  try {
    await signIn(ctx, deps);
    seeOther(ctx, next);
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    form.render(ctx, { error, name, next });
  }
}

/** Answers `{id,name}` and sets the cookies. @throws HttpError 422, 409, 429, 503 */
async function signIn(ctx: Koa.Context, deps: SigninDeps): Promise<void> {
  const wait = await deps.signinLimiter.take(networkOf(addressOf(ctx.req, deps.config.trustedProxies)));
  if (wait > 0) {
    const message = `Too many sign-ins from your address. Try again in ${wait} seconds.`;
    throw new HttpError(429, 'too_many', message, { 'Retry-After': String(wait) });
  }
  const name = nameOf(ctx);
  const current = deps.sessionCookie.identify(ctx.headers.cookie);
  const session =
    (current && (await takeName(name, current, deps))) ?? (await takeName(name, undefined, deps));
  if (!session) throw new Error('a new id was refused as signed out');
  setSession(ctx, session, deps);
  ctx.body = session.user;
}

/** Renames the person of a session. Answers `{id,name}`. */
async function rename(ctx: Koa.Context, deps: SigninDeps): Promise<void> {
  const current = requireSession(ctx, deps);
  const name = nameOf(ctx);
  if (!(await deps.takeToken(current.user))) throw tooFast();
  const session = await takeName(name, current, deps);
  if (!session) throw notSignedIn();
  setSession(ctx, session, deps);
  ctx.body = session.user;
}

function nameOf(ctx: Koa.Context): string {
  const name = parseName(bodyField(ctx, 'name'));
  if (!name.ok) throw new HttpError(422, 'bad_name', name.message);
  return name.name;
}

type Identity = Pick<Session, 'user' | 'generation'>;

/**
 * Takes a name for the user of a session, or for a new user. Returns undefined when a sign-out has ended that session, before
 * or in the same batch, because its cookie would be invalid. @throws HttpError 409, 503
 */
async function takeName(
  name: string,
  session: Identity | undefined,
  { submit, now, sessionCookie }: SigninDeps,
): Promise<Identity | undefined> {
  const user = { id: session?.user.id ?? newId(), name };
  const generation = session?.generation;
  const result = await submit({ kind: 'sign-in', user, generation, skeleton: skeleton(name), at: now() });
  if (result.kind === 'rejected') throw toError(result.problem);
  if (result.kind === 'name-taken')
    throw new HttpError(409, 'name_taken', 'That name (or one too similar) is taken. Try another.');
  return result.kind === 'signed-in' && sessionCookie.isCurrent(result) ? result : undefined;
}

/** Ends all sessions of the user. With `return` it answers with a link to sign in again. */
async function signOut(ctx: Koa.Context, deps: SigninDeps, page: ReturnPage): Promise<void> {
  const session = sessionOf(ctx, deps);
  const link = isTrue(bodyField(ctx, 'return')) ? createLink('return', deps.now()) : undefined;
  if (link && !session) throw notSignedIn();
  if (session) await endSessions(session, link, deps);
  clearSession(ctx, deps);
  if (link && session) {
    const answer = describeLink(ctx, link, deps);
    if (isForm(ctx)) page.render(ctx, session.user, answer.url);
    else ctx.body = answer;
  } else if (isForm(ctx)) seeOther(ctx, publicPath(deps.config.site, '/signin'));
  else ctx.status = 204;
}

function isTrue(raw: unknown): boolean {
  return raw === true || raw === 'true' || raw === '1' || raw === 'on';
}

/** Returns a path of this server; BASE_PATH for `//evil`, `/\evil` and `https:…`, which lead to other sites. */
function localPath(raw: unknown, { basePath }: Site): string {
  if (typeof raw !== 'string' || !/^\/(?![/\\])[^\\\p{Cc}]*$/u.test(raw)) return basePath;
  const base = 'http://local.invalid';
  const url = URL.canParse(raw, base) ? new URL(raw, base) : undefined;
  return url?.origin === base && url.pathname.startsWith(basePath) ? raw : basePath;
}

/** Escapes what a header cannot hold, and leaves the escapes of the path as they are. */
function seeOther(ctx: Koa.Context, path: string): void {
  ctx.status = 303;
  ctx.set('Location', path.toWellFormed().replace(/[^!-~]+/g, encodeURIComponent));
  ctx.body = '';
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

/** Whether to answer with a page. A program that posts an empty body gets the answer of the API. */
function isForm(ctx: Koa.Context): boolean {
  return ctx.is('urlencoded') === 'urlencoded' || ctx.accepts('json', 'html') === 'html';
}

/** The sign-in form in the visitor's language. The form and its language buttons work without JavaScript. */

interface FormValues {
  readonly error?: HttpError;
  readonly cookiesMissing?: boolean;
  readonly name: string;
  readonly next: string;
}

class SigninForm {
  readonly #html: string;
  readonly #site: Site;

  constructor({ publicDir, config }: SigninDeps) {
    this.#site = config.site;
    this.#html = readHtml(publicDir, 'signin.html', config.site);
  }

  /** Answers with the form and a cookie; after an error with its status and an explanation. */
  render(ctx: Koa.Context, { error, cookiesMissing = false, name, next }: FormValues): void {
    const t = chosenTranslations(ctx, this.#site);
    const { tag } = t.language;
    const { title, lead, readers, enter } = t.signIn;
    const problem = error ? explainError(error, name, t) : cookiesMissing ? t.signIn.noCookies : '';
    const blanks = { title, lead, readers, label: t.signIn.name, enter, error: problem, name, next };
    ctx.status = error?.status ?? 200;
    ctx.set({ ...error?.headers, 'Cache-Control': 'no-store', 'Content-Language': tag });
    ctx.cookies.set('form', '1', {
      httpOnly: true,
      sameSite: 'lax',
      path: publicPath(this.#site, '/signin'),
    });
    ctx.type = 'html';
    const html = this.#html
      .replace('aria-invalid="false"', `aria-invalid="${error !== undefined}"`)
      .replace('{{choices}}', languageButtons(tag));
    ctx.body = render(html, tag, { ...blanks, languages: t.signIn.languages });
  }
}

function explainError(error: HttpError, raw: string, t: Translations): string {
  const name = parseName(raw);
  switch (error.code) {
    case 'bad_name':
      return name.ok ? t.problems.bad_name : t.names[name.why];
    case 'name_taken':
      return t.signIn.taken;
    case 'too_many':
      return t.signIn.tooMany(Number(error.headers['Retry-After'] ?? 60));
    default:
      return t.signIn.failed;
  }
}
