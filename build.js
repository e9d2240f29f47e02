// Builds what runs: the server (tsc: src → dist), the page (esbuild: src/client → public/js, and public/sw.js) and the client
// for programs (src/connect → public/client.js, public/client.d.ts).
// Files of the page have a hash of what is in them in their names; public/js/files.json says which is which.
//   node build.js                build all
//   node build.js --if-needed    only when a source is newer than the last build
//   node build.js --watch        build, run the server, rebuild and restart on change (npm run dev)
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const root = fileURLToPath(new URL('.', import.meta.url));
const stamp = join(root, 'dist', '.built');
/** The declarations that tsc writes. */
const types = join(root, 'dist', 'types');
/** files of public/ that are written by hand */
const HAND = [
  'index.html',
  'manifest.webmanifest',
  ...readdirSync(join(root, 'public')).filter((name) => name.startsWith('icon')),
];
const sources = [
  'src',
  'package-lock.json',
  'tsconfig.json',
  'build.js',
  ...HAND.map((name) => join('public', name)),
];
/** what the page is made of: when none of it changes, its version does not */
const pageSources = ['src/client', 'src/connect', 'src/worker', 'src/shared'];

function newest(path) {
  const info = statSync(path);
  if (!info.isDirectory()) return info.mtimeMs;
  return Math.max(info.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function upToDate() {
  if (!existsSync(stamp) || !existsSync(join(root, 'public', 'client.js'))) return false;
  const built = statSync(stamp).mtimeMs;
  return sources.every((path) => newest(join(root, path)) <= built);
}

function buildServer() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['--declaration', '--declarationDir', types];
  const run = spawnSync(process.execPath, [tsc, '-p', root, ...options], { stdio: 'inherit' });
  if (run.status !== 0) throw new Error('the server does not compile: see above');
  const disk = join('prove', 'disk.c'); // `prove` compiles it where it runs
  copyFileSync(join(root, 'src', disk), join(root, 'dist', disk));
}

/** Names that only the client itself uses: neither in its types nor on the wire. Short ones save 2 % of it. */
const INTERNAL =
  /^(answersPings|onAlive|onClosed|onAnswer|onConnectionLost|onRefused|choice|isLive|checkAlive|submitter|waitReady|openLink|settle|wasLive|submit|beforeFallback|peek|subscribe|openSocket|readers|link|base|clock|kind|open|observable|load|next|connect|stop|isNew)$/;

/** The client for programs: one file without imports, and one with its types. */
async function buildClient() {
  const { build } = await import('esbuild');
  const script = join(root, 'public', 'client.js');
  await build({
    absWorkingDir: root,
    bundle: true,
    minify: true,
    target: ['es2022'],
    entryPoints: ['src/connect/client.ts'],
    outfile: script,
    mangleProps: INTERNAL,
    format: 'esm',
    logLevel: 'warning',
  });
  await pack(script);
  writeFileSync(join(root, 'public', 'client.d.ts'), bundledTypes());
  rmSync(types, { recursive: true });
}

/** A type or an interface, with its comment, as tsc writes them. */
const TYPE =
  /^(?:\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?(?:export )?(?:interface|type) (\w+)(?:[^\n]*;\n|[\s\S]*?^\};?\n)/gm;

/** The declarations of the client, with the types of other files that they name instead of imports. */
function bundledTypes() {
  const read = (name) => readFileSync(join(types, `${name}.d.ts`), 'utf8');
  const entry = read('connect/client')
    .replace(/^import .*\n/gm, '')
    .replace(/^(export type \{.*\}) from .*/gm, '$1;');
  const known = new Map();
  for (const file of ['shared/protocol', 'connect/transport', 'connect/connection', 'connect/outbox'])
    for (const [text, name] of read(file).matchAll(TYPE)) known.set(name, text.replace(/^export /m, ''));
  const found = new Map();
  const add = (text) => {
    for (const [name] of text.matchAll(/\b[A-Z]\w+/g)) {
      if (found.has(name) || !known.has(name)) continue;
      found.set(name, known.get(name));
      add(known.get(name));
    }
  };
  add(entry);
  return `${entry}\n${[...found.values()].join('\n')}`;
}

async function buildPage() {
  const { build } = await import('esbuild');
  const version = hashOf([
    ...pageSources,
    'package-lock.json',
    'build.js',
    ...HAND.map((name) => join('public', name)),
  ]);
  const common = { absWorkingDir: root, bundle: true, minify: true, target: ['es2022'], logLevel: 'warning' };
  const { metafile } = await build({
    ...common,
    entryPoints: ['src/client/main.tsx', { in: 'src/client/style/chat.css', out: 'chat' }],
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    outdir: 'public/js',
    splitting: true,
    banner: { js: COMPILED },
    sourcemap: true,
    format: 'esm',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    define: { VERSION: JSON.stringify(version), LANGUAGES: JSON.stringify(await languages(build)) },
    metafile: true,
    plugins: [oneFirst, slimEmoji],
  });
  // By itself, for it runs before everything else: it must import nothing.
  const early = await build({
    ...common,
    entryPoints: ['src/client/theme-early.ts'],
    entryNames: '[name]-[hash]',
    outdir: 'public/js',
    format: 'iife',
    metafile: true,
  });
  const outputs = { ...metafile.outputs, ...early.metafile.outputs };
  const files = filesOf({ outputs });
  writeFileSync(join(root, 'public', 'js', 'files.json'), JSON.stringify(files.named));
  writeFileSync(join(root, 'public', 'version.json'), JSON.stringify({ version }));
  await Promise.all(files.all.map((path) => pack(join(root, 'public', path))));
  removeOldFiles(Object.keys(outputs).map((path) => basename(path)));
  const shell = [...files.all, ...HAND.filter((name) => name !== 'index.html').map((name) => `/${name}`)];
  await build({
    ...common,
    entryPoints: ['src/worker/sw.ts'],
    outfile: 'public/sw.js',
    format: 'iife',
    define: { VERSION: JSON.stringify(version), SHELL: JSON.stringify(shell) },
  });
}

/**
 * Has V8 compile all functions of a file while it loads, on another thread (v8.dev/blog/explicit-compile-hints). Nearly all are
 * called for the first drawing; else each is compiled when it is called, and the page waits.
 */
const COMPILED = '//# allFunctionsCalledOnLoad';

/** Beside each file it as browsers take it, as small as it gets: koa-static gives them that. */
async function pack(path) {
  const bytes = readFileSync(path);
  const [gz, br] = await Promise.all([
    promisify(gzip)(bytes, { level: 9 }),
    promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  ]);
  writeFileSync(`${path}.gz`, gz);
  writeFileSync(`${path}.br`, br);
}

/**
 * Removes the page's files of older builds. Those of the previous one stay, because a server that has not been restarted yet
 * names them in its pages. Building the same files again does not make them the previous ones.
 */
function removeOldFiles(names) {
  const folder = join(root, 'public', 'js');
  const record = join(folder, 'builds.json');
  const before = existsSync(record)
    ? JSON.parse(readFileSync(record, 'utf8'))
    : { current: [], previous: [] };
  const current = [...names].sort();
  const isSame = JSON.stringify(current) === JSON.stringify(before.current);
  const previous = isSame ? before.previous : before.current;
  const kept = new Set([...current, ...previous, 'files.json', 'builds.json']);
  for (const name of readdirSync(folder))
    if (!kept.has(name.replace(/\.(gz|br)$/, ''))) rmSync(join(folder, name));
  writeFileSync(record, JSON.stringify({ current, previous }));
}

/** Files of more bytes, but for the page's own, are kept by the service worker when they were used, not before: data of the emoji. */
const HEAVY = 150_000;

/** The names that index.html calls its files by, with their real ones; what its script loads first; and those to be kept. */
function filesOf({ outputs }) {
  const url = (path) => path.replace(/^public/, '');
  const files = Object.entries(outputs).filter(([path]) => !path.endsWith('.map'));
  const entry = (source) => files.find(([, output]) => output.entryPoint === source) ?? [];
  // not the entry, which imports the file where everything is, and nothing else
  const [script, { imports = [] } = {}] = files.find(([, { inputs }]) => inputs['src/client/main.tsx']) ?? [];
  const [style] = entry('src/client/style/chat.css');
  const [early] = entry('src/client/theme-early.ts');
  // English is in the page itself
  const words = files.flatMap(([path, { entryPoint }]) => {
    const [, tag] = /^src\/shared\/i18n\/([\w-]+)\.ts$/.exec(entryPoint ?? '') ?? [];
    return tag === undefined || tag === 'en' ? [] : [[`words ${tag}`, url(path)]];
  });
  const first = imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => url(path));
  return {
    named: {
      '/js/chat.js': url(script),
      '/js/chat.css': url(style),
      '/js/early.js': url(early),
      first,
      ...Object.fromEntries(words),
    },
    all: files.filter(([path, { bytes }]) => path === script || bytes < HEAVY).map(([path]) => url(path)),
  };
}

