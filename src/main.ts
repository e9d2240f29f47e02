#!/usr/bin/env node
/**
 * The process: arguments, configuration, signals, exit codes. Exit codes are those of sysexits.h. When the server cannot
 * start, it prints one line that says what to do.
 */
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { PassThrough } from 'node:stream';
import pino, { type Logger } from 'pino';
import { type Command, CommandError, EXIT, prettyLine } from './cli/command.js';
import { type Config, ConfigError, type RedisConfig, readConfig, SETTINGS, VERSION } from './config.js';
import type { CreateSequencer } from './sequencer/sequencer.js';
import { createServer, type Server } from './server.js';
import { databaseFile, explainDamage, LockedError, OpenError } from './store/database.js';
import { DriverError } from './store/sqlite.js';
import { readCertificate } from './tls.js';
import type { ToWorker } from './workers/messages.js';
import { WorkerSequencer } from './workers/worker.js';

/** File descriptors that sockets leave free for the database, the log and other files. */
const reservedFiles = 256;

const helpOf = (commands: readonly Command[]) => `oneport: chat on one port

  node dist/main.js            run the server (npm start builds it if needed)
${commands.map(({ name, args, does }) => `  node dist/main.js ${`${name} ${args}`.padEnd(17)} ${does}`).join('\n')}
  node dist/main.js --help     print this text; with a command, the help of that command
  node dist/main.js --version  print the version

Settings are environment variables:

${SETTINGS.map(([name, fallback, meaning]) => `  ${name.padEnd(24)}${meaning} [${fallback}]`).join('\n')}
`;

async function main([name = 'serve', ...rest]: readonly string[]): Promise<void> {
  if (name === 'serve' && rest.length === 0) {
    serve();
    return;
  }
  const commands = await loadCommands();
  const command = commands.find((known) => known.name === name);
  const asksHelp = [name, ...rest].some((arg) => arg === '--help' || arg === '-h');
  if (asksHelp) process.stdout.write(command ? commandHelp(command) : helpOf(commands));
  else if (name === '--version' && rest.length === 0) process.stdout.write(`${VERSION}\n`);
  else if (command) await run(command, rest);
  else fail(EXIT.usage, `unknown command: ${[name, ...rest].join(' ')}. See --help.`);
}

/** Loads the commands only when one is asked for, because the server needs none and starts sooner without them. */
async function loadCommands(): Promise<readonly Command[]> {
  const [{ backup, restore, verify, exportRoom, newEpoch }, { status }, { talk }, { prove }] =
    await Promise.all([
      import('./cli/commands.js'),
      import('./cli/status.js'),
      import('./cli/talk.js'),
      import('./prove/command.js'),
    ]);
  return [backup, restore, verify, exportRoom, newEpoch, status, talk, prove];
}

function commandHelp({ name, args, does, help }: Command): string {
  return `oneport ${name} ${args}: ${does}\n\n${help}\n`;
}

/** Sets the exit code instead of calling process.exit, so that everything written to a pipe is still read. */
async function run(command: Command, args: readonly string[]): Promise<void> {
  process.stdout.on('error', () => {}); // the reader of the pipe has gone; the exit code still counts
  try {
    process.exitCode = await command.run(args, {
      get input() {
        return process.stdin; // opened by the commands that read it
      },
      out: process.stdout,
      err: process.stderr,
      progress: process.stderr.isTTY ? process.stderr : new PassThrough().resume(),
      env: process.env,
      now: Date.now,
      screen: () => (process.stdout.isTTY ? process.stdout : undefined),
      onStop: (stop) => process.once('SIGINT', stop).once('SIGTERM', stop),
    });
  } catch (error) {
    process.exitCode = codeOf(error);
    const bug = process.exitCode === EXIT.software;
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    process.stderr.write(`oneport: ${bug ? stack : message}${runningNode(error)}\n`);
  }
}

function runningNode(error: unknown): string {
  return error instanceof DriverError ? ` This is Node ${process.versions.node}.` : '';
}

