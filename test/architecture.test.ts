/** The borders of the house: who may import whom, and what is not written at all. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

type Tree = ReadonlyMap<string, string>;

const SRC = fileURLToPath(new URL('../src', import.meta.url));
/** Longer than 200 lines, and why. */
const LONG: Readonly<Record<string, string>> = {
  'protocol.ts': 'the whole contract on one page, which the browser shares',
  'socket/hub.ts': 'the one place where people, rooms and the sequencer meet; its methods are short',
  'socket/upgrade.ts': 'the order of the checks at the door is read from top to bottom',
  'server.ts': 'the one place that wires',
};

function readTree(): Tree {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.tsx?$/.test(file),
  );
  return new Map(files.map((file) => [file, readFileSync(join(SRC, file), 'utf8')]));
}

function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, name = '']) => name);
}

/** Imports of our own files, as paths below src. */
function edges(tree: Tree): Map<string, string[]> {
  const own = (file: string, name: string): string | undefined => {
    const base = normalize(join(dirname(file), name)).replace(/\.js$/, '');
    return [`${base}.ts`, `${base}.tsx`].find((path) => tree.has(path));
  };
  return new Map(
    [...tree].map(([file, text]) => [
      file,
      importsOf(text).flatMap((name) => (name.startsWith('.') ? (own(file, name) ?? []) : [])),
    ]),
  );
}

function findCycle(tree: Tree): string | undefined {
  const graph = edges(tree);
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file].join(' -> ');
    if (done.has(file)) return undefined;
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next, [...path, file]);
      if (cycle) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of tree.keys()) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return undefined;
}

/** `file: what` for each file outside `allowed` that `found` is in. */
function outside(tree: Tree, found: (text: string) => boolean, allowed: RegExp): string[] {
  return [...tree].filter(([file, text]) => !allowed.test(file) && found(text)).map(([file]) => file);
}

function takes(name: string): (text: string) => boolean {
  return (text) => importsOf(text).includes(name);
}

function faults(tree: Tree): string[] {
  const reach = edges(tree);
  const crossing = (from: RegExp, to: RegExp): string[] =>
    [...reach].flatMap(([file, targets]) =>
      from.test(file)
        ? targets.filter((target) => to.test(target)).map((target) => `${file} takes ${target}`)
        : [],
    );
  const cycle = findCycle(
    new Map([...tree].map(([file, text]) => [file, text.replace(/^import type [^;]*;$/gm, '')])),
  );
  return [
    ...(cycle ? [`cycle: ${cycle}`] : []),
    ...outside(tree, takes('ws'), /^socket\//).map((file) => `${file} takes ws`),
    ...outside(tree, takes('better-sqlite3'), /^store\//).map((file) => `${file} takes better-sqlite3`),
    ...outside(tree, takes('redis'), /^sequencer\/redis\.ts$/).map((file) => `${file} takes redis`),
    ...outside(
      tree,
      (text) => /['"`]\s*(SELECT|INSERT|UPDATE|DELETE|CREATE TABLE)\s/.test(text),
      /^store\//,
    ).map((file) => `${file} has SQL`),
    ...outside(tree, (text) => text.includes('process.env'), /^(config|main)\.ts$/).map(
      (file) => `${file} reads process.env`,
    ),
    ...crossing(/^chat\//, /^(http|socket|store|sequencer|client)\//),
    ...crossing(/^store\//, /^(http|socket|sequencer|client)\//),
    ...crossing(/^sequencer\//, /^(http|socket|store|client)\//),
    ...crossing(/^socket\//, /^(http|store|client)\//),
    ...crossing(/^http\//, /^(socket|store|sequencer|client)\//),
    ...crossing(/^(?!main)/, /^main\.ts$/),
    ...crossing(/^client\//, /^(?!client\/|protocol\.ts)/),
    ...[...tree.keys()]
      .filter((file) => /(^|\/)(utils?|helpers?|manager|common|types)\.tsx?$/.test(file))
      .map((file) => `${file} has a name that says nothing`),
    ...outside(
      tree,
      (text) => /:\s*any\b|\bas any\b|<any>|@ts-(ignore|expect-error)|\bTODO\b|\bFIXME\b/.test(text),
      /^$/,
    ).map((file) => `${file} gives up on types, or is not done`),
    ...[...tree]
      .filter(([file, text]) => text.split('\n').length > 201 && !(file in LONG))
      .map(([file]) => `${file} is long`),
  ];
}

describe('the house', () => {
  it('keeps its borders', () => {
    const tree = readTree();
    expect(tree.size).toBeGreaterThan(30);
    expect(faults(tree)).toEqual([]);
  });

  it('would be told about each of them', () => {
    const wrong: Tree = new Map([
      ['chat/a.ts', "import { b } from './b.js';\nimport x from '../store/x.js';"],
      ['chat/b.ts', "import { a } from './a.js';"],
      ['store/x.ts', "import Database from 'better-sqlite3'; db.prepare('SELECT 1');"],
      [
        'http/y.ts',
        "import { WebSocket } from 'ws'; db.prepare('SELECT 1'); process.env.X; const z: any = 1;",
      ],
      [
        'client/c.ts',
        "import '../config.js'; import Database from 'better-sqlite3'; import redis from 'redis';",
      ],
      ['config.ts', '\n'.repeat(300)],
      ['socket/utils.ts', ''],
    ]);
    const told = faults(wrong).join('\n');
    for (const fault of [
      'cycle: chat/a.ts -> chat/b.ts -> chat/a.ts',
      'chat/a.ts takes store/x.ts',
      'http/y.ts takes ws',
      'http/y.ts has SQL',
      'http/y.ts reads process.env',
      'http/y.ts gives up on types',
      'client/c.ts takes config.ts',
      'client/c.ts takes better-sqlite3',
      'client/c.ts takes redis',
      'config.ts is long',
      'socket/utils.ts has a name',
    ])
      expect(told).toContain(fault);
  });
});