/**
 * What is loaded later names the page itself among its imports, so all that they share with it stays in one file. Else each
 * mixture of sharers is a file of its own: thirteen to ask for, each a journey where the server is far.
 */
const oneFirst = {
  name: 'one-first',
  setup({ onLoad, onResolve, resolve }) {
    const page = join(root, 'src', 'client', 'main.tsx');
    const words = join(root, 'src', 'shared', 'i18n'); // loaded by a name that is put together, so not seen being resolved
    const english = join(words, 'en.ts'); // the page needs it itself, and before it: must not name it
    const later = new Set();
    onResolve({ filter: /^\.\.?\// }, async ({ path, kind, pluginData, ...from }) => {
      if (kind !== 'dynamic-import' || pluginData === oneFirst) return undefined;
      const found = await resolve(path, { ...from, kind, pluginData: oneFirst });
      later.add(found.path);
      return found;
    });
    onLoad({ filter: /[\\/]src[\\/].*\.tsx?$/ }, ({ path }) => {
      if (path === english || !(later.has(path) || path.startsWith(words))) return undefined;
      const contents = `${readFileSync(path, 'utf8')}\nimport ${JSON.stringify(page)};\n`;
      return { contents, loader: path.endsWith('x') ? 'tsx' : 'ts' };
    });
  },
};

