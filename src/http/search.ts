/** Finds what was said, by its words. */
import type Koa from 'koa';
import type Router from 'koa-router';
import type { Config } from '../config.js';
import { type FoundPage, LIMITS } from '../protocol.js';
import { bad, countAsked, limitAsked, roomAsked, textAsked } from './asked.js';
import { HttpFault } from './fault.js';
import { PAGE_MAX } from './lists.js';
import { requireUser, type SessionParts } from './session.js';
import { Throttle } from './throttle.js';

export interface SearchParts extends SessionParts {
  readonly config: Config;
  readonly now: () => number;
  readonly store: {
    readonly search: {
      find(wanted: {
        readonly q: string;
        readonly room: string | undefined;
        readonly before: number | undefined;
        readonly limit: number;
      }): Promise<FoundPage>;
    };
  };
}

export function searchRoutes(router: Router, parts: SearchParts): void {
  const { config, now, store } = parts;
  // who may say so much in a second may look for as much
  const throttle = new Throttle(config.limits.messageRate, now, 1000);
  router.get('/search', async (ctx) => {
    const user = requireUser(ctx, parts);
    const wanted = wantedOf(ctx);
    if (throttle.take(user.id) > 0)
      throw new HttpFault(429, 'too_fast', 'You search too fast; wait a second.', { 'Retry-After': '1' });
    ctx.body = await store.search.find(wanted);
  });
}

function wantedOf(ctx: Koa.Context) {
  const q = textAsked(ctx, 'q') ?? '';
  if (!q.isWellFormed()) throw bad('"q" holds half a character.');
  if ([...q].length > LIMITS.query) throw bad(`A search has at most ${LIMITS.query} characters.`);
  const [room, before] = [roomAsked(ctx), countAsked(ctx, 'before')];
  return { q, room, before, limit: limitAsked(ctx, PAGE_MAX) };
}
