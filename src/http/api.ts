/** The API: who am I, and what the other files of its routes do. Errors are JSON, with a code and what to do. */
import Router from 'koa-router';
import { type ListParts, listRoutes } from './lists.js';
import { type MessageParts, messageRoutes } from './messages.js';
import { type RoomParts, roomRoutes } from './rooms.js';
import { type SearchParts, searchRoutes } from './search.js';
import { requireUser } from './session.js';

export interface ApiParts extends MessageParts, RoomParts, ListParts, SearchParts {
  readonly store: RoomParts['store'] & ListParts['store'] & SearchParts['store'];
}

export function apiRoutes(parts: ApiParts): Router {
  const router = new Router({ prefix: '/api' });
  router.use(async (ctx, next) => {
    ctx.set('Cache-Control', 'no-store');
    await next();
  });
  router.get('/me', (ctx) => {
    ctx.body = requireUser(ctx, parts);
  });
  messageRoutes(router, parts);
  roomRoutes(router, parts);
  listRoutes(router, parts);
  searchRoutes(router, parts);
  return router;
}
