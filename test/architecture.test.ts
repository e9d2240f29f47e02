/** The borders of the house (docs/architecture.md): who may import whom, and what is not written where. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Borders, faultsOf, type Tree } from './borders.js';

const SHARED = ['shared'];
const BOTH = [...SHARED, 'config.ts', 'session.ts', 'origin.ts', 'telemetry.ts'];
const ANY = /^/;
const BORDERS: Borders = {
  parts: {
    shared: [],
    connect: SHARED,
    client: [...SHARED, 'connect'],
    worker: [],
    'config.ts': SHARED,
    'session.ts': SHARED,
    'origin.ts': ['config.ts'],
    'telemetry.ts': SHARED,
    chat: SHARED,
    store: [...SHARED, 'chat'],
    sequencer: [...SHARED, 'chat'],
    realtime: [...BOTH, 'chat', 'sequencer'],
    http: [...BOTH, 'chat'],
    'tls.ts': ['config.ts'],
    'metrics.ts': ['config.ts', 'sequencer', 'realtime', 'store', 'telemetry.ts'],
    'log.ts': [...BOTH, 'chat', 'store', 'sequencer'],
    workers: [...BOTH, 'chat', 'store', 'sequencer', 'realtime', 'http', 'metrics.ts', 'log.ts'],
    'server.ts': [
      ...BOTH,
      'chat',
      'store',
      'sequencer',
      'realtime',
      'http',
      'metrics.ts',
      'tls.ts',
      'log.ts',
      'workers',
    ],
    cli: [...BOTH, 'connect', 'chat', 'store', 'sequencer', 'server.ts'],
    prove: [...SHARED, 'store', 'cli'],
    'main.ts': ['config.ts', 'store', 'sequencer', 'tls.ts', 'workers', 'server.ts', 'cli', 'prove'],
  },
  packages: {
    ws: /^realtime\/|^prove\/clients\.ts$|^cli\/talk\.ts$/, // prove and talk are clients of the server
    'better-sqlite3': /^store\//,
    redis: /^sequencer\/redis\.ts$/,
    koa: /^http\//,
    'koa-router': /^http\//,
    'koa-static': /^http\//,
    'koa-helmet': /^http\//,
    '@koa/bodyparser': /^http\//,
    cookies: /^http\/auth\.ts$/,
    keygrip: /^session\.ts$/,
    'prom-client': /^(metrics|telemetry|http\/health)\.ts$/,
    pino: /^(main|server|log|telemetry|tls|http\/(app|errors)|workers\/(primary|pool))\.ts$/,
    preact: /^client\//,
    '@preact/signals': /^client\//,
    'emojibase-data': /^client\//,
  },
  synchronous: {
    // a commit (local) applies commands (rules) to the store and delivers the results (hub) to rooms and sockets
    from: ['sequencer/local.ts', 'chat/rules.ts', 'store/store.ts', 'realtime/hub.ts'],
    except: {
      'store/search.ts': 'only HTTP requests call it',
    },
  },
  banned: [
    {
      fault: 'has a bare parameter as a LIMIT', // store/database.ts says why
      where: /^store\/(?!database)/,
      what: /\bLIMIT\s+[?:@$](?!\{)/,
      in: 'texts',
    },
    {
      fault: 'loads the SQLite driver itself', // store/sqlite.ts knows which one fits the running Node
      where: /^(?!store\/sqlite\.ts)/,
      what: /^import (?!type )[^;]*'better-sqlite3'/m,
      in: 'source',
    },
    {
      fault: 'has SQL',
      where: /^(?!store\/)/,
      what: /\b(SELECT\s|INSERT\s+(OR\s+\w+\s+)?INTO|REPLACE\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|UNIQUE|INDEX|VIRTUAL)|PRAGMA\s)/,
      in: 'texts',
    },
    { fault: 'reads the environment', where: /^(?!(config|main)\.ts)/, what: /\bprocess\.env\b/, in: 'code' },
    {
      fault: 'touches process',
      where: /^(?!main\.ts|prove\/(command|servers)\.ts|store\/search-worker\.ts)/, // a thread starts like a process; a worker is not a child
      what: /\bprocess\.(?!env\b)\w|['"]node:process['"]/,
      in: 'code',
    },
    {
      fault: 'has a clock, chance or I/O of its own',
      where: /^chat\//,
      what: /\bDate\b|\bperformance\b|Math\.random|\brandom\w*\(|\bset(Timeout|Interval|Immediate)\b|\bprocess\b/,
      in: 'code',
    },
    {
      fault: 'takes a module of Node',
      where: /^(chat\/|shared\/|connect\/|client\/|worker\/)/,
      what: /['"]node:\w/,
      in: 'texts',
    },
    {
      fault: 'has an any',
      where: ANY,
      what: /[:<|&=]\s*any\b|\b(as|extends|satisfies)\s+any\b|,\s*any\s*[,>]/,
      in: 'code',
    },
    { fault: 'has a non-null !', where: ANY, what: /[\w$)\]]!\s*(?:[.,;)\]}[]|$)/m, in: 'code' },
    {
      fault: 'silences a checker',
      where: ANY,
      what: /@ts-(ignore|expect-error|nocheck)|biome-ignore-all|biome-ignore lint\/(suspicious\/noExplicitAny|style\/noNonNull)/,
      in: 'file',
    },
    { fault: 'is not done', where: ANY, what: /\b(TODO|FIXME|XXX)\b/, in: 'file' },
  ],
};

function readTree(): Tree {
  const src = fileURLToPath(new URL('../src', import.meta.url));
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.tsx?$/.test(file),
  );
  return new Map(files.map((file) => [file, readFileSync(join(src, file), 'utf8')]));
}

/** A small house in which all is well: two files may know each other's types, words in comments and texts are free. */
const SOUND: Readonly<Record<string, string>> = {
  'shared/protocol.ts': '/** The types; `any` of them! Not "SELECT 1". */\nexport const word = 1;\n',
  'chat/rules.ts': "/** The rules: no await, no Date. */\nimport { word } from '../shared/protocol.js';\n",
  'store/events.ts': "/** SQL. */\nimport type Db from 'better-sqlite3';\ndb.prepare('SELECT 1');\n",
  'realtime/hub.ts': "/** a */\nimport { R } from './room.js';\nsay('Hello!'); if (a !== !b) c();\n",
  'realtime/room.ts': "/** b */\nimport type { H } from './hub.js';\nimport 'ws';\n",
  'main.ts': '#!/usr/bin/env node\nprocess.exit(Number(process.env.X));\n',
};