/** EXIT.software stands for a bug. */
function codeOf(error: unknown): number {
  if (error instanceof CommandError) return error.code;
  if (error instanceof LockedError) return EXIT.busy;
  if (error instanceof ConfigError || error instanceof OpenError) return EXIT.config;
  if (error instanceof DriverError) return EXIT.config;
  return isPermissionError(error) || isDiskError(error) ? EXIT.ioError : EXIT.software;
}

function isDiskError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(ENOSPC|EIO|EISDIR|EROFS|EDQUOT|EFBIG|SQLITE_(FULL|IOERR|CORRUPT|NOTADB|BUSY))/.test(code);
}

function serve(): void {
  process.umask(0o077); // the data holds the signing keys
  if (cluster.isWorker) {
    serveAsWorker();
    return;
  }
  let server: Running | undefined;
  process.on('SIGHUP', () => server?.reload()); // before the long steps of the start, because it would end the process
  const config = startStep(() => readConfig(process.env));
  const log = createLog(config.logLevel);
  const start = async (createSequencer?: CreateSequencer): Promise<void> => {
    const isAlone = config.workers === 0;
    server = isAlone
      ? startServer(config, log, createSequencer)
      : await startPrimary(config, log, createSequencer);
  };
  if (!config.redis) void start();
  else
    void sequencerOn(config.redis, log.logger).then(start, (error: unknown) =>
      fail(EXIT.config, error instanceof Error ? error.message : String(error)),
    );
}

/** What signals end or reload. */
type Running = Pick<Server, 'close' | 'abort' | 'reload'>;

function startServer(config: Config, log: Log, createSequencer: CreateSequencer | undefined): Running {
  const { logger } = log;
  const dependencies = {
    logger,
    maxConnections: maxConnections(),
    ...(createSequencer && { createSequencer }),
  };
  const server = startStep(() => createServer(config, dependencies), config);
  stopOnSignals(server, log);
  server.http.on('error', (error: NodeJS.ErrnoException) => {
    server.abort();
    failToListen(error, config.host, config.port, 'PORT');
  });
  server.http.listen(config.port, config.host, () => {
    announce(config, server.http.address() as AddressInfo, logger); // listening on TCP
  });
  listenForRedirects(server, config, logger);
  return server;
}

function maxConnections(): number {
  return fileLimit() - reservedFiles;
}

type BoundAddress = Pick<AddressInfo, 'address' | 'port'>;

function announce(config: Config, bound: BoundAddress, logger: Logger): void {
  const address = addressOf(bound, config);
  logger.info(
    { version: VERSION, node: process.versions.node, address, settings: settingsOf(config) },
    'started',
  );
  process.stdout.write(`Oneport is running at ${address}\n`);
}

/** Starts the log in this process, and workers that have the connections. */
async function startPrimary(
  config: Config,
  log: Log,
  createSequencer: CreateSequencer | undefined,
): Promise<Running> {
  const [{ findPort, WorkerPool }, { Primary }] = await Promise.all([
    import('./workers/pool.js'),
    import('./workers/primary.js'),
  ]);
  const { logger } = log;
  const { tls, host } = config;
  if (tls) startStep(() => readCertificate(tls));
  const primary = startStep(() => new Primary(config, { logger, createSequencer }), config);
  const failToFind = (error: NodeJS.ErrnoException, port: number, setting: PortSetting): never => {
    primary.abort();
    return failToListen(error, host, port, setting);
  };
  const port = await findPort(host, config.port).catch((error) => failToFind(error, config.port, 'PORT'));
  const { redirectPort } = config;
  if (redirectPort !== undefined)
    await findPort(host, redirectPort).catch((error) =>
      failToFind(error, redirectPort, 'HTTP_REDIRECT_PORT'),
    );
  const pool = new WorkerPool({
    ...{ count: config.workers, execArgv: process.execArgv, port, primary, logger },
    onListening() {
      logger.info({ pid: process.pid, port, workers: config.workers }, 'listening');
      announce(config, { address: host, port }, logger);
    },
  });
  const running: Running = {
    async close() {
      await pool.stop();
      await primary.close();
      primary.abort();
    },
    abort() {
      pool.abort();
      primary.abort();
    },
    reload: () => pool.reload(),
  };
  stopOnSignals(running, log);
  return running;
}

