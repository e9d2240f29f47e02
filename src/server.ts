/**
 * Wires the parts on one port. `createServer` opens the store and starts nothing else; the caller calls `listen`.
 * The path of a message: realtime/ or http/, sequencer/, chat/rules (in one transaction of store/), realtime/hub, room.
 */
import type http from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { applyBatch, applyEntries, isLastSeenDue } from './chat/rules.js';
import type { Command, Result, Storage } from './chat/types.js';
import type { Config } from './config.js';
import { createApp, isBodySizeAllowed } from './http/app.js';
import { PlainConnections, UnreadAnswers } from './http/connections.js';
import { onClientError } from './http/errors.js';
import type { OrderState } from './http/health.js';
import { RateLimiter } from './http/rate-limiter.js';
import { RequestQueue } from './http/request-queue.js';
import { createMetrics } from './metrics.js';
import { isValidRequest, secureOriginOf } from './origin.js';
import { startHeartbeat } from './realtime/heartbeat.js';
import { Hub } from './realtime/hub.js';
import { ReaderHandler } from './realtime/readers.js';
import type { EventSource } from './realtime/room.js';
import { AddressCounts, UpgradeHandler } from './realtime/upgrade.js';
import { startRetention } from './retention.js';
import { LocalSequencer } from './sequencer/local.js';
import type { CreateSequencer, Sequencer, SharedHandler } from './sequencer/sequencer.js';
import { newInstance, newKey, SessionCookie } from './session.js';
import { CLOSE, type User } from './shared/protocol.js';
import { formatHead } from './store/chain.js';
import { databaseFile, isDatabaseEmpty } from './store/database.js';
import { Store } from './store/store.js';
import { Telemetry } from './telemetry.js';
import { createRedirectServer, Listener } from './tls.js';

export interface Dependencies {
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Connections that fit into the file limit of the process. Further ones are answered with 503. 0 = no limit. */
  readonly maxConnections?: number;
  /** The sequencer and the storage of the rules. Tests replace them with faulty ones. */
  readonly createSequencer?: CreateSequencer;
  readonly wrapStorage?: (storage: Storage) => Storage;
}

export interface Server {
  readonly http: http.Server;
  /** Redirects to https: HTTP_REDIRECT_PORT. */
  readonly redirect: http.Server | undefined;
  readonly epoch: string;
  /** Shuts down: refuses new connections, commits and delivers pending commands, closes all sockets with 1012. */
  close(): Promise<void>;
  /** Reads the certificate again. Open connections stay; a bad certificate changes nothing. */
  reload(): void;
  /** Ends at once: cuts all sockets. Committed data is kept. */
  abort(): void;
}

/** Header bytes; milliseconds for the headers, for a whole request, and between two checks of both. */
const httpOptions = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 8_000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 1_000,
  /** Longer than proxies keep idle connections (Caddy 120 s), or they use one that we are closing, and answer 502. */
  keepAliveTimeout: 125_000,
};
const publicDir = fileURLToPath(new URL('../public', import.meta.url));

/** @throws what opening the store throws */
export function createServer(config: Config, dependencies: Dependencies): Server {
  const { logger, maxConnections = 0, now = Date.now } = dependencies;
  const listener = new Listener(httpOptions, config.tls, logger, now);
  const { server } = listener;
  const store = openStore(config, logger, now());
  const telemetry = new Telemetry(logger, now);
  const chat = createChat(config, store, telemetry, dependencies);
  const { hub, sequencer } = chat;
  let draining = false;
  const connections = new PlainConnections(config.limits.connectionsPerAddress, config.trustedProxies);
  connections.attach(server);
  const state = {
    isDraining: () => draining,
    isFull: maxConnections > 0 ? connectionLimit(server, maxConnections, connections) : () => false,
    connections,
    addresses: new AddressCounts(),
  };
  attachHttp(listener, config, store, chat, state, logger);
  const upgradeHandler = attachUpgrade(server, config, chat, state, logger);
  const stops = startBackgroundWork(config, store, chat, logger);
  const redirect = createRedirect(config, server);
  const abort = (): void => {
    const wasListening = server.listening;
    for (const stop of stops) stop();
    for (const each of [redirect, server]) closeServer(each);
    upgradeHandler.terminateAll();
    if (wasListening) logHeads(store, logger);
    store.close();
  };
  const close = async (): Promise<void> => {
    draining = true; // keeps listening, to answer 503
    await sequencer.close();
    await closeAllConnections(hub);
    await sequencer.shared?.flush();
    abort();
  };
  return {
    http: server,
    redirect,
    get epoch() {
      return store.epoch;
    },
    close,
    reload: () => listener.reload(),
    abort,
  };
}

