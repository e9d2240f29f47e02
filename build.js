// Builds what runs: the server (tsc: src → dist) and the page (esbuild: src/client → public/js).
//   node build.js                build all
//   node build.js --if-needed    only when a source is newer than the last build
//   node build.js --watch        build, run the server, rebuild and restart on change (npm run dev)
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const stamp = join(root, 'dist', '.built');
const sources = ['src', 'package-lock.json', 'tsconfig.json', 'build.js'];

function newest(path) {
  const info = statSync(path);
  if (!info.isDirectory()) return info.mtimeMs;
  return Math.max(info.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function upToDate() {
  if (!existsSync(stamp) || !existsSync(join(root, 'public', 'js'))) return false;
  const built = statSync(stamp).mtimeMs;
  return sources.every((path) => newest(join(root, path)) <= built);
}

function buildServer() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const run = spawnSync(process.execPath, [tsc, '-p', root], { stdio: 'inherit' });
  if (run.status !== 0) throw new Error('the server does not compile: see above');
}

async function buildPage() {
  const { build } = await import('esbuild');
  rmSync(join(root, 'public', 'js'), { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: ['src/client/chat.tsx', { in: 'src/client/style/chat.css', out: 'chat' }],
    outdir: 'public/js',
    bundle: true,
    splitting: true,
    minify: true,
    sourcemap: true,
    format: 'esm',
    target: ['es2022'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'warning',
    define: { LANGUAGES: JSON.stringify(await languages()) },
    plugins: [slimEmoji],
  });
  // By itself, for it runs before everything else: it must import nothing.
  await build({
    absWorkingDir: root,
    entryPoints: ['src/client/first.ts'],
    outdir: 'public/js',
    bundle: true,
    minify: true,
    format: 'iife',
    target: ['es2022'],
    logLevel: 'warning',
  });
}

/** Of the emoji's data the page gets what state/emoji.ts reads (RawEmoji): a third less to load. */
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

/** The languages there are, by the files that the server was just built from; English first. */
async function languages() {
  const folder = join(root, 'dist', 'words');
  const files = readdirSync(folder).filter((name) => /^(?!words\.)[\w-]+\.js$/.test(name));
  const all = await Promise.all(
    files.map(async (name) => (await import(`${pathToFileURL(join(folder, name))}`)).words.language),
  );
  return all.sort((a, b) => Number(b.tag === 'en') - Number(a.tag === 'en') || a.tag.localeCompare(b.tag));
}

async function buildAll() {
  const from = Date.now();
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  buildServer();
  await buildPage();
  writeFileSync(stamp, '');
  process.stderr.write(`built in ${Date.now() - from} ms\n`);
}

function watchAndRun() {
  let server;
  let timer;
  const rebuild = async () => {
    server?.kill('SIGTERM');
    try {
      await buildAll();
      server = spawn(process.execPath, [join(root, 'dist', 'main.js')], { stdio: 'inherit' });
    } catch (error) {
      process.stderr.write(`${error.message}\n`); // the next change tries again
    }
  };
  watch(join(root, 'src'), { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(rebuild, 150); // editors save in bursts
  });
  process.once('SIGINT', () => {
    server?.kill('SIGTERM');
    process.exit(0);
  });
  return rebuild();
}

if (process.argv.includes('--watch')) await watchAndRun();
else if (!process.argv.includes('--if-needed') || !upToDate()) await buildAll();
