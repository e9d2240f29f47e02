/**
 * The deps, put together on one port. `createServer` opens the store and starts nothing else; `listen` is the caller's.
 * The way of a message: socket/ or http/ → sequencer/ → chat/apply (in one transaction of store/) → socket/hub → the rooms.
 */
import http from 'node:http';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { applyBatch } from './chat/rules.js';
import type { Command, Result, Storage } from './chat/types.js';
import type { Config } from './config.js';
import { createApp, isBodySizeAllowed } from './http/app.js';
import { onClientError } from './http/errors.js';
import { createMetrics } from './metrics.js';
import { startHeartbeat } from './realtime/heartbeat.js';
import { Hub } from './realtime/hub.js';
import { UpgradeHandler } from './realtime/upgrade.js';
import { LocalSequencer } from './sequencer/local.js';
import type { BatchHandler, Sequencer } from './sequencer/sequencer.js';
import { newKey, SessionCookie } from './session.js';
import { CLOSE, type User } from './shared/protocol.js';
import { Store } from './store/store.js';

export interface Dependencies {
  readonly logger: Logger;
  /** milliseconds since 1970 */
  readonly now?: () => number;
  /** connections that fit into the process's file limit; more are answered 503 */
  readonly maxConnections?: number;
  /** How commands get their order, and what the rules write in; tests put faulty ones here to see them found out. */
  readonly createSequencer?: (beat: BatchHandler) => Sequencer;
  readonly wrapStorage?: (book: Storage) => Storage;
}

export interface Server {
  readonly http: http.Server;
  readonly epoch: string;
  /** Lets nobody new in, commits and echoes what was said, says 1012 to all, closes the store. */
  close(): Promise<void>;
  /** The same at once: sockets are cut, what was committed is kept. */
  abort(): void;
}

/** Bytes of headers; milliseconds for them, for a whole request, and between two looks at who is late. */
const HTTP_OPTIONS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 8_000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 1_000,
};
const DAY_MS = 24 * 3600 * 1000;
const PUBLIC_DIR = fileURLToPath(new URL('../public', import.meta.url));

/** @throws what opening the store throws */
export function createServer(config: Config, surroundings: Dependencies): Server {
  const { logger } = surroundings;
  const store = new Store(config.dataDir, (from, to) =>
    logger.info({ from, to }, 'bringing the database to a new shape: some seconds for a million messages'),
  );
  const server = http.createServer(HTTP_OPTIONS);
  const { maxConnections: connectionsMax = 0 } = surroundings;
  const full = connectionsMax > 0 ? connectionLimit(server, connectionsMax) : () => false;
  const chat = createChat(config, store, surroundings);
  const { hub, sequencer } = chat;
  let draining = false;
  const doors = { draining: () => draining, full };
  const door = attachHttpAndUpgrade(server, config, store, chat, doors, surroundings);

  const stops = [
    startHeartbeat(hub.heartbeat, chat.now, () => hub.everySecond()),
    startStoreTimer(store),
    () => hub.stop(),
  ];
  const abort = (): void => {
    for (const stop of stops) stop();
    server.close();
    server.closeAllConnections(); // the door has those that were upgraded
    door.terminateAll();
    store.close();
  };
  const close = async (): Promise<void> => {
    draining = true; // still listening: who asks is told 503
    await sequencer.close();
    await closeAllConnections(hub);
    abort();
  };
  return { http: server, epoch: store.epoch, close, abort };
}

type Chat = ReturnType<typeof createChat>;