/** Of the emoji's data the page gets what text/emoji.ts reads (RawEmoji): a third less to load. */
const slimEmoji = {
  name: 'slim-emoji',
  setup({ onLoad }) {
    onLoad({ filter: /emojibase-data[\\/][\w-]+[\\/]compact\.json$/ }, ({ path }) => {
      const slim = JSON.parse(readFileSync(path, 'utf8')).flatMap(
        ({ unicode, hexcode, label, tags, group, skins }) => {
          const tones = skins?.slice(0, 5).map((skin) => ({ unicode: skin.unicode }));
          return group === undefined ? [] : [{ unicode, hexcode, label, tags, group, skins: tones }];
        },
      );
      return { contents: JSON.stringify(slim), loader: 'json' };
    });
  },
};

/** What each file of src/shared/i18n says of its language: a new one is one file more. */
async function languages(build) {
  const names = readdirSync(join(root, 'src', 'shared', 'i18n'));
  const read = async (name) => {
    const options = { absWorkingDir: root, bundle: true, write: false, format: 'esm' };
    const { outputFiles } = await build({ ...options, entryPoints: [join('src', 'shared', 'i18n', name)] });
    const module = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
    return module.translations.language;
  };
  const all = await Promise.all(names.map(read));
  return all.sort((a, b) => Number(b.tag === 'en') - Number(a.tag === 'en')); // English is what is left when nothing else fits
}

function hashOf(paths) {
  const hash = createHash('sha256');
  const add = (path) => {
    if (statSync(path).isDirectory()) for (const name of readdirSync(path).sort()) add(join(path, name));
    else hash.update(path.slice(root.length)).update('\0').update(readFileSync(path)).update('\0');
  };
  for (const path of paths) add(join(root, path));
  return hash.digest('hex').slice(0, 12);
}

async function buildAll() {
  const from = Date.now();
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  buildServer();
  await buildPage();
  await buildClient();
  writeFileSync(stamp, '');
  process.stderr.write(`built in ${Date.now() - from} ms\n`);
}

const pollMs = 250;

/** Times and sizes of all that is built or served. Events of the file system get lost when an editor replaces a file. */
function stateOf(paths) {
  return paths
    .flatMap((path) => {
      const info = statSync(path, { throwIfNoEntry: false });
      if (!info?.isDirectory()) return [`${path} ${info?.mtimeMs} ${info?.size}`];
      return [stateOf(readdirSync(path).map((name) => join(path, name)))];
    })
    .join('\n');
}

function watchedPaths() {
  const served = readdirSync(join(root, 'public')).filter((name) =>
    /\.(html|webmanifest|svg|png)$/.test(name),
  );
  return [...sources, ...served.map((name) => join('public', name))].map((path) => join(root, path));
}

/** Builds and runs the server again after each change. */
async function watchAndRun() {
  let server;
  process.once('SIGINT', () => {
    server?.kill('SIGTERM');
    process.exit(0);
  });
  for (let built = ''; ; await setTimeout(pollMs)) {
    const state = stateOf(watchedPaths());
    await setTimeout(pollMs); // editors save in bursts
    if (state === built || state !== stateOf(watchedPaths())) continue;
    built = state;
    await end(server);
    try {
      await buildAll();
      server = spawn(process.execPath, [join(root, 'dist', 'main.js')], { stdio: 'inherit' });
    } catch (error) {
      process.stderr.write(`${error.message}\n`); // the next change tries again
    }
  }
}

/** Resolves when the server has left its port and its folder. */
async function end(server) {
  if (!server || server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  await ended;
}

if (process.argv.includes('--watch')) await watchAndRun();
else if (!process.argv.includes('--if-needed') || !upToDate()) await buildAll();
