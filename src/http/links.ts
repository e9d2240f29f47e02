/**
 * One-time links that sign a user in on another device, or again after a sign-out. The pages work without JavaScript.
 * Opening a link only shows its effect, because chat programs and browsers prefetch links. Submitting its form uses it up.
 * The server stores only the hash of the secret, because the secret is a full credential.
 */
import { createHash, randomBytes } from 'node:crypto';
import type Koa from 'koa';
import Router from 'koa-router';
import type { Command, LinkToken, Result } from '../chat/types.js';
import type { Site } from '../config.js';
import { publicPath, schemeOf } from '../origin.js';
import type { Session } from '../session.js';
import type { User } from '../shared/protocol.js';
import { notSignedIn, requireSession, type SessionDeps, sessionOf, setSession } from './auth.js';
import { HttpError, toError, tooFast } from './errors.js';
import { chosenTranslations, languageButtons, readHtml, render, translationsFor } from './html.js';

const minuteMs = 60_000;
const linkLifetimeMs = { device: 10 * minuteMs, return: 30 * 24 * 60 * minuteMs } as const;

export interface LinkDeps extends SessionDeps {
  readonly publicDir: string;
  readonly now: () => number;
  readonly submit: (command: Command) => Promise<Result>;
  readonly takeToken: (user: User, text?: string, address?: string) => boolean | Promise<boolean>;
  readonly store: {
    readonly people: {
      findLink(hash: string): { readonly person: User; readonly expires: number } | undefined;
    };
  };
}

/** A new link. `secret` is only in its URL. */
interface NewLink extends LinkToken {
  readonly secret: string;
}

export function createLink(kind: keyof typeof linkLifetimeMs, now: number): NewLink {
  const secret = randomBytes(24).toString('base64url');
  return { secret, hash: hashOf(secret), expires: now + linkLifetimeMs[kind] };
}

/** The answer to a request for a link. */
export function describeLink(
  ctx: Koa.Context,
  { secret, expires }: NewLink,
  { config }: SessionDeps,
): { readonly url: string; readonly expires: number } {
  const origin = config.publicOrigin ?? `${schemeOf(ctx.req, config.trustedProxies)}://${ctx.host}`;
  return { url: origin + publicPath(config.site, `/link/${secret}`), expires };
}

/** Ends all sessions of a user, who can sign in again through the link. @throws HttpError 401, 503 */
export async function endSessions(
  { user, generation }: Session,
  link: NewLink | undefined,
  { submit, now }: Pick<LinkDeps, 'submit' | 'now'>,
): Promise<void> {
  const stored = link && { hash: link.hash, expires: link.expires };
  const result = await submit({ kind: 'sign-out', user, generation, link: stored, at: now() });
  if (result.kind === 'rejected') throw toError(result.problem);
  if (result.kind === 'session-over' && link) throw notSignedIn();
}

export function linkRoutes(deps: LinkDeps): Router {
  const router = new Router();
  const page = new LinkPage(deps);
  router.post('/api/me/link', async (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    ctx.body = await makeDeviceLink(ctx, deps);
    ctx.status = 201;
  });
  router.get('/link/:secret', (ctx) => {
    const { person } = findLink(ctx, deps);
    page.render(ctx, person, sessionOf(ctx, deps)?.user);
  });
  router.post('/link/:secret', async (ctx) => {
    await redeem(ctx, deps);
    ctx.status = 303;
    ctx.set({ Location: deps.config.site.basePath, ...privateHeaders });
    ctx.body = '';
  });
  return router;
}

async function makeDeviceLink(ctx: Koa.Context, deps: LinkDeps) {
  const { user, generation } = requireSession(ctx, deps);
  if (!(await deps.takeToken(user))) throw tooFast();
  const at = deps.now();
  const link = createLink('device', at);
  const { hash, expires } = link;
  const result = await deps.submit({ kind: 'link', user, generation, link: { hash, expires }, at });
  if (result.kind === 'rejected') throw toError(result.problem);
  if (result.kind !== 'linked') throw notSignedIn();
  return describeLink(ctx, link, deps);
}

async function redeem(ctx: Koa.Context, deps: LinkDeps): Promise<void> {
  findLink(ctx, deps); // so that guessed secrets do not reach the sequencer
  const result = await deps.submit({ kind: 'redeem', hash: linkHash(ctx), at: deps.now() });
  if (result.kind === 'rejected') throw toError(result.problem);
  if (result.kind !== 'redeemed') throw linkOver();
  setSession(ctx, result, deps);
}

/** @throws HttpError 410 */
function findLink(ctx: Koa.Context, { store, now }: LinkDeps): { readonly person: User } {
  ctx.set(privateHeaders);
  const link = store.people.findLink(linkHash(ctx));
  if (!link || now() >= link.expires) throw linkOver();
  return link;
}

/** Keeps the secret out of caches and Referer headers. The policy `no-referrer` would make forms send "Origin: null". */
const privateHeaders = { 'Cache-Control': 'no-store', 'Referrer-Policy': 'strict-origin' } as const;

function linkOver(): HttpError {
  return new HttpError(410, 'link_over', 'This link was already used or has expired.', privateHeaders);
}

function linkHash(ctx: Koa.Context): string {
  return hashOf(ctx.path.slice(ctx.path.lastIndexOf('/') + 1));
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Shows which user the link signs in, and which user it replaces in this browser. */
class LinkPage {
  readonly #html: string;
  readonly #site: Site;

  constructor({ publicDir, config }: LinkDeps) {
    this.#site = config.site;
    this.#html = readHtml(publicDir, 'link.html', config.site);
  }

  render(ctx: Koa.Context, person: User, current: User | undefined): void {
    const t = chosenTranslations(ctx, this.#site);
    const { tag } = t.language;
    const { title, lead, once, enter } = t.link;
    const html = this.#html.replace('{{choices}}', languageButtons(tag));
    ctx.set({ ...privateHeaders, 'Content-Language': tag });
    ctx.type = 'html';
    ctx.body = render(html, tag, {
      ...{ title, once, enter, lead: lead(person.name), languages: t.signIn.languages },
      replaces: current ? t.link[current.id === person.id ? 'same' : 'replaces'](current.name) : '',
    });
  }
}

/** The answer to the sign-out form with `return`. */
export class ReturnPage {
  readonly #html: string;

  constructor({ publicDir, config }: Pick<LinkDeps, 'publicDir' | 'config'>) {
    this.#html = readHtml(publicDir, 'return.html', config.site);
  }

  render(ctx: Koa.Context, { name }: User, url: string): void {
    const { language, link } = translationsFor(ctx);
    const { signedOut: title, open } = link;
    ctx.set({ ...privateHeaders, 'Content-Language': language.tag });
    ctx.type = 'html';
    ctx.body = render(this.#html, language.tag, { title, lead: link.back(name), open, url });
  }
}