/** What each border's fault looks like: the file that is wrong, its text after the head, what is told of it. */
const WRONG: readonly (readonly [fault: string, file: string, text: string])[] = [
  ['cycle: realtime/a.ts -> realtime/a.ts', 'realtime/a.ts', "import { a } from './a.js';"],
  ['chat/a.ts takes store/events.ts', 'chat/a.ts', "import { log } from '../store/events.js';"],
  ['http/a.ts takes realtime/hub.ts', 'http/a.ts', "import type { H } from '../realtime/hub.js';"],
  ['chat/a.ts takes ./gone.js, which is not there', 'chat/a.ts', "import { x } from './gone.js';"],
  ['client/a.tsx takes main.ts', 'client/a.tsx', "export * from '../main.js';"],
  ['http/a.ts takes ws', 'http/a.ts', "import {\n  type WebSocket,\n} from 'ws';"],
  ['chat/a.ts takes better-sqlite3', 'chat/a.ts', "import type Db from 'better-sqlite3';"],
  ['chat/a.ts takes ws', 'chat/a.ts', 'import "ws";'],
  ['sequencer/local.ts takes redis', 'sequencer/local.ts', "const r = import('redis');"],
  ['http/a.ts takes @stranger/thing/deep', 'http/a.ts', "import x from '@stranger/thing/deep';"],
  ['chats/a.ts belongs to no part', 'chats/a.ts', ''],
  ['store/a.ts loads the SQLite driver itself', 'store/a.ts', "import Db from 'better-sqlite3';"],
  ['http/a.ts has SQL', 'http/a.ts', 'db.prepare(`\n  UPDATE rooms SET last = 1`);'],
  ['store/a.ts has a bare parameter as a LIMIT', 'store/a.ts', "db.prepare('SELECT 1 LIMIT ?');"],
  ['http/a.ts reads the environment', 'http/a.ts', 'x(process.env);'],
  ['http/a.ts touches process', 'http/a.ts', 'process.exit(1);'],
  ['chat/a.ts has a clock, chance or I/O of its own', 'chat/a.ts', 'const at = Date.now();'],
  ['chat/a.ts takes a module of Node', 'chat/a.ts', "import { readFileSync } from 'node:fs';"],
  ['realtime/room.ts waits between a commit and its delivery', 'realtime/room.ts', 'await drained();'],
  ['http/a.ts has an any', 'http/a.ts', 'const a: any = 1;'],
  ['http/a.ts has an any', 'http/a.ts', 'const a = new Map<string, any>();'],
  ['http/a.ts has a non-null !', 'http/a.ts', 'const b = a!.b;'],
  ['http/a.ts has a non-null !', 'http/a.ts', 'const b = list[0]!;'],
  ['http/a.ts silences a checker', 'http/a.ts', '// @ts-expect-error: later'],
  ['http/a.ts is not done', 'http/a.ts', '// TODO: later'],
  ['http/utils.ts has a name that says nothing', 'http/utils.ts', ''],
  ['realtime/roomManager.ts has a name that says nothing', 'realtime/roomManager.ts', ''],
];

describe('the house', () => {
  it('keeps its borders', () => {
    const tree = readTree();
    expect(tree.size).toBeGreaterThan(60);
    expect(faultsOf(tree, BORDERS)).toEqual([]);
  });

  it('has parts that import downwards only', () => {
    const order = Object.keys(BORDERS.parts);
    for (const [part, allowed] of Object.entries(BORDERS.parts))
      for (const below of allowed) expect(order.indexOf(below), part).toBeLessThan(order.indexOf(part));
  });
});

describe('the checker', () => {
  it('has nothing to say of a sound house', () => {
    expect(faultsOf(new Map(Object.entries(SOUND)), BORDERS)).toEqual([]);
  });

  it.each(WRONG)('finds: %s', (fault, file, text) => {
    const tree = new Map(Object.entries({ ...SOUND, [file]: `/** Head. */\n${text}\n` }));
    expect(faultsOf(tree, BORDERS)).toEqual([fault]);
  });

  it('finds a circle of several files, and a file without a head', () => {
    const tree: Tree = new Map([
      ['chat/a.ts', "/** a */\nimport { b } from './b.js';"],
      ['chat/b.ts', "/** b */\nimport { c } from './c.js';"],
      ['chat/c.ts', "import { a } from './a.js';"],
    ]);
    expect(faultsOf(tree, BORDERS)).toEqual([
      'chat/c.ts does not say at its head what it is',
      'cycle: chat/a.ts -> chat/b.ts -> chat/c.ts -> chat/a.ts',
    ]);
  });
});
