/**
 * The Koa application. A request passes the error handler, the security headers, the checks of host, origin and size, the
 * routes, and the static files, in this order. BASE_PATH is taken off before the checks.
 */
import type { IncomingMessage } from 'node:http';
import Koa from 'koa';
import helmet from 'koa-helmet';
import Router from 'koa-router';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { isOurHost, isOurOrigin, likelyCause, pathBelow } from '../origin.js';
import type { SessionCookie } from '../session.js';
import type { Telemetry } from '../telemetry.js';
import { type ApiDeps, apiRoutes } from './api.js';
import { behind, ErrorPage, errorHandler, HttpError } from './errors.js';
import { type HealthDeps, healthRoutes } from './health.js';
import { type LinkDeps, linkRoutes } from './links.js';
import { manifestRoute, pageRoutes } from './page.js';
import { bodyReader, bodyTooLarge, maxBodyBytes } from './params.js';
import { plainRoutes } from './plain.js';
import { type SigninDeps, signinRoutes } from './signin.js';
import { staticFiles } from './static.js';

export interface AppDeps extends ApiDeps, SigninDeps, LinkDeps, HealthDeps {
  readonly store: ApiDeps['store'] & LinkDeps['store'];
  readonly config: Config;
  readonly sessionCookie: SessionCookie;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly onError: (error: unknown) => void;
  /** absolute path of the folder that is served as it is */
  readonly publicDir: string;
  /** whether no file descriptor is left for another connection */
  readonly isFull: () => boolean;
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Probes of the operator may use any Host. */
const probePaths = new Set(['/healthz', '/readyz', '/metrics']);

export function createApp(deps: AppDeps): Koa {
  const app = new Koa();
  app.silent = true; // errorHandler logs
  app.use(countAnswers(deps));
  app.use(errorHandler(deps, new ErrorPage(deps.publicDir, deps.config.site)));
  app.use(securityHeaders(deps.config));
  if (deps.config.site.basePath !== '/') app.use(stripBasePath(deps.config));
  app.use(allowOrigins(deps));
  app.use(checkRequest(deps));
  app.use(followOrder(deps));
  app.use(bodyReader());
  for (const routes of [
    healthRoutes(deps),
    signinRoutes(deps),
    linkRoutes(deps),
    apiRoutes(deps),
    plainRoutes(deps),
    pageRoutes(deps),
    manifestRoute(deps),
    socketRoute(),
  ]) {
    app.use(routes.routes());
    app.use(routes.allowedMethods());
  }
  app.use(staticFiles(deps.publicDir));
  return app;
}

/** Answers a request for a socket whose Upgrade header got lost. Most often a proxy drops it. */
function socketRoute(): Router {
  return new Router().get('/ws/:room', () => {
    throw new HttpError(
      426,
      'upgrade_required',
      'This address is for WebSocket, but the request has no Upgrade header. Behind a proxy, its operator lets the proxy pass Upgrade and Connection.',
      { Upgrade: 'websocket', Connection: 'Upgrade, close' },
    );
  });
}

function countAnswers({ telemetry }: AppDeps): Koa.Middleware {
  return async (ctx, next) => {
    const from = performance.now();
    await next();
    const path = ctx.path.replace(/(\/link\/).+/, '$1…'); // the secret of a link signs somebody in
    telemetry.answered(ctx.status, { method: ctx.method, path, ms: Math.round(performance.now() - from) });
  };
}

const hstsSeconds = 31_536_000;

/** Allows no script, style or image but our own, and no HTML from strings, so that user input always stays text. */
function securityHeaders({ tls, publicOrigin }: Config): Koa.Middleware {
  const ownsHost = tls !== undefined && publicOrigin !== undefined && new URL(publicOrigin).port === '';
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
        trustedTypes: ['oneport'], // for the address of the service worker (src/client/updates.ts)
      },
    },
    xFrameOptions: { action: 'deny' }, // as frame-ancestors above
    // with no-referrer forms would send "Origin: null"
    referrerPolicy: { policy: 'same-origin' },
    // A proxy that has the certificate sends HSTS itself (nginx.conf). HSTS applies to every port of the host.
    strictTransportSecurity: ownsHost && { maxAge: hstsSeconds, includeSubDomains: false },
  });
}

