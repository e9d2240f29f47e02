/**
 * Plain HTTP, by Koa. A request passes, in this order: faults are answered, headers that protect the page, host and
 * origin, size, then the routes, then the static files. `ctx.state.session` says who asks, or nobody.
 */
import type { IncomingMessage } from 'node:http';
import Koa from 'koa';
import helmet from 'koa-helmet';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { isOurHost, isOurOrigin, likelyCause } from '../origin.js';
import type { SessionCookie } from '../session.js';
import type { Telemetry } from '../telemetry.js';
import { type ApiDeps, apiRoutes } from './api.js';
import { bodyReader, bodyTooLarge, MAX_BODY_BYTES } from './body.js';
import { ErrorPage, errorHandler, HttpError } from './errors.js';
import { type HealthDeps, healthRoutes } from './health.js';
import { type LinkDeps, linkRoutes } from './links.js';
import { manifestRoute, pageRoutes } from './page.js';
import { type SigninDeps, signinRoutes } from './signin.js';
import { staticFiles } from './static.js';

export interface AppDeps extends ApiDeps, SigninDeps, LinkDeps, HealthDeps {
  readonly store: ApiDeps['store'] & LinkDeps['store'];
  readonly config: Config;
  readonly sessionCookie: SessionCookie;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  /** absolute path of the folder that is served as it is */
  readonly publicDir: string;
  /** no file descriptor is left for another connection */
  readonly isFull: () => boolean;
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Asked by machines of the operator, which come by any name of the host. */
const PROBE_PATHS = new Set(['/healthz', '/readyz', '/metrics']);

export function createApp(deps: AppDeps): Koa {
  const app = new Koa();
  app.silent = true; // faults() logs
  app.use(countAnswers(deps));
  app.use(errorHandler(deps, new ErrorPage(deps.publicDir)));
  app.use(securityHeaders());
  app.use(guard(deps));
  app.use(bodyReader());
  for (const routes of [
    healthRoutes(deps),
    signinRoutes(deps),
    linkRoutes(deps),
    apiRoutes(deps),
    pageRoutes(deps),
    manifestRoute(deps),
  ]) {
    app.use(routes.routes());
    app.use(routes.allowedMethods());
  }
  app.use(staticFiles(deps.publicDir));
  return app;
}

function countAnswers({ telemetry }: AppDeps): Koa.Middleware {
  return async (ctx, next) => {
    await next();
    telemetry.answered(ctx.status);
  };
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
function guard({ config, isFull: full, telemetry }: AppDeps): Koa.Middleware {
  return async (ctx, next) => {
    const isProbe = PROBE_PATHS.has(ctx.path);
    if (!isProbe && full())
      throw new HttpError(503, 'full', 'Too many connections. Try again in a moment.', {
        'Retry-After': '2',
      });
    if (!isProbe && !isOurHost(ctx.req, config)) {
      telemetry.refusedOrigin('wrong_host', ctx.req, likelyCause(ctx.req, config));
      throw new HttpError(
        403,
        'wrong_host',
        'This server has another name. Its operator sets PUBLIC_ORIGIN, or lets the proxy pass Host and set X-Forwarded-For.',
      );
    }
    if (!SAFE_METHODS.has(ctx.method)) assertOwnOrigin(ctx.req, config, telemetry);
    await next();
  };
}

/** What was announced may be read. */
export function isBodySizeAllowed(request: IncomingMessage): boolean {
  return Number(request.headers['content-length'] ?? 0) <= MAX_BODY_BYTES;
}

function assertOwnOrigin(request: IncomingMessage, config: Config, telemetry: Telemetry): void {
  if (!isOurOrigin(request, config)) {
    telemetry.refusedOrigin('wrong_origin', request, likelyCause(request, config));
    throw new HttpError(
      403,
      'wrong_origin',
      'This request came from another site. Behind a proxy, the operator lets it pass Host and set X-Forwarded-Proto, or sets PUBLIC_ORIGIN or ALLOWED_ORIGINS.',
    );
  }
  if (!isBodySizeAllowed(request)) throw bodyTooLarge();
}
