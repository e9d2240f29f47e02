/**
 * Wires the parts on one port. `createServer` opens the store and starts nothing else; the caller calls `listen`.
 * The path of a message: realtime/ or http/, sequencer/, chat/rules (in one transaction of store/), realtime/hub, room.
 */
import type http from 'node:http';
import { Server as NetServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { isLastSeenDue } from './chat/rules.js';
import type { Command, Result, Storage } from './chat/types.js';
import type { Config } from './config.js';
import { type AppDeps, createApp, isBodySizeAllowed } from './http/app.js';
import { PlainConnections, UnreadAnswers } from './http/connections.js';
import { onClientError } from './http/errors.js';
import type { OrderState } from './http/health.js';
import { createLimiters, type Limiter } from './http/rate-limiter.js';
import { RequestQueue } from './http/request-queue.js';
import { createLogHandler, identityOf, type LogListener, logHeads, openStore, startLogWork } from './log.js';
import { createMetrics } from './metrics.js';
import { isValidRequest, secureOriginOf } from './origin.js';
import { startHeartbeat } from './realtime/heartbeat.js';
import { behindTimeoutMs, Hub } from './realtime/hub.js';
import { ReaderHandler } from './realtime/readers.js';
import type { EventSource } from './realtime/room.js';
import { messageCost } from './realtime/throttle.js';
import { AddressCounts, type ConnectionCounter, UpgradeHandler } from './realtime/upgrade.js';
import { LocalSequencer } from './sequencer/local.js';
import type { CreateSequencer, Identity, Sequencer } from './sequencer/sequencer.js';
import { SessionCookie } from './session.js';
import { CLOSE, type User } from './shared/protocol.js';
import { databaseFile } from './store/database.js';
import { Store } from './store/store.js';
import { Telemetry } from './telemetry.js';
import { createRedirectServer, Listener } from './tls.js';
import type { LimiterName } from './workers/messages.js';
import type { PrimaryListener, WorkerSequencer } from './workers/worker.js';

export interface Dependencies {
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Connections that fit into the file limit of the process. Further ones are answered with 503. 0 = no limit. */
  readonly maxConnections?: number;
  /** The sequencer and the storage of the rules. Tests replace them with faulty ones. */
  readonly createSequencer?: CreateSequencer;
  readonly wrapStorage?: (storage: Storage) => Storage;
  /** In a worker: the way to the process that has the log. */
  readonly primary?: WorkerSequencer | undefined;
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
  const { logger, maxConnections = 0, now = Date.now, primary } = dependencies;
  const listener = new Listener(httpOptions, config.tls, logger, now);
  const { server } = listener;
  const store = primary ? openReader(config, primary) : openStore(config, now, logger);
  const telemetry = new Telemetry(logger, now);
  const chat = createChat(config, store, telemetry, dependencies);
  const { hub, sequencer } = chat;
  const state = createState(server, config, maxConnections);
  attachHttp(listener, config, store, chat, state, logger);
  const upgradeHandler = attachUpgrade(server, config, chat, state, logger);
  const stops = [
    startHeartbeat(hub.heartbeat, now, () => hub.everySecond()),
    () => hub.stop(),
    ...(primary
      ? [() => primary.end(), listenWhileThereIsRoom(server, config, primary, state)]
      : startLogWork(config, store, sequencer, now, { logger, telemetry })),
  ];
  const redirect = createRedirect(config, server);
  const abort = (): void => {
    const wasListening = server.listening;
    for (const stop of stops) stop();
    for (const each of [redirect, server]) closeServer(each);
    upgradeHandler.terminateAll();
    if (wasListening && !primary) logHeads(store, logger);
    store.close();
  };
  const close = async (): Promise<void> => {
    state.drain(); // keeps listening, to answer 503
    await sequencer.close();
    await closeAllConnections(hub);
    hub.peers?.bye();
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

/** Opens the database of the primary for reading. */
function openReader({ dataDir }: Config, primary: WorkerSequencer): Store {
  return Store.openReader(dataDir, {
    find: async (request) => (await primary.ask('find', request)) ?? undefined,
  });
}

type Chat = ReturnType<typeof createChat>;

/** Wires the path from a command to its delivery. */
function createChat(config: Config, store: Store, telemetry: Telemetry, dependencies: Dependencies) {
  const { logger, now = Date.now, primary, wrapStorage } = dependencies;
  const { createSequencer = (handler) => new LocalSequencer(handler) } = dependencies;
  const onReadError = createDamageReport(store, logger, primary);
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
    post: primary && ((command, reply, address) => primary.post(command, reply, address)),
    onFlood: primary && ((user) => primary.tell(['flood', user.id])),
    onSeen,
    nameOf: (id) => store.people.nameOf(id),
    publish: primary || config.redis ? (text) => sequencer.shared?.publish(text) : undefined,
    isWorker: primary !== undefined,
    hasNodes: config.redis !== undefined,
  });
  const listener = createListener(config, hub, sessionCookie);
  const sequencer: Sequencer = primary
    ? primary.attach(createReader(store, hub, listener))
    : createSequencer(createLogHandler(config, store, listener, { logger, telemetry, wrapStorage }));
  const order = createOrderState(sequencer, telemetry, primary);
  const submit = (command: Command): Promise<Result> =>
    new Promise((resolve) => sequencer.submit(command, resolve));
  const read = (work: () => void): void => store.read(work);
  return { hub, sequencer, order, submit, sessionCookie, onSeen, onReadError, now, read, telemetry, primary };
}

/** Returns what notes a failed read. */
function createDamageReport(store: Store, logger: Logger, primary: WorkerSequencer | undefined) {
  return (error: unknown): void => {
    if (!store.noteReadError(error)) return;
    logger.error({ err: error }, 'the database is damaged: run verify, and restore a backup');
    if (store.damage !== undefined) primary?.tell(['damage', store.damage]);
  };
}

/** Passes on to the hub what happens in the log. */
function createListener(config: Config, hub: Hub, sessionCookie: SessionCookie): LogListener {
  return {
    deliver: (results) => hub.deliver(results),
    onBegin(identity, isNewEpoch) {
      sessionCookie.replace(sessionKeys(config, identity), identity.instance);
      if (isNewEpoch) hub.onNewEpoch();
    },
    onReplaced: () => hub.onNewEpoch(),
    onJoined: () => hub.peers?.hello(),
    receive: (from, text) => hub.peers?.receive(from, text),
  };
}

/** In a worker: keeps what the store has in memory right, and passes everything on. */
function createReader(store: Store, hub: Hub, listener: LogListener): PrimaryListener {
  return {
    ...listener,
    onRenewed: (user, expiredAt, expiresAt) => hub.renewSession(user, expiredAt, expiresAt),
    onFlood: (user) => hub.disconnect(user),
    deliver(results) {
      for (const result of results)
        if (result.kind === 'accepted')
          store.recentRooms.touch(result.room, result.event.user.id, result.event.id);
      listener.deliver(results);
    },
    begin(identity) {
      const isNewEpoch = identity.epoch !== store.epoch;
      store.onBegin(identity.epoch);
      listener.onBegin(identity, isNewEpoch);
    },
  };
}

function createOrderState(
  sequencer: Sequencer,
  telemetry: Telemetry,
  primary: WorkerSequencer | undefined,
): OrderState {
  return {
    worker: primary?.place.number,
    role: primary?.state.role ?? (sequencer.shared ? 'node' : 'single'),
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
  const identity = identityOf(store);
  return new SessionCookie(sessionKeys(config, identity), store.people, now, identity.instance);
}

function sessionKeys({ sessionKeys }: Config, { sessionKey }: Identity): readonly string[] {
  return sessionKeys.length > 0 ? sessionKeys : [sessionKey];
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

function createState(server: http.Server, config: Config, maxConnections: number): ServerState {
  let isDraining = false;
  const connections = new PlainConnections(config.limits.connectionsPerAddress, config.trustedProxies);
  connections.attach(server);
  const openConnections = countConnections(server, maxConnections, connections);
  return {
    isDraining: () => isDraining,
    drain() {
      isDraining = true;
    },
    isFull: () => maxConnections > 0 && openConnections() > maxConnections,
    openConnections,
    maxConnections,
    connections,
    addresses: new AddressCounts(),
  };
}

interface ServerState {
  readonly isDraining: () => boolean;
  /** Refuses new connections from now on. */
  readonly drain: () => void;
  readonly isFull: () => boolean;
  readonly openConnections: () => number;
  /** 0: no limit. */
  readonly maxConnections: number;
  readonly connections: PlainConnections;
  readonly addresses: AddressCounts;
}

/** Attaches Koa to the server. */
function attachHttp(
  listener: Listener,
  config: Config,
  store: Store,
  chat: Chat,
  state: ServerState,
  logger: Logger,
): void {
  const { hub, order, submit, sessionCookie, onSeen, onReadError, now, telemetry, primary } = chat;
  const { isDraining, isFull, connections, addresses } = state;
  const counter = counterOf(config, primary);
  const readerDeps = { config, hub, telemetry, now, addresses, counter, isDraining, onError: onReadError };
  const readers = new ReaderHandler(readerDeps);
  const queue = new RequestQueue(config.trustedProxies);
  const app = createApp({
    config,
    turn: (request) => queue.turn(request),
    sessionCookie,
    onSeen,
    onError: onReadError,
    onRenewed({ user, expiresAt }, renewed) {
      hub.renewSession(user.id, expiresAt, renewed);
      primary?.tell(['renewed', user.id, expiresAt, renewed]);
    },
    logger,
    telemetry,
    now,
    submit,
    unreadyReasons: () => unreadyReasons(state, diskStateOf(store, primary), order),
    order,
    log: store.events,
    readAtOnce: (work) => store.read(work),
    get epoch() {
      return store.epoch;
    },
    ...limitsOf(config, chat),
    hub,
    readers,
    store,
    metrics: metricsOf(config, store, chat, listener),
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

/** A worker knows of the disk what the primary tells, and what it has read itself. */
function diskStateOf(
  store: Store,
  primary: WorkerSequencer | undefined,
): Pick<Store, 'writeError' | 'damage'> {
  if (!primary) return store;
  return { writeError: primary.state.writeError, damage: primary.state.damage ?? store.damage };
}

function unreadyReasons(
  { isDraining, isFull }: ServerState,
  store: Pick<Store, 'writeError' | 'damage'>,
  order: OrderState,
): string[] {
  return [
    ...(isDraining() ? ['stopping'] : []),
    ...(isFull() ? ['too many connections (raise the open-file limit)'] : []),
    ...(store.writeError === undefined ? [] : [`database write failed: ${store.writeError}`]),
    ...(store.damage === undefined ? [] : [`database damaged: ${store.damage}`]),
    ...order.problems,
  ];
}

/** Limits of requests, counted in this process or by the primary. */
function limitsOf(
  { limits }: Config,
  { hub, now, primary }: Chat,
): Pick<AppDeps, 'takeToken' | 'signinLimiter' | 'searchLimiter'> {
  const own = createLimiters(limits, now);
  const takeToken: AppDeps['takeToken'] = (user, text = '', address) =>
    hub.takeMessageTokens(user, text, address);
  if (!primary) return { takeToken, ...own };
  const limiter = (name: LimiterName): Limiter => ({
    take: (key) => primary.ask('rate', { limiter: name, key }),
  });
  // where there is no limit, asking would only cost time
  const [hasMessageLimit, hasSigninLimit] = [limits.messageRate > 0, limits.signinsPerMinute > 0];
  const askForTokens: AppDeps['takeToken'] = (user, text = '', address) =>
    primary.ask('tokens', {
      ...{ user: user.id, cost: messageCost(text) },
      ...(address === undefined ? {} : { address }),
    });
  return {
    takeToken: hasMessageLimit ? askForTokens : takeToken,
    signinLimiter: hasSigninLimit ? limiter('signin') : own.signinLimiter,
    searchLimiter: hasMessageLimit ? limiter('search') : own.searchLimiter,
  };
}

/** Lets the primary count connections, when there is a limit. */
function counterOf(
  { limits: { connectionsPerAddress, connectionsPerPerson } }: Config,
  primary: WorkerSequencer | undefined,
): ConnectionCounter | undefined {
  if (!primary || connectionsPerAddress + connectionsPerPerson === 0) return undefined;
  return {
    open: (owner, done) => void primary.ask('open', owner).then(done),
    close: (owner) => primary.tell(['closed', owner]),
  };
}

/** The metrics of this process, or those of all workers, which the primary adds up. */
function metricsOf(
  config: Config,
  store: Store,
  { hub, sequencer, telemetry, primary }: Chat,
  listener: Listener,
): AppDeps['metrics'] {
  const front = { hub, certificateExpires: () => listener.certificateExpires };
  if (primary) {
    const own = createMetrics({ telemetry, front });
    primary.onMetrics(() => own.getMetricsAsJSON());
    return { contentType: own.contentType, metrics: () => primary.ask('metrics', {}) };
  }
  const counts = {
    people: () => hub.userCount,
    rooms: () => hub.roomCount,
    events: () => hub.eventCount,
  };
  const log = { store, databaseFile: databaseFile(config.dataDir), shared: sequencer.shared, counts };
  return createMetrics({ telemetry, front, log });
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
  { hub, order, sessionCookie, onReadError, read, telemetry, primary }: Chat,
  { isDraining, isFull, connections, addresses }: ServerState,
  logger: Logger,
): UpgradeHandler {
  const handler = new UpgradeHandler({
    config,
    addresses,
    counter: counterOf(config, primary),
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

/**
 * Connections above the limit that are let in, so that their requests are answered with 503. Above `idle` of them, idle plain
 * connections are closed; above `all`, new ones are closed at once, so that files can still be opened.
 */
const spareConnections = { idle: 128, all: 192 } as const;

/**
 * Returns a function that tells how many sockets are open, upgraded or not. The server counts them itself; a
 * close listener on each would cost 100 bytes. The count is asynchronous, so it is requested with each new
 * connection, before its request is answered, and with each call, which notices sockets that closed.
 */
function countConnections(server: http.Server, max: number, connections: PlainConnections): () => number {
  if (max === 0) return () => 0;
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
    return open;
  };
}

/** Connections below the limit at which a worker stops listening, and above which it does not listen again. */
const listenMargins = { stop: 0.95, start: 0.9 } as const;
const listenCheckMs = 250;

/**
 * Stops listening while this worker has few file descriptors left, if the primary knows another worker that listens. Open
 * connections stay. Returns what ends it.
 */
function listenWhileThereIsRoom(
  server: http.Server,
  { host }: Config,
  primary: WorkerSequencer,
  { openConnections, maxConnections, isDraining }: ServerState,
): () => void {
  let hasStopped = false;
  primary.onStopListening(() => {
    hasStopped = true;
    NetServer.prototype.close.call(server); // that of HTTP would also end the timeouts of open connections
  });
  const timer = setInterval(() => {
    const load = openConnections() / maxConnections;
    if (server.listening && load >= listenMargins.stop) primary.tell(['full', true]);
    if (!hasStopped || isDraining() || load >= listenMargins.start) return;
    hasStopped = false;
    primary.tell(['full', false]);
    server.listen(primary.place.port, host);
  }, listenCheckMs);
  timer.unref();
  return () => clearInterval(timer);
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
