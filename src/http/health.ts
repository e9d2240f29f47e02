/** Health checks and metrics. */
import Router from 'koa-router';
import { type Config, VERSION } from '../config.js';
import { isDirectAndLocal, isLocalHost } from '../origin.js';
import { HttpError } from './errors.js';

export interface HealthDeps {
  readonly config: Config;
  /** why the server cannot accept messages now; empty when it can */
  readonly unreadyReasons: () => readonly string[];
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> };
  /** the part of this process in the chat, and how far it has applied the order */
  readonly order: OrderState;
}

export interface OrderState {
  readonly role: 'single' | 'primary' | 'node';
  /** The number of this worker; undefined when there are none. */
  readonly worker?: number | undefined;
  /** opaque */
  readonly position: string;
  /** entries still to apply */
  readonly behind: number;
  /** why the order takes no commands now */
  readonly problems: readonly string[];
  /** whether readers are refused, because this node has not caught up */
  readonly isStale: boolean;
  /** Resolves with false when this node does not get to a position soon enough. */
  waitFor(position: string): Promise<boolean>;
}

export function healthRoutes({ config, unreadyReasons: unready, metrics, order }: HealthDeps): Router {
  const router = new Router();
  router.get('/healthz', (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    ctx.body = { alive: true, version: VERSION, worker: order.worker };
  });
  router.get('/readyz', (ctx) => {
    const reasons = unready();
    ctx.set('Cache-Control', 'no-store');
    ctx.status = reasons.length === 0 ? 200 : 503;
    const { role, position, behind } = order;
    ctx.body = { ready: reasons.length === 0, reasons, role, position, behind };
  });
  router.get('/metrics', async (ctx) => {
    const local = isDirectAndLocal(ctx.req) && isLocalHost(ctx.headers.host ?? '');
    if (!config.metricsPublic && !local)
      throw new HttpError(
        403,
        'forbidden',
        'Metrics can only be read from this machine. Set METRICS=all to allow other machines.',
      );
    ctx.type = metrics.contentType;
    ctx.body = await metrics.metrics();
  });
  return router;
}