/** Upgraded sockets stay open. */
function closeServer(server: http.Server | undefined): void {
  server?.close();
  server?.closeAllConnections();
}

function createRedirect(config: Config, server: http.Server): http.Server | undefined {
  if (config.redirectPort === undefined) return undefined;
  return createRedirectServer(httpOptions, (request) => {
    const address = server.address();
    return typeof address === 'object' && address !== null
      ? secureOriginOf(request, config, address.port)
      : undefined;
  });
}

/** Returns what stops it. */
function startBackgroundWork(
  { retentionDays: days }: Config,
  store: Store,
  { hub, sequencer, telemetry, submit, now }: Chat,
  logger: Logger,
): readonly (() => void)[] {
  return [
    startHeartbeat(hub.heartbeat, now, () => hub.everySecond()),
    startStoreTimer(store, telemetry, [watchClock(now, logger), logHeadsDaily(store, now, logger)]),
    startRetention({ days, now, log: store.events, submit, logger }),
    () => hub.stop(),
    () => sequencer.shared?.end(),
  ];
}

/** `now` is in milliseconds since 1970. */
function openStore(config: Config, logger: Logger, now: number): Store {
  if (isDatabaseEmpty(config.dataDir))
    logger.warn(
      { file: databaseFile(config.dataDir) },
      'the database file is empty, so the chat begins anew: if it had messages, restore a backup',
    );
  const store = new Store(
    config.dataDir,
    {
      start: (from, to) => logger.info({ from, to }, `migrating database from schema ${from} to ${to}`),
      progress: (events) => logger.info({ events }, 'migrating database'),
    },
    (error) => logger.error({ err: error }, 'restarting the search worker'),
  );
  warnOfClock(store.newestTime, now, logger);
  return store;
}

/**
 * Messages get the newest stored time until the clock has caught up with it. Nothing takes a time back, so the operator should
 * know of a clock that may be ahead before anybody writes.
 */
function warnOfClock(newestTime: number, now: number, logger: Logger): void {
  const newest = new Date(newestTime).toISOString();
  if (newestTime > now + maxClockDeviationMs)
    logger.warn(
      { newest },
      'the clock is behind the newest message; set it, or times stand still until then',
    );
  else if (newestTime > 0 && now > newestTime + maxSilenceMs)
    logger.warn({ newest }, 'the newest message is over 30 days old; stop the server if the clock is ahead');
}

/** Warns when the clock jumps while the server runs. */
function watchClock(now: () => number, logger: Logger): () => void {
  let offset = now() - performance.now();
  return () => {
    const jumpMs = now() - performance.now() - offset;
    if (Math.abs(jumpMs) < maxClockDeviationMs) return;
    offset += jumpMs;
    logger.warn({ seconds: Math.round(jumpMs / 1000) }, 'the clock jumped; set it if it is wrong');
  };
}

const maxClockDeviationMs = 60_000;
const maxSilenceMs = 30 * 24 * 3600 * 1000;

type Chat = ReturnType<typeof createChat>;

