/**
 * Plain HTTP, by Koa. A request passes, in this order: faults are answered, headers that protect the page, host and
 * origin, size, then the routes, then the static files. `ctx.state.session` says who asks, or nobody.
 */
import type { IncomingMessage } from 'node:http';
import Koa from 'koa';
import helmet from 'koa-helmet';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import type { Identity } from '../identity.js';
import { isOurHost, isOurOrigin } from '../request.js';
import { type ApiParts, apiRoutes } from './api.js';
import { BODY_MAX, bodies, tooBig } from './body.js';
import { faults, HttpFault } from './fault.js';
import { FaultPage } from './faultpage.js';
import { type HealthParts, healthRoutes } from './health.js';
import { manifestRoute } from './manifest.js';
import { pageRoutes } from './page.js';
import { type SigninParts, signinRoutes } from './signin.js';
import { staticFiles } from './static.js';

export interface AppParts extends ApiParts, SigninParts, HealthParts {
  readonly config: Config;
  readonly identity: Identity;
  readonly logger: Logger;
  /** absolute path of the folder that is served as it is */
  readonly publicDir: string;
  /** no file descriptor is left for another connection */
  readonly full: () => boolean;
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Asked by machines of the operator, which come by any name of the host. */
const PROBES = new Set(['/healthz', '/readyz', '/metrics']);

export function createApp(parts: AppParts): Koa {
  const app = new Koa();
  app.silent = true; // faults() logs
  app.use(faults(parts.logger, new FaultPage(parts.publicDir)));
  app.use(securityHeaders());
  app.use(guard(parts));
  app.use(bodies());
  for (const routes of [
    healthRoutes(parts),
    signinRoutes(parts),
    apiRoutes(parts),
    pageRoutes(parts),
    manifestRoute(parts),
  ]) {
    app.use(routes.routes());
    app.use(routes.allowedMethods());
  }
  app.use(staticFiles(parts.publicDir));
  return app;
}

/** No script, style or picture but ours, and no HTML from a string: what people write is text, whatever it looks like. */
function securityHeaders(): Koa.Middleware {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        fontSrc: ["'self'"],
        connectSrc: ["'self'"],
        manifestSrc: ["'self'"],
        workerSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
        requireTrustedTypesFor: ["'script'"],
        trustedTypes: ['oneport'], // for the address of the service worker (src/client/worker.ts)
      },
    },
    // with no-referrer a form would send "Origin: null"
    referrerPolicy: { policy: 'same-origin' },
    strictTransportSecurity: false, // the proxy that has the certificate says so (nginx.conf)
  });
}

/** Before a body is read: is the host ours, does whoever changes something come from our own pages, is it too big. */
function guard({ config, full }: AppParts): Koa.Middleware {
  return async (ctx, next) => {
    if (full())
      throw new HttpFault(503, 'full', 'Too many connections; try again in a moment.', {
        'Retry-After': '2',
      });
    if (!PROBES.has(ctx.path) && !isOurHost(ctx.req, config))
      throw new HttpFault(403, 'wrong_host', 'This server has another name.');
    if (!SAFE.has(ctx.method)) checkChange(ctx.req, config);
    await next();
  };
}

/** What was announced may be read. */
export function bodyFits(request: IncomingMessage): boolean {
  return Number(request.headers['content-length'] ?? 0) <= BODY_MAX;
}

function checkChange(request: IncomingMessage, config: Config): void {
  if (!isOurOrigin(request, config))
    throw new HttpFault(403, 'wrong_origin', 'Requests that change something must come from our own pages.');
  if (!bodyFits(request)) throw tooBig();
}
