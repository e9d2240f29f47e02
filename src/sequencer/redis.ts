/**
 * The stream of a shared order in Redis (7.0 and newer). Three keys: the stream, its state (epoch, newest entry), and the
 * newest number of each node. Scripts change them, so each change is whole or not at all. Loaded only with REDIS_URL.
 */
import { createHash } from 'node:crypto';
import { createClient } from 'redis';
import { isObject, parseJsonObject } from '../shared/parse.js';
import type { Identity } from './sequencer.js';
import type { AppendReply, Entry, NewBatch, StreamLink, StreamState } from './shared.js';

const keys = ['oneport:stream', 'oneport:state', 'oneport:nodes'] as const;
const [streamKey, stateKey] = keys;
const probeKey = 'oneport:probe';

const answerTimeoutMs = 5000;
const blockMs = 1000;
/** Entries of one read. */
const maxReadEntries = 100;
const waitTimeoutMs = 1000;
const maxPublishedWaiting = 1000;
/** Minimum time between two rewrites of the append-only file, which removes deleted entries from it. */
const rewriteIntervalMs = 3_600_000;

/** Redis refused the user or the password. */
export class RedisLoginError extends Error {}

/** Compares ids, and appends an entry that names the one before it. */
const common = `
local function less(a, b)
  local am, an = string.match(a, '(%d+)-(%d+)')
  local bm, bn = string.match(b, '(%d+)-(%d+)')
  am, an, bm, bn = tonumber(am), tonumber(an), tonumber(bm), tonumber(bn)
  return am < bm or (am == bm and an < bn)
end
local function add(last, seq, ...)
  local id = redis.call('XADD', KEYS[1], '*', 'prev', last, 'seq', seq + 1, ...)
  redis.call('HSET', KEYS[2], 'last', id, 'seq', seq + 1)
  return id
end
local state = redis.call('HMGET', KEYS[2], 'epoch', 'last', 'seq', 'halted')
local epoch, last, seq, halted = state[1], state[2], state[3], state[4]
`;