/** Has the connections. The primary has the log and gets the signals. A worker ends with it. */
function serveAsWorker(): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  process.once('disconnect', () => process.exit(0));
  const config = readConfig(process.env);
  let worker: StartedWorker | undefined;
  process.on('message', (messages) => {
    // the primary sent them
    for (const message of messages as readonly ToWorker[]) {
      if (message.kind === 'start') worker = startWorker(config, message);
      else worker?.receive(message);
    }
  });
  process.send?.('[]'); // messages that come before the listener above are lost
}

interface StartedWorker {
  receive(message: ToWorker): void;
}

function startWorker(config: Config, { place, state }: Extract<ToWorker, { kind: 'start' }>): StartedWorker {
  const { logger: common, exit } = createLog(config.logLevel);
  const logger = common.child({ worker: place.number });
  const primary = new WorkerSequencer({ send: (json) => process.send?.(json) }, place, state);
  const server = createServer(config, { logger, maxConnections: maxConnections(), primary });
  const onError = (error: Error): void => {
    logger.fatal({ err: error }, 'the worker failed');
    server.abort();
    exit(EXIT.software);
  };
  process.on('uncaughtException', onError);
  server.http.on('error', onError).listen(place.port, config.host);
  server.redirect?.on('error', onError).listen(config.redirectPort, config.host);
  return {
    receive(message) {
      if (message.kind === 'stop') void server.close().then(() => exit(0));
      else if (message.kind === 'reload') server.reload();
      else primary.receive(message);
    },
  };
}

function listenForRedirects({ redirect, abort }: Server, config: Config, logger: Logger): void {
  const { host, redirectPort: port } = config;
  redirect?.on('error', (error: NodeJS.ErrnoException) => {
    abort();
    failToListen(error, host, port ?? 0, 'HTTP_REDIRECT_PORT');
  });
  redirect?.listen(port, host, () => {
    logger.info({ port: (redirect.address() as AddressInfo).port }, 'redirecting plain HTTP to https'); // on TCP
  });
}

/**
 * Loads the order that nodes share by Redis. A Redis that does not answer is waited for, as later, too.
 * @throws ConfigError when Redis refuses the password
 */
async function sequencerOn(redis: RedisConfig, logger: Logger): Promise<CreateSequencer> {
  const [{ openRedis, RedisLoginError }, { SharedSequencer }] = await Promise.all([
    import('./sequencer/redis.js'),
    import('./sequencer/shared.js'),
  ]);
  const open = (onJunk?: () => void) => openRedis(redis.url, onJunk);
  try {
    const link = await open();
    for (const weakness of await link.weaknesses())
      logger.warn({ weakness }, 'Redis is weaker than the promise');
    link.destroy();
  } catch (error) {
    if (error instanceof RedisLoginError)
      throw new ConfigError(`Redis refuses the user or password of REDIS_URL: ${error.message}`);
  }
  const { waitReplicas, streamHours } = redis;
  return (handler) => new SharedSequencer(handler, { open, logger, waitReplicas, streamHours });
}

/** Runs a step of the start. Ends the process with one line when the operator must fix something. */
function startStep<T>(step: () => T, config?: Config): T {
  try {
    return step();
  } catch (thrown) {
    const error = config ? explainDamage(thrown, databaseFile(config.dataDir)) : thrown;
    if (error instanceof ConfigError) return fail(EXIT.config, error.message);
    if (error instanceof LockedError) return fail(EXIT.busy, error.message);
    if (error instanceof OpenError) return fail(EXIT.config, error.message);
    if (error instanceof DriverError) return fail(EXIT.config, error.message + runningNode(error));
    if (config && isPermissionError(error)) {
      return fail(
        EXIT.cannotCreate,
        `${userInfo().username} cannot write to DATA_DIR ${config.dataDir}: ${String(error)}`,
      );
    }
    if (config && isDiskError(error))
      return fail(
        EXIT.ioError,
        `the disk of DATA_DIR ${config.dataDir} is full or failing: ${String(error)}`,
      );
    throw error;
  }
}

