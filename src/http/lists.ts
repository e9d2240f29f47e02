/** What calls me by name, and whose name begins like this. */
import type Koa from 'koa';
import type Router from 'koa-router';
import { skeleton } from '../chat/name.js';
import { type FoundPage, LIMITS, type PeoplePage, type User } from '../protocol.js';
import { countAsked, limitAsked, textAsked } from './asked.js';
import { requireUser, type SessionParts } from './session.js';

export interface ListParts extends SessionParts {
  readonly store: {
    /** Messages that call somebody, newest first, before a place in the one order. */
    mentionsOf(user: User, before: number, limit: number): FoundPage;
    /** Whose skeleton begins so, those seen last first; all, when it is empty. */
    readonly people: { named(begin: string, limit: number): readonly User[] };
  };
}

/** Messages in one page of a list or a search. */
export const PAGE_MAX = 100;

export function listRoutes(router: Router, parts: ListParts): void {
  router.get('/mentions', (ctx) => {
    const user = requireUser(ctx, parts);
    ctx.body = parts.store.mentionsOf(user, beforeAsked(ctx), limitAsked(ctx, PAGE_MAX));
  });
  router.get('/people', (ctx) => {
    requireUser(ctx, parts);
    const begin = skeleton((textAsked(ctx, 'q') ?? '').slice(0, LIMITS.query));
    const page: PeoplePage = { people: parts.store.people.named(begin, LIMITS.people) };
    ctx.body = page;
  });
}

export function beforeAsked(ctx: Koa.Context): number {
  return countAsked(ctx, 'before') ?? Number.MAX_SAFE_INTEGER;
}