/** Wires the path from a command to its delivery. */
function createChat(config: Config, store: Store, telemetry: Telemetry, dependencies: Dependencies) {
  const { logger, now = Date.now } = dependencies;
  const { createSequencer = (handler) => new LocalSequencer(handler) } = dependencies;
  const onReadError = (error: unknown): void => {
    if (store.noteReadError(error))
      logger.error({ err: error }, 'the database is damaged: run verify, and restore a backup');
  };
  const sessionCookie = createSessionCookie(config, store, now);
  const onSeen = (user: User): void => {
    try {
      const [at, person] = [now(), store.people.person(user.id)];
      if (!person || isLastSeenDue(person, at)) sequencer.submit({ kind: 'seen', user, at });
    } catch {
      // a failing disk is reported by the next read of the log
    }
  };
  const hub = new Hub({
    log: watchReads(store.events, onReadError),
    get epoch() {
      return store.epoch;
    },
    limits: config.limits,
    now,
    countUnread: (user, room) => store.memberships.unread(user, room),
    submit: (command, reply) => sequencer.submit(command, reply),
    onSeen,
    publish: config.redis && ((text) => sequencer.shared?.publish(text)),
  });
  const handler = createHandler(config, store, hub, sessionCookie, telemetry, dependencies);
  const sequencer: Sequencer = createSequencer(handler);
  const order = createOrderState(sequencer, telemetry);
  const submit = (command: Command): Promise<Result> =>
    new Promise((resolve) => sequencer.submit(command, resolve));
  const read = (work: () => void): void => store.read(work);
  return { hub, sequencer, order, submit, sessionCookie, onSeen, onReadError, now, read, telemetry };
}

/** What a sequencer does with the commands of the order, and with the order itself when other processes share it. */
function createHandler(
  config: Config,
  store: Store,
  hub: Hub,
  sessionCookie: SessionCookie,
  telemetry: Telemetry,
  { logger, wrapStorage }: Dependencies,
): SharedHandler {
  if (config.redis) store.relaxSync();
  const storage = wrapStorage?.(store) ?? store;
  const onBug = (error: unknown): void => logger.error({ err: error }, 'failed to apply a command');
  return {
    apply(commands, position) {
      const from = performance.now();
      const results =
        position === undefined
          ? applyBatch(commands, storage, onBug)
          : applyEntries(commands, position, storage, onBug);
      telemetry.committed(performance.now() - from, commands.length);
      telemetry.storeState(store.writeError);
      return results;
    },
    deliver: (results) => hub.deliver(results),
    get position() {
      return store.position;
    },
    get identity() {
      return {
        epoch: store.epoch,
        sessionKey: store.getOrCreateMeta('session_keys', newKey),
        instance: store.getOrCreateMeta('instance', newInstance),
      };
    },
    digest: () => store.digest(),
    begin(identity, position) {
      const before = store.epoch;
      store.begin(identity, position);
      sessionCookie.replace(sessionKeys(config, store), identity.instance);
      if (identity.epoch !== before) hub.onNewEpoch();
    },
    onReplaced: () => hub.onNewEpoch(),
    onJoined: () => hub.peers?.hello(),
    receive: (from, text) => hub.peers?.receive(from, text),
  };
}

function createOrderState(sequencer: Sequencer, telemetry: Telemetry): OrderState {
  return {
    role: sequencer.shared ? 'node' : 'single',
    get position() {
      return sequencer.shared?.position ?? String(telemetry.commits);
    },
    get behind() {
      return sequencer.shared?.behind ?? 0;
    },
    get problems() {
      return sequencer.shared?.problems ?? [];
    },
    get isStale() {
      return sequencer.shared?.isStale ?? false;
    },
    waitFor: (position) => sequencer.shared?.waitFor(position, behindTimeoutMs) ?? Promise.resolve(true),
  };
}

function createSessionCookie(config: Config, store: Store, now: () => number): SessionCookie {
  const instance = store.getOrCreateMeta('instance', newInstance);
  return new SessionCookie(sessionKeys(config, store), store.people, now, instance);
}

