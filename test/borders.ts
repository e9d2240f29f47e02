/**
 * The checker behind architecture.test.ts: a tree of sources in, its faults out, one line each. Pure, so that the test
 * can hand it made-up trees that break one border each. It reads text, not types; what Biome checks is not checked again.
 */
import { dirname, join, normalize } from 'node:path/posix';

/** Paths below src, and what is in them. */
export type Tree = ReadonlyMap<string, string>;

export interface Borders {
  /** each part with the parts it may import, itself beside; only parts that stand above it */
  readonly parts: Readonly<Record<string, readonly string[]>>;
  /** each package with the files that may import it */
  readonly packages: Readonly<Record<string, RegExp>>;
  /** what must not stand in the code of which files */
  readonly banned: readonly Ban[];
  readonly synchronous: SynchronousPath;
}

/** The path from a commit to its delivery: `from` and everything that it imports at run time, without an `await`. */
export interface SynchronousPath {
  readonly from: readonly string[];
  /** imported files that this path never calls, each with the reason */
  readonly except: Readonly<Record<string, string>>;
}

export interface Ban {
  readonly fault: string;
  readonly where: RegExp;
  readonly what: RegExp;
  /** where in a file to look: in its code without texts, in its texts, in both, or also in comments */
  readonly in: 'code' | 'texts' | 'source' | 'file';
}

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

export function faultsOf(tree: Tree, borders: Borders): string[] {
  return [
    ...[...tree.keys()].flatMap((file) => [
      ...importFaults(file, tree, borders),
      ...textFaults(file, tree.get(file) ?? '', borders),
    ]),
    ...cycles(tree),
    ...waits(tree, borders.synchronous),
  ];
}

const WAITS = /\b(await|async)\b|\.(then|finally)\(|\bPromise\.all/;

function waits(tree: Tree, { from, except }: SynchronousPath): string[] {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file) || Object.hasOwn(except, file)) return;
    reached.add(file);
    for (const next of runs(file, tree)) visit(next);
  };
  for (const file of from) if (tree.has(file)) visit(file);
  return [...reached]
    .filter((file) => WAITS.test(codeOf(tree.get(file) ?? '')))
    .map((file) => `${file} waits between a commit and its delivery`);
}

function importFaults(file: string, tree: Tree, { parts, packages }: Borders): string[] {
  const allowed = parts[partOf(file)];
  if (!allowed) return [`${file} belongs to no part`];
  return importsOf(tree.get(file) ?? '').flatMap(({ from }) => {
    if (from.startsWith('node:')) return [];
    if (!from.startsWith('.')) return packages[packageOf(from)]?.test(file) ? [] : [`${file} takes ${from}`];
    const target = resolve(file, from, tree);
    if (target === undefined) return [`${file} takes ${from}, which is not there`];
    const part = partOf(target);
    return part === partOf(file) || allowed.includes(part) ? [] : [`${file} takes ${target}`];
  });
}

function textFaults(file: string, text: string, { banned }: Borders): string[] {
  const views = { code: codeOf(text), texts: textsOf(text), source: withoutComments(text), file: text };
  return [
    ...banned
      .filter((ban) => ban.where.test(file) && ban.what.test(views[ban.in]))
      .map(({ fault }) => `${file} ${fault}`),
    ...(/^(\/\*\*|#!)/.test(text) ? [] : [`${file} does not say at its head what it is`]),
    ...(SAYS_NOTHING.test(file) ? [`${file} has a name that says nothing`] : []),
  ];
}

const SAYS_NOTHING = /(^|[/.-])(util|helper|manager|common|misc)s?[/.-]|(Util|Helper|Manager)s?\./;

/**
 * No file reaches itself, in the order in which modules run. `import type` is gone by then, and may close a circle inside
 * a part; between parts the table of parts forbids that too.
 */
function cycles(tree: Tree): string[] {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] => {
    if (path.includes(file)) return [`cycle: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`];
    if (done.has(file)) return [];
    const found = runs(file, tree).flatMap((next) => visit(next, [...path, file]));
    done.add(file);
    return found;
  };
  return [...tree.keys()].flatMap((file) => visit(file, []));
}

function runs(file: string, tree: Tree): string[] {
  return importsOf(tree.get(file) ?? '')
    .filter(({ from, typeOnly }) => from.startsWith('.') && !typeOnly)
    .flatMap(({ from }) => resolve(file, from, tree) ?? []);
}

const FROM = /^\s*(?:import|export)\s+(type\s)?[^;'"]*?from\s*['"]([^'"]+)['"]/gm;
const BARE = /\bimport\s*\(?\s*['"]([^'"]+)['"]/g;

function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  return [
    ...[...code.matchAll(FROM)].map(([, type, from = '']) => ({ from, typeOnly: type !== undefined })),
    ...[...code.matchAll(BARE)].map(([, from = '']) => ({ from, typeOnly: false })),
  ];
}

function resolve(file: string, from: string, tree: Tree): string | undefined {
  const base = normalize(join(dirname(file), from)).replace(/\.js$/, '');
  return [`${base}.ts`, `${base}.tsx`].find((path) => tree.has(path));
}

/** The folder right below src, or the file itself where it lies in none. */
export function partOf(file: string): string {
  return file.split('/')[0] ?? file;
}

/** `@scope/name` or `name` of `@scope/name/deep`. */
function packageOf(from: string): string {
  return from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Texts in quotes, comments, and nothing else: enough for code that Biome has formatted. */
const TOKENS = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;

function withoutComments(text: string): string {
  return text.replace(TOKENS, (token) => (token.startsWith('/') ? '' : token));
}

function codeOf(text: string): string {
  return text.replace(TOKENS, (token) => (token.startsWith('/') ? '' : "''"));
}

function textsOf(text: string): string {
  return (withoutComments(text).match(TOKENS) ?? []).join('\n');
}