/** From a command to what everyone sees of it. */
function createChat(config: Config, store: Store, surroundings: Dependencies) {
  const { logger, now = Date.now, wrapStorage: wrapBook } = surroundings;
  const { createSequencer: sequence = (beat) => new LocalSequencer(beat) } = surroundings;
  const { events: log, epoch, people, memberships: members } = store;
  const book = wrapBook?.(store) ?? store;
  const hub = new Hub({
    log,
    epoch,
    limits: config.limits,
    now,
    roomsOf: (user, limit) => members.list(user, limit),
    submit: (command, reply) => sequencer.submit(command, reply),
  });
  const onBug = (error: unknown): void => logger.error({ err: error }, 'a command met a bug');
  const sequencer: Sequencer = sequence({
    apply: (commands) => applyBatch(commands, book, onBug),
    deliver: (results) => hub.deliver(results),
  });
  const submit = (command: Command): Promise<Result> =>
    new Promise((resolve) => sequencer.submit(command, resolve));
  const seen = (user: User): void => {
    const at = now();
    if (at - (people.person(user.id)?.lastSeen ?? 0) > DAY_MS) sequencer.submit({ kind: 'seen', user, at });
  };
  return { hub, sequencer, submit, seen, now };
}

interface ServerState {
  readonly draining: () => boolean;
  readonly full: () => boolean;
}

/** Koa for requests, ws for upgrades, on the same server. Answers with the door of the latter. */
function attachHttpAndUpgrade(
  server: http.Server,
  config: Config,
  store: Store,
  { hub, submit, seen, now }: Chat,
  { draining, full }: ServerState,
  { logger }: Dependencies,
): UpgradeHandler {
  const identity = new SessionCookie(sessionKeys(config, store), store.people, now);
  const unready = (): readonly string[] => [
    ...(draining() ? ['the server is stopping'] : []),
    ...(store.writeError === undefined ? [] : [`the store fails: ${store.writeError}`]),
  ];
  const mayPost = (user: User): boolean => hub.user(user).mayPost(performance.now());
  const { events: log, epoch } = store;
  const metrics = createMetrics(hub, store);
  const app = createApp({
    config,
    sessionCookie: identity,
    logger,
    now,
    submit,
    unreadyReasons: unready,
    log,
    epoch,
    takeToken: mayPost,
    hub,
    store,
    metrics,
    publicDir: PUBLIC_DIR,
    isFull: full,
  });
  const answer = app.callback();
  server.on('request', answer);
  server.on('checkContinue', (request, response) => {
    if (isBodySizeAllowed(request)) response.writeContinue();
    void answer(request, response);
  });
  const onError = (error: unknown): void => logger.error({ err: error }, 'a socket met an error of ours');
  const door = new UpgradeHandler({
    config,
    identity,
    hub,
    onSeen: seen,
    onError,
    isClosed: () => draining() || full(),
  });
  server.on('upgrade', door.handle);
  server.on('clientError', onClientError);
  return door;
}

function sessionKeys(config: Config, store: Store): readonly string[] {
  return config.sessionKeys.length > 0 ? config.sessionKeys : [store.getOrCreateMeta('session_keys', newKey)];
}

/** What the store does beside the beats, once a second. */
function startStoreTimer(store: Store): () => void {
  const timer = setInterval(() => store.tick(), 1000);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * Whether more sockets are open than may be, upgraded or not. The server counts them itself; a listener of ours on each
 * would cost 100 bytes. It tells the count a moment later: so it is asked when one comes, before that one is answered,
 * and with each question, that who has gone is noticed too.
 */
function connectionLimit(server: http.Server, most: number): () => boolean {
  let open = 0;
  const count = (): void => {
    server.getConnections((_error, now) => {
      open = now;
    });
  };
  server.on('connection', count);
  return () => {
    count();
    return open > most;
  };
}

/** Sockets closed at once, so that they do not come back all in the same moment. */
const closeBatchSize = 500;
/** Milliseconds for all of them to answer; who does not is cut. */
const closeTimeoutMs = 3000;

/** Echoes everything that was committed, then tells the clients to reconnect, a batch at a time. */
async function closeAllConnections(hub: Hub): Promise<void> {
  while (hub.broadcaster.busy) await setImmediate();
  let closing = 0;
  for (const connection of hub.connections.values()) {
    connection.close(CLOSE.restart);
    if (++closing % closeBatchSize === 0) await setTimeout(20);
  }
  for (const until = Date.now() + closeTimeoutMs; hub.connections.size > 0 && Date.now() < until; )
    await setTimeout(20);
}
