/** What the documents say is compared with the code: tables, codes, commands, links. Prose is for people to keep true. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../src/config.js';
import { isObject, parseJsonObject } from '../src/shared/parse.js';
import * as protocol from '../src/shared/protocol.js';
import { mutants } from './prove/mutants.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** All of the server's sources below a folder, as one text. */
function sources(folder: string): string {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  const own = files.filter((file) => file.endsWith('.ts') && !file.startsWith('client/'));
  return own.map((file) => read(join(folder, file))).join('\n');
}

/** What stands under a heading, up to the next of its rank. */
function section(document: string, heading: string): string {
  const [, found] = document.split(new RegExp(`^## ${heading}.*$`, 'm'));
  if (found === undefined) throw new Error(`no heading "${heading}"`);
  return found.split(/^## /m)[0] ?? '';
}

/** The cells of each row of the tables in a text, without head and rule. */
function rows(text: string): string[][] {
  const cells = (line: string): string[] =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  const isRule = (line: string | undefined): boolean => /^\|(-+\|)+$/.test(line ?? '');
  return lines.filter((line, n) => !isRule(line) && !isRule(lines[n + 1])).map(cells);
}

function names(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
}

function matches(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, found = '']) => found))].sort();
}

/** The names of the operator's commands. */
function commandNames(): string[] {
  return matches(sources('src/cli') + sources('src/prove'), /^ {2}name: '([\w-]+)',$/gm);
}

/** The members of a union of texts, as it is written in a source. */
function union(source: string, type: string): string[] {
  const [, body = ''] = new RegExp(`export type ${type} =([^;]*);`).exec(source) ?? [];
  return matches(body, /'([^']+)'/g);
}

function packageFile(): Readonly<Record<string, unknown>> {
  return parseJsonObject(read('package.json')) ?? {};
}

function keysOf(value: unknown): string[] {
  return isObject(value) ? Object.keys(value) : [];
}

describe('docs/operations.md', () => {
  const operations = read('docs/operations.md');

  it('lists every setting with its default and meaning, as --help does', () => {
    const listed = rows(section(operations, 'Settings')).map(([name, fallback, meaning]) => [
      names(name)[0],
      names(fallback)[0] ?? '',
      meaning,
    ]);
    expect(listed).toEqual(SETTINGS.map((setting) => [...setting]));
  });

  it('lists every exit code that is used, and no other', () => {
    const source = sources('src');
    const code = (key: string): string => new RegExp(`^ {2}${key}: (\\d+),$`, 'm').exec(source)?.[1] ?? key;
    const used = matches(source, /\bEXIT\.(\w+)/g).map(code);
    const listed = rows(section(operations, 'Exit codes')).map(([cell]) => cell);
    expect(listed).toEqual([...new Set(['0', ...used])].sort((a, b) => Number(a) - Number(b)));
  });

  it('names every metric of ours', () => {
    const metrics = matches(read('src/metrics.ts') + read('src/telemetry.ts'), /'(oneport_\w+)'/g);
    expect(metrics.length).toBeGreaterThan(3);
    expect(matches(operations, /`(oneport_\w+)`/g)).toEqual(metrics);
  });

  it('names every command', () => {
    const commands = commandNames();
    expect(commands).toContain('verify');
    expect(matches(section(operations, 'Commands'), /main\.js ([\w-]+)/g)).toEqual(commands);
  });
});