function isPermissionError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return (
    /^(EACCES|EPERM|EROFS|ENOENT|ENOTDIR|EEXIST|SQLITE_CANTOPEN|SQLITE_READONLY)/.test(code) ||
    /directory does not exist/.test(String(error))
  );
}

type PortSetting = 'PORT' | 'HTTP_REDIRECT_PORT';

function failToListen(error: NodeJS.ErrnoException, host: string, port: number, setting: PortSetting): never {
  if (error.code === 'EADDRINUSE')
    fail(
      EXIT.osError,
      `port ${port} of ${host} is in use. Stop the program that listens there, or set ${setting}.`,
    );
  if (error.code === 'EACCES')
    fail(
      EXIT.noPermission,
      `${userInfo().username} may not listen on port ${port}. Set ${setting} to 1024 or more.`,
    );
  return fail(EXIT.osError, `cannot listen on ${host}:${port}: ${error.message}. Check HOST and ${setting}.`);
}

/** The first signal shuts down gracefully, the second at once. Both close the database. */
function stopOnSignals(server: Running, { logger, exit }: Log): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (!stopping) logger.info({ signal }, 'stopping');
    const closed = stopping ? Promise.resolve(server.abort()) : server.close();
    stopping = true;
    void closed.then(() => exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'uncaught exception');
    setTimeout(() => process.exit(EXIT.software), 5000).unref();
    void server.close().finally(() => exit(EXIT.software));
  });
}

interface Log {
  readonly logger: Logger;
  /** Ends the process when the log is written, or soon when nobody reads it. */
  readonly exit: (code: number) => void;
}

const flushTimeoutMs = 1000;

/**
 * Logs to stderr: JSON lines, or lines for people on a terminal. When the reader stalls, lines beyond 1 MB are dropped, so
 * that the server never blocks.
 */
function createLog(level: string): Log {
  const out = pino.destination({ dest: 2, sync: false, maxLength: 1024 * 1024 });
  out.on('error', () => {});
  out.flushSync = () => {}; // pino calls it when the process ends, and it would wait for a reader that has gone
  process.stdout.on('error', () => {});
  const stream = process.stderr.isTTY ? { write: (line: string) => void out.write(prettyLine(line)) } : out;
  const formatters = { level: (label: string) => ({ level: label }) };
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters }, stream);
  let isEnding = false;
  const exit = (code: number): void => {
    if (isEnding) return; // a second signal has already ended what the first one is still doing
    isEnding = true;
    out.write = () => true; // once it is closed, it would throw
    const end = (): void => process.exit(code);
    setTimeout(end, flushTimeoutMs);
    out.once('close', end).once('error', end).end();
  };
  return { logger, exit };
}

/** Returns what the start logs. Signing keys and passwords stay out. */
function settingsOf({ sessionKeys, allowedOrigins, trustedProxies, redis, ...rest }: Config): object {
  return {
    ...rest,
    redis: redis && { ...redis, url: new URL(redis.url).host },
    sessionKeys: sessionKeys.length,
    allowedOrigins: [...allowedOrigins],
    trustedProxies: trustedProxies.rules,
  };
}

/** Returns the limit of open files; without one where there is no /proc, because the system then enforces its own. */
function fileLimit(): number {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return Number(line?.[1] ?? Number.POSITIVE_INFINITY);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function addressOf({ address, port }: BoundAddress, { tls, publicOrigin, site }: Config): string {
  const isWildcard = address === '0.0.0.0' || address === '::';
  const host = address.includes(':') ? `[${address}]` : address;
  const scheme = tls ? 'https' : 'http';
  const origin = publicOrigin ?? `${scheme}://${isWildcard ? 'localhost' : host}:${port}`;
  return site.basePath === '/' ? origin : origin + site.basePath;
}

function fail(code: number, message: string): never {
  process.stderr.write(`oneport: ${message}\n`);
  process.exit(code);
}

void main(process.argv.slice(2));
