/**
 * docs/from-the-note.md is a script: its commands run here against the note's server and against Oneport, and print what
 * the document shows. `…` in an output stands for any text. Only ports and the folder /tmp are replaced.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasTool } from './harness.js';
import { freePort, ROOT } from './process.js';

const DOCUMENTS = ['docs/from-the-note.md', 'docs/from-the-note.zh-CN.md'] as const;
const DOCUMENT_PORTS = ['3000', '4000', '8080', '8081', '8082'] as const;
/** What a section may take on a machine that is busy with other tests; at rest it takes one or two seconds. */
const SECTION_TIMEOUT_MS = 90_000;
const END_OF_OUTPUT = '--- end of output ---';

interface Block {
  readonly language: string;
  readonly code: string;
  readonly tested: boolean;
}

interface Section {
  readonly title: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

function parseBlocks(text: string): Block[] {
  const fences = text.matchAll(/(<!-- not tested: .*-->\n)?^```(\w+)\n([\s\S]*?)^```$/gm);
  return [...fences].map(([, untested, language = '', code = '']) => ({
    language,
    code,
    tested: untested === undefined,
  }));
}

function parseSections(document: string): Section[] {
  return document
    .split(/^## /m)
    .slice(1)
    .map((text) => ({ title: text.split('\n')[0] ?? '', text, blocks: parseBlocks(text) }));
}

/** The outputs that follow a tested command, in order. */
function expectedOutputs({ blocks }: Section): string[] {
  return blocks
    .filter((block, n) => block.language === 'text' && blocks[n - 1]?.tested)
    .map(({ code }) => code);
}

/** The tested commands, with a mark after each that has an output. */
function scriptOf({ blocks }: Section): string {
  return blocks
    .map(({ language, code, tested }, n) => {
      if (language !== 'sh' || !tested) return '';
      return blocks[n + 1]?.language === 'text' ? `${code}echo '${END_OF_OUTPUT}'\n` : code;
    })
    .join('');
}

function toPattern(output: string): RegExp {
  const literal = output.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replaceAll('…', '.+')}$`);
}

/** The two terminals in which the servers run, and a third one for commands. */
class Terminals {
  readonly #folder = mkdtempSync(join(tmpdir(), 'oneport-note-'));
  readonly #ports: ReadonlyMap<string, string>;
  readonly #servers: ChildProcess[] = [];
  #environment: Readonly<Record<string, string>> = { PATH: process.env['PATH'] ?? '', HOME: this.#folder };

  constructor(ports: readonly number[]) {
    this.#ports = new Map(DOCUMENT_PORTS.map((port, n) => [port, String(ports[n])]));
    const config = this.#replacePorts(read('nginx.conf'));
    writeFileSync(
      join(this.#folder, 'nginx.conf'),
      config.replaceAll('/tmp/oneport-nginx', `${this.#folder}/own`),
    );
  }