/** Tells of reads that fail. Whoever reads handles the error. */
function watchReads(log: EventSource, onError: (error: unknown) => void): EventSource {
  const watch =
    <Args extends readonly unknown[], T>(read: (...args: Args) => T) =>
    (...args: Args): T => {
      try {
        return read(...args);
      } catch (error) {
        onError(error);
        throw error;
      }
    };
  return {
    last: watch((room) => log.last(room)),
    after: watch((room, id, limit, maxBytes) => log.after(room, id, limit, maxBytes)),
  };
}

function sessionKeys(config: Config, store: Store): readonly string[] {
  return config.sessionKeys.length > 0 ? config.sessionKeys : [store.getOrCreateMeta('session_keys', newKey)];
}

interface ServerState {
  readonly isDraining: () => boolean;
  readonly isFull: () => boolean;
  readonly connections: PlainConnections;
  readonly addresses: AddressCounts;
}

/** How long a request waits for what another node has answered before. */
const behindTimeoutMs = 5000;

/** Attaches Koa to the server. */
function attachHttp(
  listener: Listener,
  config: Config,
  store: Store,
  { hub, sequencer, order, submit, sessionCookie, onSeen, onReadError, now, telemetry }: Chat,
  state: ServerState,
  logger: Logger,
): void {
  const { isDraining, isFull, connections, addresses } = state;
  const readerDeps = { config, hub, telemetry, now, addresses, isDraining, onError: onReadError };
  const readers = new ReaderHandler(readerDeps);
  const queue = new RequestQueue(config.trustedProxies);
  const app = createApp({
    config,
    turn: (request) => queue.turn(request),
    sessionCookie,
    onSeen,
    onError: onReadError,
    onRenewed: ({ user, expiresAt }, renewed) => hub.renewSession(user, expiresAt, renewed),
    logger,
    telemetry,
    now,
    submit,
    unreadyReasons: () => unreadyReasons(state, store, order),
    order,
    log: store.events,
    get epoch() {
      return store.epoch;
    },
    takeToken: (user, text = '', address) => hub.takeMessageTokens(user, text, address),
    hub,
    readers,
    store,
    searchLimiter: new RateLimiter(config.limits.messageRate, now, 1000), // as many searches as messages
    metrics: createMetrics({
      ...{ hub, store, telemetry, shared: sequencer.shared },
      databaseFile: databaseFile(config.dataDir),
      certificateExpires: () => listener.certificateExpires,
    }),
    publicDir,
    isFull,
  });
  const unread = new UnreadAnswers(config.trustedProxies);
  const answer = createAnswer(app.callback(), { connections, queue, unread, telemetry, hub });
  const { server } = listener;
  server.on('request', answer);
  server.on('checkContinue', (request, response) => {
    if (isBodySizeAllowed(request)) response.writeContinue();
    answer(request, response);
  });
  server.on('clientError', onClientError);
}

function unreadyReasons({ isDraining, isFull }: ServerState, store: Store, order: OrderState): string[] {
  return [
    ...(isDraining() ? ['stopping'] : []),
    ...(isFull() ? ['too many connections (raise the open-file limit)'] : []),
    ...(store.writeError === undefined ? [] : [`database write failed: ${store.writeError}`]),
    ...(store.damage === undefined ? [] : [`database damaged: ${store.damage}`]),
    ...order.problems,
  ];
}

type RequestListener = (request: http.IncomingMessage, response: http.ServerResponse) => void;

interface AnswerDeps {
  readonly connections: PlainConnections;
  readonly queue: RequestQueue;
  readonly unread: UnreadAnswers;
  readonly telemetry: Telemetry;
  readonly hub: Hub;
}

/** Puts around Koa what concerns every request: whether it is one, and what becomes of its connection and its answer. */
function createAnswer(
  handle: ReturnType<ReturnType<typeof createApp>['callback']>,
  { connections, queue, unread, telemetry, hub }: AnswerDeps,
): RequestListener {
  const run: RequestListener = (request, response) => {
    if (response.destroyed) return; // its client has gone
    if (isValidRequest(request))
      void handle(request, response).then(() => {
        if (!hub.connections.has(response)) unread.add(request, response); // a stream has a limit of its own
      });
    else {
      telemetry.answered(400, { method: request.method });
      response.writeHead(400, { Connection: 'close' }).end();
    }
  };
  return (request, response) => {
    connections.onRequest(request.socket, response);
    queue.add(request, () => run(request, response));
  };
}