describe('docs/protocol.md', () => {
  const contract = read('docs/protocol.md');
  const source = read('src/shared/protocol.ts');

  it('lists every close code, and who may come back', () => {
    const listed = new Map(
      rows(section(contract, 'Closing')).flatMap(([codes = '', , back = '']) =>
        codes.split(' ').map((code) => [Number(code), back.startsWith('yes')]),
      ),
    );
    for (const [code] of Object.values(protocol.CLOSE)) expect(listed.keys()).toContain(code);
    for (const [code, back] of listed) expect([code, protocol.mayReconnect(code)]).toEqual([code, back]);
  });

  it('lists every error code, and no other', () => {
    const faults = matches(sources('src/http'), /new HttpError\(\s*\d+,\s*'(\w+)'/g);
    const known = new Set([...union(source, 'ErrorCode'), ...faults]);
    expect(known).toContain('storage');
    expect(known).toContain('wrong_origin');
    const listed = rows(section(contract, 'Errors')).flatMap(([code]) => names(code));
    expect(listed.sort()).toEqual([...known].sort());
  });

  it('gives each error its status', () => {
    const status = new Map(rows(section(contract, 'Errors')).map(([code, http]) => [names(code)[0], http]));
    for (const [, http, code] of sources('src/http').matchAll(/new HttpError\(\s*(\d+),\s*'(\w+)'/g))
      expect([code, status.get(code)]).toEqual([code, http]);
    const [, table = ''] = /const STATUS_BY_CODE[^{]*\{([^}]*)\}/.exec(read('src/http/errors.ts')) ?? [];
    for (const [, code, http] of table.matchAll(/(\w+): (\d+)/g))
      expect([code, status.get(code)]).toEqual([code, http]);
  });

  it('shows every frame and command', () => {
    const [, frames = ''] = /export type ServerFrame =([\s\S]*?)\n\n/.exec(source) ?? [];
    const [, commands = ''] = /export type ClientCommand =([\s\S]*?)\n\n/.exec(source) ?? [];
    const types = matches(`${frames}${commands}`, /(?:type: |\| )'(\w+)'/g);
    expect(types).toContain('join');
    const shown = section(contract, 'WebSocket').replaceAll('\\|', '|');
    for (const type of ['hello', ...types]) expect(shown).toMatch(new RegExp(`"type":("\\w+"\\|)?"${type}"`));
  });
});

describe('docs/prove.md', () => {
  it('lists every mutant, with its place and fault', () => {
    const listed = rows(section(read('docs/prove.md'), 'Mutants')).map(([name, place, fault]) => [
      names(name)[0],
      place,
      fault,
    ]);
    expect(listed).toEqual(Object.entries(mutants).map(([name, { place, fault }]) => [name, place, fault]));
  });
});

describe('docs/architecture.md', () => {
  it('gives a reason for every package, and for no other', () => {
    const text = section(read('docs/architecture.md'), 'Dependencies');
    const { dependencies, optionalDependencies, devDependencies } = packageFile();
    const needed = [...keysOf(dependencies), ...keysOf(optionalDependencies)];
    expect(rows(text).flatMap(([cell]) => names(cell))).toEqual(expect.arrayContaining(needed));
    for (const name of keysOf(devDependencies).filter((name) => !name.startsWith('@types/')))
      expect(text).toContain(`\`${name}\``);
    const all = [...needed, ...keysOf(devDependencies)];
    for (const [cell] of rows(text)) expect(all).toEqual(expect.arrayContaining(names(cell)));
  });
});

describe('README.md', () => {
  const readme = read('README.md');

  it('uses commands that there are', () => {
    const scripts = keysOf(packageFile()['scripts']);
    const used = matches(readme, /^ {4}npm ci && npm (?:run )?(\w+)$/gm);
    expect(used).toEqual(['start', 'test']);
    expect(scripts).toEqual(expect.arrayContaining(used));
    const commands = commandNames();
    for (const command of matches(readme, /node dist\/main\.js (\w+)/g)) expect(commands).toContain(command);
  });

  it('names the Node and the version that there are', () => {
    const { engines, version } = packageFile();
    const [, node = 'none'] = /Node (\S+) or newer/.exec(readme) ?? [];
    expect(engines).toEqual({ node: `>=${node}` });
    expect(read('CHANGELOG.md')).toContain(`\n## ${String(version)}`);
  });
});

describe('every document', () => {
  const documents = [
    'README.md',
    'CHANGELOG.md',
    'SECURITY.md',
    'CONTRIBUTING.md',
    ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
  ];

  it.each(documents.filter((path) => path.endsWith('.md')))('%s: links and files lead somewhere', (path) => {
    const text = read(path);
    const links = matches(text, /\]\((?!https?:|#)([^)#]+)/g).map((link) => join(dirname(path), link));
    const files = matches(text, /`((?:src|test|docs|public)\/[\w./-]+)`/g);
    expect([...links, ...files].filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});
