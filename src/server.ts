/**
 * The parts, put together on one port. `createServer` opens the store and starts nothing else; `listen` is the caller's.
 * The way of a message: socket/ or http/ → sequencer/ → chat/apply (in one transaction of store/) → socket/hub → the rooms.
 */
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { applyBeat } from './chat/apply.js';
import type { Book } from './chat/book.js';
import type { Command, Outcome } from './chat/command.js';
import type { Config } from './config.js';
import { bodyFits, createApp } from './http/app.js';
import { refuseBroken } from './http/broken.js';
import { Identity, newKey } from './identity.js';
import { createMetrics } from './metrics.js';
import type { User } from './protocol.js';
import { LocalSequencer } from './sequencer/local.js';
import type { Beat, Sequencer } from './sequencer/sequencer.js';
import { drain } from './socket/drain.js';
import { startHeartbeat } from './socket/heartbeat.js';
import { Hub } from './socket/hub.js';
import { Door } from './socket/upgrade.js';
import { Store } from './store/store.js';

export interface Surroundings {
  readonly logger: Logger;
  /** milliseconds since 1970 */
  readonly now?: () => number;
  /** connections that fit into the process's file limit; more are answered 503 */
  readonly connectionsMax?: number;
  /** How commands get their order, and what the rules write in; tests put faulty ones here to see them found out. */
  readonly sequence?: (beat: Beat) => Sequencer;
  readonly wrapBook?: (book: Book) => Book;
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
const PATIENCE = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 8_000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 1_000,
};
const DAY = 24 * 3600 * 1000;
const PUBLIC = fileURLToPath(new URL('../public', import.meta.url));

/** @throws what opening the store throws */
export function createServer(config: Config, surroundings: Surroundings): Server {
  const { logger } = surroundings;
  const store = new Store(config.dataDir, (from, to) =>
    logger.info({ from, to }, 'bringing the database to a new shape: some seconds for a million messages'),
  );
  const server = http.createServer(PATIENCE);
  const { connectionsMax = 0 } = surroundings;
  const full = connectionsMax > 0 ? fullness(server, connectionsMax) : () => false;
  const chat = openChat(config, store, surroundings);
  const { hub, sequencer } = chat;
  let draining = false;
  const doors = { draining: () => draining, full };
  const door = openDoors(server, config, store, chat, doors, surroundings);

  const stops = [
    startHeartbeat(hub.heartbeat, chat.now, () => hub.second()),
    startTicking(store),
    () => hub.stop(),
  ];
  const abort = (): void => {
    for (const stop of stops) stop();
    server.close();
    server.closeAllConnections(); // the door has those that were upgraded
    door.cut();
    store.close();
  };
  const close = async (): Promise<void> => {
    draining = true; // still listening: who asks is told 503
    await sequencer.close();
    await drain(hub);
    abort();
  };
  return { http: server, epoch: store.epoch, close, abort };
}

type Chat = ReturnType<typeof openChat>;

/** From a command to what everyone sees of it. */
function openChat(config: Config, store: Store, surroundings: Surroundings) {
  const { logger, now = Date.now, wrapBook } = surroundings;
  const { sequence = (beat) => new LocalSequencer(beat) } = surroundings;
  const { log, epoch, people, members } = store;
  const book = wrapBook?.(store) ?? store;
  const hub = new Hub({
    log,
    epoch,
    limits: config.limits,
    now,
    roomsOf: (user, limit) => members.of(user, limit),
    submit: (command, reply) => sequencer.submit(command, reply),
  });
  const onBug = (error: unknown): void => logger.error({ err: error }, 'a command met a bug');
  const sequencer: Sequencer = sequence({
    apply: (commands) => applyBeat(commands, book, onBug),
    deliver: (outcomes) => hub.deliver(outcomes),
  });
  const submit = (command: Command): Promise<Outcome> =>
    new Promise((resolve) => sequencer.submit(command, resolve));
  const seen = (user: User): void => {
    const at = now();
    if (at - (people.person(user.id)?.seen ?? 0) > DAY) sequencer.submit({ kind: 'seen', user, at });
  };
  return { hub, sequencer, submit, seen, now };
}

interface Doors {
  readonly draining: () => boolean;
  readonly full: () => boolean;
}

/** Koa for requests, ws for upgrades, on the same server. Answers with the door of the latter. */
function openDoors(
  server: http.Server,
  config: Config,
  store: Store,
  { hub, submit, seen, now }: Chat,
  { draining, full }: Doors,
  { logger }: Surroundings,
): Door {
  const identity = new Identity(keysOf(config, store), store.people, now);
  const unready = (): readonly string[] => [
    ...(draining() ? ['the server is stopping'] : []),
    ...(store.fault === undefined ? [] : [`the store fails: ${store.fault}`]),
  ];
  const mayPost = (user: User): boolean => hub.person(user).mayPost(performance.now());
  const { log, epoch } = store;
  const metrics = createMetrics(hub, store);
  const app = createApp({
    config,
    identity,
    logger,
    now,
    submit,
    unready,
    log,
    epoch,
    mayPost,
    hub,
    store,
    metrics,
    publicDir: PUBLIC,
    full,
  });
  const answer = app.callback();
  server.on('request', answer);
  server.on('checkContinue', (request, response) => {
    if (bodyFits(request)) response.writeContinue();
    void answer(request, response);
  });
  const onError = (error: unknown): void => logger.error({ err: error }, 'a socket met an error of ours');
  const door = new Door({ config, identity, hub, seen, onError, closed: () => draining() || full() });
  server.on('upgrade', door.enter);
  server.on('clientError', refuseBroken);
  return door;
}

function keysOf(config: Config, store: Store): readonly string[] {
  return config.sessionKeys.length > 0 ? config.sessionKeys : [store.remember('session_keys', newKey)];
}

/** What the store does beside the beats, once a second. */
function startTicking(store: Store): () => void {
  const timer = setInterval(() => store.tick(), 1000);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * Whether more sockets are open than may be, upgraded or not. The server counts them itself; a listener of ours on each
 * would cost 100 bytes. It tells the count a moment later: so it is asked when one comes, before that one is answered,
 * and with each question, that who has gone is noticed too.
 */
function fullness(server: http.Server, most: number): () => boolean {
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