/** Attaches the upgrade handler to the server. */
function attachUpgrade(
  server: http.Server,
  config: Config,
  { hub, order, sessionCookie, onReadError, read, telemetry }: Chat,
  { isDraining, isFull, connections, addresses }: ServerState,
  logger: Logger,
): UpgradeHandler {
  const handler = new UpgradeHandler({
    config,
    addresses,
    sessionCookie,
    hub,
    telemetry,
    read,
    onError: (error) => {
      onReadError(error);
      logger.error({ err: error }, 'failed to open a socket');
    },
    isUnavailable: () => isDraining() || isFull() || order.isStale,
  });
  server.on('upgrade', (request, socket, head) => {
    if (!connections.takeUpgrade(server, request, socket, head)) handler.handle(request, socket, head);
  });
  return handler;
}

/** Runs the store's background work, and `tasks`, once a second. */
function startStoreTimer(store: Store, telemetry: Telemetry, tasks: readonly (() => void)[]): () => void {
  const timer = setInterval(() => {
    store.tick();
    telemetry.storeState(store.writeError);
    for (const task of tasks) task();
  }, 1000);
  timer.unref();
  return () => clearInterval(timer);
}

const headLogIntervalMs = 24 * 3600 * 1000;
const headsPerLine = 100;

/** Logs the heads once a day: whoever keeps the log can show later that nothing before them was changed. */
function logHeadsDaily(store: Store, now: () => number, logger: Logger): () => void {
  let loggedAt = now();
  return () => {
    if (Math.abs(now() - loggedAt) < headLogIntervalMs) return;
    loggedAt = now();
    logHeads(store, logger);
  };
}

function logHeads(store: Store, logger: Logger): void {
  try {
    let heads: string[] = [];
    for (const head of store.heads()) {
      heads.push(formatHead(head));
      if (heads.length < headsPerLine && head.room !== '*') continue;
      logger.info({ heads }, 'heads of the chains');
      heads = [];
    }
  } catch (error) {
    logger.error({ err: error }, 'cannot read the heads of the chains');
  }
}

/**
 * Connections above the limit that are let in, so that their requests are answered with 503. Above `idle` of them, idle plain
 * connections are closed; above `all`, new ones are closed at once, so that files can still be opened.
 */
const spareConnections = { idle: 128, all: 192 } as const;

/**
 * Returns a function that tells whether more than `max` sockets are open, upgraded or not. The server counts them itself; a
 * close listener on each would cost 100 bytes. The count is asynchronous, so it is requested with each new
 * connection, before its request is answered, and with each call, which notices sockets that closed.
 */
function connectionLimit(server: http.Server, max: number, connections: PlainConnections): () => boolean {
  server.maxConnections = max + spareConnections.all;
  let open = 0;
  const count = (): void => {
    server.getConnections((_error, current) => {
      open = current - connections.closeIdle(current - max - spareConnections.idle);
    });
  };
  server.on('connection', count);
  return () => {
    count();
    return open > max;
  };
}

/** Milliseconds of each turn for closing sockets. */
const closeBudgetMs = 4;
/** Milliseconds that clients have to answer the close frame. */
const closeTimeoutMs = 3000;

/** Writes all committed events, then closes all sockets with 1012, so that clients reconnect. */
async function closeAllConnections({ broadcaster, scheduler, connections }: Hub): Promise<void> {
  await broadcaster.whenIdle();
  const open = connections.values();
  await new Promise<void>((resolve) => {
    scheduler.runSliced(() => {
      const next = open.next();
      if (next.done) resolve();
      else next.value.close(CLOSE.restart);
      return !next.done;
    }, closeBudgetMs);
  });
  for (const end = Date.now() + closeTimeoutMs; connections.size > 0 && Date.now() < end; )
    await setTimeout(20);
}
