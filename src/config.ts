/**
 * Reads the environment into a frozen Config, once, at the start. An invalid value stops the start with a message that
 * names the variable. `--help` prints `SETTINGS`, and docs/operations.md lists the same table.
 */
import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { resolve } from 'node:path';
import { parseJsonObject, parseRoom } from './shared/parse.js';
import { DEFAULT_ROOM } from './shared/protocol.js';

const packageFile = parseJsonObject(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** The version of this server, as package.json has it. */
export const VERSION = String(packageFile?.['version'] ?? 'unknown');

export interface Limits {
  /** Messages per second of one user, and the burst before the rate applies; 0 = no limit. */
  readonly messageRate: number;
  readonly messageBurst: number;
  /** Open sockets of one user (4003) and of one address (429); 0 = no limit. */
  readonly connectionsPerPerson: number;
  readonly connectionsPerAddress: number;
  /** Sign-ins per minute from one address (429); 0 = no limit. */
  readonly signinsPerMinute: number;
  /** Bytes that may wait for one reader before it is disconnected; 0 = no limit. */
  readonly sendBuffer: number;
  /** Seconds between two pings of a WebSocket. */
  readonly pingSeconds: number;
}

/** Paths of PEM files. */
export interface TlsFiles {
  /** The certificate with its chain. */
  readonly certFile: string;
  readonly keyFile: string;
}

/** What the pages say of this server. */
export interface Site {
  /** Stands in titles, in the sign-in form and under the icon of the installed page. */
  readonly name: string;
  /** The room that `/` leads to. */
  readonly defaultRoom: string;
  /** The path of everything, with a slash at both ends: `/` or `/chat/`. */
  readonly basePath: string;
}

export interface Config {
  readonly host: string;
  readonly port: number;
  /** Absolute path of the folder with the database. */
  readonly dataDir: string;
  /** Newest first. When empty, a key is generated at the first start and stored with the data. */
  readonly sessionKeys: readonly string[];
  /** For example https://chat.example.org; undefined when unset. */
  readonly publicOrigin: string | undefined;
  readonly allowedOrigins: ReadonlySet<string>;
  /** Peers whose X-Forwarded-For and X-Forwarded-Proto are trusted. */
  readonly trustedProxies: BlockList;
  readonly metricsPublic: boolean;
  readonly site: Site;
  /** Undefined: plain HTTP, as behind a proxy. */
  readonly tls: TlsFiles | undefined;
  /** Port that redirects to https; undefined: none. */
  readonly redirectPort: number | undefined;
  readonly logLevel: string;
  /** Days after which texts are dropped; 0: never. */
  readonly retentionDays: number;
  readonly limits: Limits;
  /** Undefined: this process has the order of messages to itself. */
  readonly redis: RedisConfig | undefined;
  /** Processes that have the connections; 0: this one has them. */
  readonly workers: number;
}

/** How several nodes share one order. */
export interface RedisConfig {
  /** It may hold a password. */
  readonly url: string;
  /** Replicas that must have a message before anyone sees it. */
  readonly waitReplicas: number;
  /** Hours that the stream keeps. */
  readonly streamHours: number;
}

/** A mistake of the operator. `message` is one line that names the variable. */
export class ConfigError extends Error {}

type Environment = Readonly<Record<string, string | undefined>>;

/** Every setting. The default is as the environment would give it. */
export const SETTINGS: readonly (readonly [name: string, fallback: string, meaning: string])[] = [
  ['HOST', '127.0.0.1', 'address to listen on'],
  ['PORT', '3000', 'port to listen on; 0 takes a free one'],
  ['DATA_DIR', './data', 'folder of the database; created when missing'],
  ['SITE_NAME', 'Oneport', 'name of this chat in titles, in the sign-in form and of the installed page'],
  ['DEFAULT_ROOM', DEFAULT_ROOM, 'room that / leads to'],
  [
    'SESSION_KEYS',
    '',
    'keys that sign the cookie, comma separated, newest first, at least 32 bytes each; generated and stored with the data when unset',
  ],
  [
    'PUBLIC_ORIGIN',
    '',
    'public address, as in https://chat.example.org; requests with another Host header are then refused',
  ],
  ['BASE_PATH', '/', 'path below which everything is, as in /chat/, when the host has other pages too'],
  ['ALLOWED_ORIGINS', '', 'other origins whose pages may connect, comma separated'],
  [
    'TRUSTED_PROXIES',
    '127.0.0.1,::1',
    'addresses or networks (10.0.0.0/8) whose X-Forwarded-For and X-Forwarded-Proto are trusted; "none" trusts no proxy',
  ],
  [
    'TLS_CERT',
    '',
    'PEM file of the certificate with its chain, for https without a proxy; SIGHUP reads it again',
  ],
  ['TLS_KEY', '', 'PEM file of the private key of TLS_CERT'],
  ['HTTP_REDIRECT_PORT', '', 'with TLS_CERT: port whose plain HTTP is redirected to https, as 80'],
  ['METRICS', 'loopback', 'clients that may read /metrics: loopback or all'],
  ['LOG_LEVEL', 'info', 'trace, debug, info, warn, error, fatal or silent'],
  ['MESSAGE_RATE', '5', 'messages per second of one user; 0 = no limit'],
  ['MESSAGE_BURST', '10', 'messages of one user before the rate applies'],
  ['CONNECTIONS_PER_PERSON', '10', 'open sockets of one user; 0 = no limit'],
  [
    'CONNECTIONS_PER_ADDRESS',
    '1024',
    'open sockets of one address or IPv6 /64, at most 64 of them not signed in; 0 = no limit',
  ],
  [
    'SIGNINS_PER_MINUTE',
    '10',
    'sign-ins per minute from one address or IPv6 /64, after the first 60; 0 = no limit',
  ],
  [
    'PING_SECONDS',
    '15',
    'seconds between two pings of a WebSocket, which is cut after two without an answer',
  ],
  ['RETENTION_DAYS', '0', 'days that the texts of messages are kept; 0 = for ever'],
  ['SEND_BUFFER', '1048576', 'bytes that may wait for a slow reader before it is disconnected; 0 = no limit'],
  [
    'WORKERS',
    '0',
    'processes that share the port and use the cores of this machine; 0 = one process does all (docs/scaling.md)',
  ],
  [
    'REDIS_URL',
    '',
    'Redis that several nodes take their order from, as in redis://:password@10.0.0.5:6379/0 (docs/scaling.md); one node needs none',
  ],
  ['REDIS_WAIT_REPLICAS', '0', 'replicas of Redis that must have a message before anyone sees it'],
  ['STREAM_HOURS', '24', 'hours that Redis keeps; a node that was away for longer needs a backup'],
];

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** @throws ConfigError that names the first invalid variable */
export function readConfig(env: Environment): Config {
  const publicOrigin = readPublicOrigin(env);
  return Object.freeze({
    host: text(env, 'HOST'),
    port: wholeNumber(env, 'PORT', 65_535),
    dataDir: resolve(text(env, 'DATA_DIR')),
    sessionKeys: readKeys(text(env, 'SESSION_KEYS')),
    publicOrigin,
    tls: readTlsFiles(env, publicOrigin),
    redirectPort: readRedirectPort(env),
    allowedOrigins: new Set(
      parseList(text(env, 'ALLOWED_ORIGINS')).map((raw) => parseOrigin('ALLOWED_ORIGINS', raw)),
    ),
    trustedProxies: readProxies(text(env, 'TRUSTED_PROXIES')),
    site: readSite(env),
    metricsPublic: oneOf(env, 'METRICS', ['loopback', 'all']) === 'all',
    logLevel: oneOf(env, 'LOG_LEVEL', LOG_LEVELS),
    retentionDays: wholeNumber(env, 'RETENTION_DAYS', 36_500),
    limits: readLimits(env),
    redis: readRedis(env),
    workers: wholeNumber(env, 'WORKERS', 256),
  });
}

const maxStreamHours = 24 * 365;

function readRedis(env: Environment): RedisConfig | undefined {
  const url = text(env, 'REDIS_URL');
  const waitReplicas = wholeNumber(env, 'REDIS_WAIT_REPLICAS', 100);
  const streamHours = wholeNumber(env, 'STREAM_HOURS', maxStreamHours);
  if (streamHours === 0)
    throw new ConfigError('STREAM_HOURS is 0, so no node could follow. Set it to 1 or more.');
  if (url === '') return undefined;
  if (!/^rediss?:$/.test(URL.canParse(url) ? new URL(url).protocol : ''))
    throw new ConfigError(
      'REDIS_URL is not an address of Redis. Use redis://[[user]:password@]host[:port][/db].',
    );
  return Object.freeze({ url, waitReplicas, streamHours });
}

function readPublicOrigin(env: Environment): string | undefined {
  const raw = text(env, 'PUBLIC_ORIGIN');
  return raw === '' ? undefined : parseOrigin('PUBLIC_ORIGIN', raw);
}

function readTlsFiles(env: Environment, publicOrigin: string | undefined): TlsFiles | undefined {
  const [certFile, keyFile] = [text(env, 'TLS_CERT'), text(env, 'TLS_KEY')];
  if (certFile === '' && keyFile === '') return undefined;
  if (certFile === '' || keyFile === '') {
    const [given, missing] = certFile === '' ? ['TLS_KEY', 'TLS_CERT'] : ['TLS_CERT', 'TLS_KEY'];
    throw new ConfigError(
      `${given} is set, but ${missing} is not. Set both for https, or none behind a proxy.`,
    );
  }
  if (publicOrigin?.startsWith('http:'))
    throw new ConfigError(`PUBLIC_ORIGIN is ${publicOrigin}, but TLS_CERT is set. Write https://.`);
  return Object.freeze({ certFile: resolve(certFile), keyFile: resolve(keyFile) });
}

function readRedirectPort(env: Environment): number | undefined {
  if (text(env, 'HTTP_REDIRECT_PORT') === '') return undefined;
  if (text(env, 'TLS_CERT') === '')
    throw new ConfigError(
      'HTTP_REDIRECT_PORT is set, but TLS_CERT is not. Behind a proxy, let the proxy redirect.',
    );
  return wholeNumber(env, 'HTTP_REDIRECT_PORT', 65_535);
}

const maxSiteNameLength = 60;

function readSite(env: Environment): Site {
  const [name, rawRoom] = [text(env, 'SITE_NAME'), text(env, 'DEFAULT_ROOM')];
  if ([...name].length > maxSiteNameLength || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(name))
    throw new ConfigError(
      `SITE_NAME is ${JSON.stringify(name)}. Use one line of at most ${maxSiteNameLength} characters.`,
    );
  const defaultRoom = parseRoom(rawRoom);
  if (defaultRoom === undefined)
    throw new ConfigError(
      `DEFAULT_ROOM is ${JSON.stringify(rawRoom)}. Use the name of a room: at most 64 letters, digits, - or _.`,
    );
  return Object.freeze({ name, defaultRoom, basePath: readBasePath(env) });
}

function readBasePath(env: Environment): string {
  const raw = text(env, 'BASE_PATH');
  if (isBasePath(raw)) return raw;
  const meant = `/${raw.replace(/^\/+|\/+$/g, '')}/`;
  throw new ConfigError(
    `BASE_PATH is ${JSON.stringify(raw)}. ${isBasePath(meant) ? `Write ${meant}.` : 'Use letters, digits, "-", "_" and "." between slashes, as in /chat/.'}`,
  );
}

/** Segments of dots would be taken out by every client. */
function isBasePath(path: string): boolean {
  return /^\/(?:(?!\.{1,2}\/)[\w.-]+\/)*$/.test(path);
}

/** A long message has to fit, or all its readers would be disconnected. */
const minSendBuffer = 65_536;

function readLimits(env: Environment): Limits {
  const messageRate = wholeNumber(env, 'MESSAGE_RATE', 1e6);
  const sendBuffer = wholeNumber(env, 'SEND_BUFFER', 2 ** 40);
  if (sendBuffer > 0 && sendBuffer < minSendBuffer)
    throw new ConfigError(
      `SEND_BUFFER is ${sendBuffer}. Set it to ${minSendBuffer} or more, or to 0 for no limit.`,
    );
  const messageBurst = wholeNumber(env, 'MESSAGE_BURST', 1e6);
  if (messageRate > 0 && messageBurst === 0)
    throw new ConfigError('MESSAGE_BURST is 0, so nobody could write. Set it to 1 or more.');
  return Object.freeze({
    messageRate,
    messageBurst,
    connectionsPerPerson: wholeNumber(env, 'CONNECTIONS_PER_PERSON', 1e6),
    connectionsPerAddress: wholeNumber(env, 'CONNECTIONS_PER_ADDRESS', 1e6),
    signinsPerMinute: wholeNumber(env, 'SIGNINS_PER_MINUTE', 1e6),
    sendBuffer,
    pingSeconds: readPingSeconds(env),
  });
}

function readPingSeconds(env: Environment): number {
  const seconds = wholeNumber(env, 'PING_SECONDS', 3600);
  if (seconds === 0)
    throw new ConfigError('PING_SECONDS is 0, so lost connections would stay open. Set it to 1 or more.');
  return seconds;
}

/** Returns the default when the variable is unset or empty, because compose files set empty variables. */
function text(env: Environment, name: string): string {
  const fallback = SETTINGS.find(([known]) => known === name)?.[1] ?? '';
  return env[name]?.trim() || fallback;
}

function wholeNumber(env: Environment, name: string, max: number): number {
  const raw = text(env, name);
  const value = Number(raw);
  if (/^\d+$/.test(raw) && value <= max) return value;
  throw new ConfigError(`${name} is ${JSON.stringify(raw)}. Set it to a whole number from 0 to ${max}.`);
}

function oneOf(env: Environment, name: string, allowed: readonly string[]): string {
  const raw = text(env, name);
  if (allowed.includes(raw)) return raw;
  throw new ConfigError(`${name} is ${JSON.stringify(raw)}. Set it to one of ${allowed.join(', ')}.`);
}

function parseList(raw: string): string[] {
  return raw
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function parseOrigin(name: string, raw: string): string {
  const url = URL.canParse(raw) ? new URL(raw) : undefined;
  if (url && /^https?:$/.test(url.protocol)) {
    if (url.origin === raw.replace(/\/$/, '')) return url.origin;
    if (url.href === `${url.origin}/`)
      throw new ConfigError(`${name} is ${JSON.stringify(raw)}. Write it as browsers do: ${url.origin}.`);
  }
  const hint = url && url.pathname !== '/' ? ' A path belongs in BASE_PATH.' : '';
  throw new ConfigError(
    `${name} is ${JSON.stringify(raw)}. Use scheme://host[:port], as in https://chat.example.org.${hint}`,
  );
}

/** Rejects keys that are easy to guess, because anyone who knows a key can sign in as any user. */
function readKeys(raw: string): readonly string[] {
  if (raw === '') return [];
  const keys = parseList(raw); // a compose file with an unset second key leaves a comma at the end
  if (keys.length === 0) throw new ConfigError('SESSION_KEYS has commas only. Set keys, or unset it.');
  for (const key of keys) {
    const weakness = weaknessOf(key);
    if (weakness)
      throw new ConfigError(
        `SESSION_KEYS has ${weakness}. Use random text, as from "openssl rand -base64 32".`,
      );
  }
  return Object.freeze(keys);
}

function weaknessOf(key: string): string | undefined {
  if (Buffer.byteLength(key) < 32) return 'a key shorter than 32 bytes';
  if (new Set(key).size < 8 || /example|change.?me|your.?secret|placeholder/i.test(key))
    return 'an example key';
  return undefined;
}

function readProxies(raw: string): BlockList {
  const proxies = new BlockList();
  if (raw === 'none') return proxies;
  for (const entry of parseList(raw)) addProxy(proxies, entry);
  return proxies;
}

function addProxy(proxies: BlockList, entry: string): void {
  const [address = '', prefix] = entry.split('/');
  const version = isIP(address);
  const bits = version === 4 ? 32 : 128;
  const size = prefix === undefined ? bits : Number(prefix);
  if (version === 0 || !Number.isInteger(size) || size < 0 || size > bits || prefix === '') {
    throw new ConfigError(
      `TRUSTED_PROXIES has ${JSON.stringify(entry)}. Use addresses like 10.0.0.1 or networks like 10.0.0.0/8.`,
    );
  }
  proxies.addSubnet(address, size, version === 4 ? 'ipv4' : 'ipv6');
}