  startServer(loop: string): void {
    const options = { cwd: ROOT, env: this.#environment, stdio: 'ignore', detached: true } as const;
    this.#servers.push(spawn('bash', ['-c', this.#adapt(loop)], options));
  }

  async run(script: string): Promise<string> {
    const options = { cwd: ROOT, env: this.#environment, timeout: SECTION_TIMEOUT_MS };
    const { stdout } = await promisify(execFile)('bash', ['-c', this.#adapt(script)], options);
    return stdout.replaceAll('\r', '');
  }

  /** Runs exports, and keeps what they export for later commands. */
  async export(script: string, names: readonly string[]): Promise<void> {
    const values = await this.run(`${script}\n${names.map((name) => `echo "$${name}"`).join('\n')}`);
    const lines = values.trimEnd().split('\n');
    const entries = names.map((name, n) => [name, lines[n] ?? ''] as const);
    this.#environment = { ...this.#environment, ...Object.fromEntries(entries) };
  }

  /** Ends the loops with their servers, and an nginx that a failed section has left. */
  close(): void {
    for (const { pid } of this.#servers) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    for (const file of ['note-nginx.pid', 'own.pid']) {
      const path = join(this.#folder, file);
      if (existsSync(path)) process.kill(Number(readFileSync(path, 'utf8')), 'SIGTERM');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #adapt(script: string): string {
    return this.#replacePorts(script)
      .replaceAll('/tmp/', `${this.#folder}/`)
      .replaceAll('nginx -p . -c nginx.conf', `nginx -p ${this.#folder}/ -c ${this.#folder}/nginx.conf`)
      .replaceAll('sleep 1\n', 'sleep 0.1\n');
  }

  #replacePorts(text: string): string {
    const port = new RegExp(`(?<=[:=-]|listen |mjs )(?:${DOCUMENT_PORTS.join('|')})\\b`, 'g');
    return text.replace(port, (documented) => this.#ports.get(documented) ?? documented);
  }
}

const [setUp, ...sections] = parseSections(read(DOCUMENTS[0]));

describe('docs/from-the-note.md', () => {
  const [, noteLoop, ownLoop, helpers, signIns] = (setUp?.blocks ?? []).map(({ code }) => code);
  let terminals: Terminals;

  beforeAll(async () => {
    terminals = new Terminals(await Promise.all(DOCUMENT_PORTS.map(() => freePort())));
    terminals.startServer(noteLoop ?? '');
    terminals.startServer(ownLoop ?? '');
    await terminals.export(`${helpers}\neach true > /dev/null\n${signIns}`, ['ANN', 'BOB']);
  }, SECTION_TIMEOUT_MS);

  afterAll(() => terminals.close());

  for (const section of sections) {
    const runs = !section.text.includes('nginx -p') || hasTool('nginx');
    it.runIf(runs)(`prints what it shows: ${section.title}`, { timeout: SECTION_TIMEOUT_MS }, async () => {
      const printed = await terminals.run(`${helpers}${scriptOf(section)}`);
      const outputs = printed.split(`${END_OF_OUTPUT}\n`).slice(0, -1);
      const expected = expectedOutputs(section);
      expect(outputs).toHaveLength(expected.length);
      for (const [n, output] of outputs.entries()) expect(output).toMatch(toPattern(expected[n] ?? ''));
    });
  }

  it.each(sections)('shows a difference between the servers, and where it is made: $title', (section) => {
    const outputs = expectedOutputs(section).join('');
    const [note, own] = [/^note:\n([\s\S]*?)^ours:/gm, /^ours:\n([\s\S]*?)(?=^note:|(?![\s\S]))/gm].map(
      (server) => [...outputs.matchAll(server)].map(([, text]) => text),
    );
    if (section.text.includes('nginx -p')) expect(new Set(outputs.split('\n')).size).toBeGreaterThan(2);
    else expect(note).not.toEqual(own);
    expect(section.text).toMatch(/`src\/[\w./-]+`/);
  });
});

describe.each(DOCUMENTS)('%s', (path) => {
  it('names functions that exist in the files it names', () => {
    const mentions = [...read(path).matchAll(/`(src\/[\w./-]+)` ?[(（]((?:`[\w.]+`[,、 ]*)+)[)）]/g)];
    expect(mentions.length).toBeGreaterThan(20);
    for (const [, file = '', names = ''] of mentions) {
      const source = existsSync(join(ROOT, file)) ? read(file) : '';
      const missing = (names.match(/\w+/g) ?? []).filter((name) => !new RegExp(`\\b${name}\\b`).test(source));
      expect([file, missing]).toEqual([file, []]);
    }
  });

  it('names files that exist', () => {
    const files = [...read(path).matchAll(/`((?:src|docs|test)\/[\w./-]+)`/g)].map(([, file = '']) => file);
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});

describe('both languages', () => {
  const [english, chinese] = DOCUMENTS.map((path) => parseSections(read(path)));

  it('have the same sections with the same commands and outputs', () => {
    const blocksOf = (all: Section[] | undefined) => all?.map(({ blocks }) => blocks);
    expect(blocksOf(chinese)?.map((blocks) => blocks.length)).toEqual(
      blocksOf(english)?.map((blocks) => blocks.length),
    );
    expect(blocksOf(chinese)).toEqual(blocksOf(english));
  });

  it('name the same files in the same sections', () => {
    const filesOf = (all: Section[] | undefined) =>
      all?.map(({ text }) => [...new Set(text.match(/`src\/[\w./-]+`/g))].sort());
    expect(filesOf(chinese)).toEqual(filesOf(english));
  });
});