/**
 * Takes BASE_PATH off the path, so that no route has to know it. Probes answer at the root too: a proxy forwards only
 * BASE_PATH, so they stay inside, and the checks of deploy/ need no setting.
 */
function stripBasePath({ site }: Config): Koa.Middleware {
  return async (ctx, next) => {
    const path = pathBelow(site, ctx.path);
    if (path !== undefined) ctx.path = path;
    else if (`${ctx.path}/` === site.basePath) return ctx.redirect(site.basePath + ctx.search);
    else if (!probePaths.has(ctx.path)) throw new HttpError(404, 'not_found', 'Page not found.');
    await next();
  };
}

/** What pages of other origins may use, by CORS. */
const corsPath = /^\/(?:api\/|signin$|signout$)/;

/** Lets the pages of ALLOWED_ORIGINS read answers, and answers their preflight requests. */
function allowOrigins({ config }: AppDeps): Koa.Middleware {
  return async (ctx, next) => {
    if (config.allowedOrigins.size === 0 || !corsPath.test(ctx.path)) return next();
    ctx.vary('Origin');
    const origin = ctx.get('Origin');
    if (!config.allowedOrigins.has(origin)) return next();
    ctx.set({
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Allow-Credentials': 'true',
      'Access-Control-Expose-Headers': 'Retry-After, Oneport-Position',
    });
    if (ctx.method !== 'OPTIONS') return next();
    ctx.set({
      'Access-Control-Allow-Methods': 'GET, POST, PUT, PATCH, DELETE',
      'Access-Control-Allow-Headers': 'Content-Type, Last-Event-ID, Oneport-Position',
      'Access-Control-Max-Age': '600',
    });
    ctx.status = 204;
  };
}

/** Checks host, origin and announced size before the body is read. */
function checkRequest({ config, isFull: full, telemetry }: AppDeps): Koa.Middleware {
  return async (ctx, next) => {
    const isProbe = probePaths.has(ctx.path);
    if (!isProbe && full())
      throw new HttpError(503, 'full', 'Too many connections. Try again in a moment.', {
        'Retry-After': '2',
      });
    if (!isProbe && !isOurHost(ctx.req, config)) {
      telemetry.refusedOrigin('wrong_host', ctx.req, likelyCause(ctx.req, config));
      throw new HttpError(
        403,
        'wrong_host',
        'The Host header does not match this server. Operator: set PUBLIC_ORIGIN, or configure the proxy to forward Host and X-Forwarded-For.',
      );
    }
    if (!safeMethods.has(ctx.method) || opensReader(ctx)) assertOwnOrigin(ctx.req, config, telemetry);
    await next();
  };
}

/** Whether the request makes the visitor present in a room. */
function opensReader(ctx: Koa.Context): boolean {
  return /^\/api\/rooms\/[^/]+\/events\/?$/i.test(ctx.path) || 'wait' in ctx.query;
}

/**
 * Answers to what may be a command say how far this node has applied the order. A request that sends this back is answered
 * by a node that has applied as much, so a client reads its own writes on every node.
 */
function followOrder({ order }: AppDeps): Koa.Middleware {
  return async (ctx, next) => {
    if (probePaths.has(ctx.path)) return next();
    const position = ctx.get('Oneport-Position');
    if (order.isStale || (position !== '' && !(await order.waitFor(position)))) throw behind();
    await next();
    if (!safeMethods.has(ctx.method)) ctx.set('Oneport-Position', order.position);
  };
}

/** Checks the announced size of a body. */
export function isBodySizeAllowed(request: IncomingMessage): boolean {
  return Number(request.headers['content-length'] ?? 0) <= maxBodyBytes;
}

function assertOwnOrigin(request: IncomingMessage, config: Config, telemetry: Telemetry): void {
  if (!isOurOrigin(request, config)) {
    telemetry.refusedOrigin('wrong_origin', request, likelyCause(request, config));
    throw new HttpError(
      403,
      'wrong_origin',
      'This request came from another site. Operator: behind a proxy, forward Host and X-Forwarded-Proto, or set PUBLIC_ORIGIN or ALLOWED_ORIGINS.',
    );
  }
  if (!isBodySizeAllowed(request)) throw bodyTooLarge();
}