const scripts = {
  /** epoch, read, node, n, version, commands */
  append: `${common}
if halted then return {'halted', halted} end
if epoch ~= ARGV[1] or less(last, ARGV[2]) then return {'lost'} end
local before = redis.call('HGET', KEYS[3], ARGV[3]) or '0'
local n = tonumber(ARGV[4])
if n <= tonumber(before) then return {'repeated', last} end
if n ~= tonumber(before) + 1 then return {'gap'} end
local id = add(last, seq, 'kind', 'batch', 'node', ARGV[3], 'n', n, 'version', ARGV[5], 'commands', ARGV[6])
redis.call('HSET', KEYS[3], ARGV[3], n)
return {'appended', id}`,
  /** epoch, identity, digest */
  begin: `${common}
if epoch or halted or redis.call('EXISTS', KEYS[1]) == 1 then return {'exists'} end
redis.call('HSET', KEYS[2], 'epoch', ARGV[1])
return {'begun', add('0-0', 0, 'kind', 'begin', 'identity', ARGV[2], 'digest', ARGV[3])}`,
  /** the same, in place of a stream that is there */
  replace: `redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
${common}
redis.call('HSET', KEYS[2], 'epoch', ARGV[1])
return {'begun', add('0-0', 0, 'kind', 'begin', 'identity', ARGV[2], 'digest', ARGV[3])}`,
  /** epoch, reason */
  halt: `${common}
if not epoch or epoch == ARGV[1] then redis.call('HSET', KEYS[2], 'halted', ARGV[2]) end
return {'halted'}`,
  /** id, epoch */
  confirm: `${common}
if halted or epoch ~= ARGV[2] or less(last, ARGV[1]) then return {'lost'} end
local confirmed = redis.call('HGET', KEYS[2], 'confirmed') or '0-0'
if not less(confirmed, ARGV[1]) then return {'repeated'} end
redis.call('HSET', KEYS[2], 'confirmed', ARGV[1])
return {'confirmed', add(last, seq, 'kind', 'confirm', 'through', ARGV[1])}`,
  /** hours, minimum milliseconds between two rewrites; tells whether to rewrite the append-only file */
  trim: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local trimmed = redis.call('XTRIM', KEYS[1], 'MINID', now - ARGV[1] * 3600000)
if trimmed > 0 then redis.call('HSET', KEYS[2], 'trimmed', 1) end
local due = now - (redis.call('HGET', KEYS[2], 'rewritten') or 0) >= tonumber(ARGV[2])
if not due or not redis.call('HGET', KEYS[2], 'trimmed') then return {'done'} end
redis.call('HDEL', KEYS[2], 'trimmed')
redis.call('HSET', KEYS[2], 'rewritten', now)
return {'rewrite'}`,
} as const;

type ScriptName = keyof typeof scripts;

const hashes = new Map(
  Object.entries(scripts).map(([name, text]) => [name, createHash('sha1').update(text).digest('hex')]),
);

type Client = ReturnType<typeof newClient>;

function newClient(url: string) {
  const client = createClient({
    url,
    RESP: 2,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    // SharedSequencer connects again: it has to find out first what happened meanwhile
    socket: { reconnectStrategy: false, connectTimeout: answerTimeoutMs },
  });
  client.on('error', () => {}); // its commands are rejected
  return client;
}

/** `onJunk` is told of each entry that none of us wrote. @throws RedisLoginError, or why there is no connection */
export async function openRedis(url: string, onJunk: () => void = () => {}): Promise<RedisLink> {
  const clients = [newClient(url), newClient(url), newClient(url)] as const;
  try {
    await within(Promise.all(clients.map((client) => client.connect())));
    const [writer] = clients;
    for (const text of Object.values(scripts)) await within(writer.sendCommand(['SCRIPT', 'LOAD', text]));
    return new RedisLink(...clients, onJunk);
  } catch (error) {
    for (const client of clients) client.destroy();
    throw isLoginError(error) ? new RedisLoginError(messageOf(error)) : error;
  }
}

function isLoginError(error: unknown): boolean {
  return /^(WRONGPASS|NOAUTH|NOPERM)|ERR (AUTH|invalid password)/.test(messageOf(error));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}

/**
 * Rejects when Redis does not answer in time, because a frozen Redis keeps its connections open. A process that stood still
 * reads first what has come meanwhile.
 */
function within<T>(answer: Promise<T>, ms = answerTimeoutMs): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => reject(new Error(`no answer within ${ms} ms`))), ms);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** A blocked read would hold up everything else on its connection, so reading and listening have their own. */
export class RedisLink implements StreamLink {
  readonly #writer: Client;
  readonly #reader: Client;
  readonly #listener: Client;
  #publishing = 0;
  readonly #onJunk: () => void;

  constructor(writer: Client, reader: Client, listener: Client, onJunk: () => void) {
    this.#onJunk = onJunk;
    this.#writer = writer;
    this.#reader = reader;
    this.#listener = listener;
  }

  async state(): Promise<StreamState> {
    const fields = ['epoch', 'last', 'seq', 'halted'];
    const [reply] = await Promise.all([
      within(this.#writer.sendCommand<unknown>(['HMGET', stateKey, ...fields])),
      within(this.#listener.sendCommand<unknown>(['PING'])), // nothing else tells that this connection is lost
    ]);
    const [epoch, last = '0-0', seq = '0', halted] = texts(reply);
    return { epoch, last, seq: Number(seq), halted };
  }

  async first(): Promise<Entry | undefined> {
    const command = ['XRANGE', streamKey, '-', '+', 'COUNT', String(maxReadEntries)]; // junk may come first
    return this.#entries(await within(this.#writer.sendCommand<unknown>(command)))[0];
  }

  async read(after: string): ReturnType<StreamLink['read']> {
    const limits = ['COUNT', String(maxReadEntries), 'BLOCK', String(blockMs)];
    const command = ['XREAD', ...limits, 'STREAMS', streamKey, after];
    const reply = await within(this.#reader.sendCommand<unknown>(command), blockMs + answerTimeoutMs);
    const [stream] = list(reply);
    const raw = list(list(stream)[1]);
    const through = raw.length === 0 ? after : String(list(raw.at(-1))[0]);
    return { entries: this.#entries(raw), through };
  }

  async append(batch: NewBatch): Promise<AppendReply> {
    const { epoch, read, node, n, version, commands } = batch;
    const args = [epoch, read, node, String(n), String(version), commands];
    const [kind, value = ''] = await this.#run('append', args);
    switch (kind) {
      case 'appended':
      case 'repeated':
        return { kind, id: value };
      case 'halted':
        return { kind, reason: value };
      case 'gap':
      case 'lost':
        return { kind };
      default:
        throw new Error(`unknown answer ${kind}`);
    }
  }

  async begin(identity: Identity, digest: string): Promise<void> {
    await this.#run('begin', [identity.epoch, JSON.stringify(identity), digest]);
  }

  /** Begins another history in place of the one that is there. */
  async replace(identity: Identity, digest: string): Promise<void> {
    await this.#run('replace', [identity.epoch, JSON.stringify(identity), digest]);
  }

  async halt(epoch: string, reason: string): Promise<void> {
    await within(this.#run('halt', [epoch, reason]));
  }

  async confirm(through: string, epoch: string, replicas: number): Promise<number> {
    await this.probe(); // WAIT counts from the newest write of this connection
    const count = await within(
      this.#writer.sendCommand<unknown>(['WAIT', String(replicas), String(waitTimeoutMs)]),
      waitTimeoutMs + answerTimeoutMs,
    );
    if (Number(count) >= replicas) await this.#run('confirm', [through, epoch]);
    return Number(count);
  }

  async trim(hours: number): Promise<void> {
    const [answer] = await this.#run('trim', [String(hours), String(rewriteIntervalMs)]);
    if (answer === 'rewrite') await within(this.#writer.sendCommand(['BGREWRITEAOF'])).catch(() => {}); // not allowed, or it is running
  }

  async probe(): Promise<void> {
    await within(this.#writer.sendCommand(['SET', probeKey, '1', 'EX', '60']));
  }

  async subscribe(epoch: string, listener: (from: string, text: string) => void): Promise<void> {
    const onMessage = (message: string): void => {
      const { from, text } = parseJsonObject(message) ?? {};
      if (typeof from === 'string' && typeof text === 'string') listener(from, text);
    };
    await within(this.#listener.subscribe(channelOf(epoch), onMessage));
  }

  publish(epoch: string, from: string, text: string): void {
    if (this.#publishing >= maxPublishedWaiting) return;
    this.#publishing++;
    this.#writer
      .sendCommand(['PUBLISH', channelOf(epoch), JSON.stringify({ from, text })])
      .catch(() => {})
      .finally(() => this.#publishing--);
  }

  destroy(): void {
    for (const client of [this.#writer, this.#reader, this.#listener]) client.destroy();
  }

  /** Returns how Redis keeps less than it was told, one line each. */
  async weaknesses(): Promise<string[]> {
    const setting = async (name: string): Promise<string | undefined> =>
      texts(await within(this.#writer.sendCommand<unknown>(['CONFIG', 'GET', name])))[1];
    try {
      const [aof, sync, memory, policy, entries] = await Promise.all(
        ['appendonly', 'appendfsync', 'maxmemory', 'maxmemory-policy', 'stream-node-max-entries'].map(
          setting,
        ),
      );
      return [
        ...(aof === 'no' ? ['appendonly is no: a restart of Redis loses messages'] : []),
        ...(aof === 'yes' && sync !== 'always'
          ? [`appendfsync is ${sync}: a crash of its machine loses the last messages`]
          : []),
        ...(memory !== '0' && policy !== 'noeviction'
          ? [`maxmemory-policy is ${policy}: a full Redis deletes the stream`]
          : []),
        // Redis stores the entries of a stream in nodes, and writes a node to its files with what was trimmed from it
        ...(entries !== undefined && entries !== '1'
          ? [`stream-node-max-entries is ${entries}: deleted texts stay for as long as an entry near them`]
          : []),
      ];
    } catch (error) {
      return [`its settings cannot be read (${messageOf(error)})`];
    }
  }

  /** Runs a script by its hash. After SCRIPT FLUSH it fails once: the caller keeps the order of what it sends again. */
  async #run(name: ScriptName, args: readonly string[]): Promise<(string | undefined)[]> {
    const hash = hashes.get(name) ?? '';
    const call = [hash, String(keys.length), ...keys, ...args];
    try {
      return texts(await this.#writer.sendCommand<unknown>(['EVALSHA', ...call]));
    } catch (error) {
      if (!messageOf(error).startsWith('NOSCRIPT')) throw error;
      await this.#writer.sendCommand(['SCRIPT', 'LOAD', scripts[name]]);
      throw error;
    }
  }

  #entries(reply: unknown): Entry[] {
    return list(reply).flatMap((raw) => {
      const [id, fields] = list(raw);
      const entry = toEntry(String(id), texts(fields));
      if (!entry) this.#onJunk();
      return entry ?? [];
    });
  }
}

function channelOf(epoch: string): string {
  return `oneport:peers:${epoch}`;
}

function list(reply: unknown): readonly unknown[] {
  return Array.isArray(reply) ? reply : [];
}

function texts(reply: unknown): (string | undefined)[] {
  return list(reply).map((value) => (value === null || value === undefined ? undefined : String(value)));
}

/** Returns undefined for an entry that none of our scripts wrote. */
function toEntry(id: string, values: readonly (string | undefined)[]): Entry | undefined {
  const field = (name: string): string => values[values.indexOf(name) + 1] ?? '';
  if (values[0] !== 'prev' || values[2] !== 'seq' || values[4] !== 'kind') return undefined;
  const common = { id, prev: values[1] ?? '', seq: Number(values[3]) };
  switch (values[5]) {
    case 'batch': {
      const [node, n, version] = [field('node'), Number(field('n')), Number(field('version'))];
      return { ...common, kind: 'batch', node, n, version, commands: values.at(-1) ?? '' };
    }
    case 'begin': {
      const identity = toIdentity(parseJsonObject(field('identity')));
      return identity && { ...common, kind: 'begin', identity, digest: field('digest') };
    }
    case 'confirm':
      return { ...common, kind: 'confirm', through: field('through') };
    default:
      return undefined;
  }
}

function toIdentity(raw: unknown): Identity | undefined {
  if (!isObject(raw)) return undefined;
  const { epoch, sessionKey, instance } = raw;
  if (typeof epoch !== 'string' || typeof sessionKey !== 'string' || typeof instance !== 'string')
    return undefined;
  return { epoch, sessionKey, instance };
}
