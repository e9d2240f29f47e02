/** `oneport talk` as a process: in pipes, over restarts of the server, and on a pseudo terminal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { printable } from '../../src/cli/talk.js';
import { BLOCKED, BUFFER, Nginx } from '../connect/nginx.js';
import { Door, hasTool, startChat, temporaryFolder } from '../harness.js';
import { freePort, ROOT, startServer } from '../process.js';

const MAIN = join(ROOT, 'dist/main.js');

interface Talk {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: unknown; readonly out: string; readonly err: string }>;
}

/** With a pseudo terminal it is on a terminal; else in pipes. */
function talk(args: readonly string[], home: string, onTerminal = false): Talk {
  const command = [process.execPath, MAIN, 'talk', ...args];
  const [file = '', ...params] = onTerminal ? ['script', '-qec', command.join(' '), '/dev/null'] : command;
  const env = { PATH: process.env['PATH'] ?? '', XDG_CONFIG_HOME: home, TERM: 'xterm', COLUMNS: '80' };
  const child = spawn(file, params, { env });
  onTestFinished(() => void child.kill('SIGKILL'));
  const { stdout, stderr } = child;
  const ended = Promise.all([once(child, 'close'), text(stdout), text(stderr)]).then(
    ([[code], out, err]) => ({
      code,
      out,
      err,
    }),
  );
  return { child, ended };
}

/** Runs it with an input to its end. */
function pipe(args: readonly string[], home: string, input: string): Talk['ended'] {
  const { child, ended } = talk(args, home);
  child.stdin?.end(input);
  return ended;
}

async function logOf(origin: Door, room = 'ops'): Promise<[number, string][]> {
  const reader = await origin.signIn('Reader');
  const answer = await reader.get(`/api/rooms/${room}/messages?after=0&limit=500`);
  const { messages } = (await answer.json()) as { messages: { id: number; data: string }[] };
  return messages.map(({ id, data }) => [id, data]);
}

describe('talk in a pipe', () => {
  it('posts each line and writes what happens', async () => {
    const chat = await startChat();
    const home = temporaryFolder();
    const long = 'x'.repeat(4001);
    const args = ['--name', 'Log', chat.origin, 'ops'];
    const { code, out, err } = await pipe(args, home, `one\n\n \u200b \ntwo\n${long}`);
    expect([code, err]).toEqual([0, '']);
    expect(await logOf(chat)).toEqual([
      [1, 'one'],
      [2, 'two'],
      [3, 'x'.repeat(4000)],
      [4, 'x'],
    ]);
    expect(out.split('\n').map((line) => line.slice(6, 18))).toEqual([
      '1 Log: one',
      '2 Log: two',
      '3 Log: xxxxx',
      '4 Log: x',
      '',
    ]);
  });

  it('keeps the cookie for the user alone, and is the same person the next time', async () => {
    const chat = await startChat();
    const home = temporaryFolder();
    await pipe(['--name', 'Log', chat.origin, 'ops'], home, 'one\n');
    const [file = ''] = readdirSync(join(home, 'oneport'));
    expect(statSync(join(home, 'oneport', file)).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(home, 'oneport', file), 'utf8')).toContain('name=');
    const { code, out } = await pipe([chat.origin, 'ops', '--json'], home, 'two\n');
    const frames = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; data: unknown });
    expect([code, frames.map(({ type }) => type)]).toEqual([0, ['hello', 'list', 'chat']]);
    expect(frames[2]).toMatchObject({ id: 2, data: 'two', user: { name: 'Log' } });
  });

  it('writes the history and ends at the end of the input', async () => {
    const chat = await startChat();
    const home = temporaryFolder();
    await pipe(['--name', 'Log', chat.origin, 'ops'], home, 'one\ntwo\nthree\n');
    const { code, out } = await pipe([chat.origin, 'ops', '--history', '2'], home, '');
    expect([code, out.match(/\d+ Log: \w+/g)]).toEqual([0, ['2 Log: two', '3 Log: three']]);
  });

  it('loses and repeats no line while the server restarts', { timeout: 60_000 }, async () => {
    const env = { DATA_DIR: temporaryFolder(), PORT: String(await freePort()) };
    let server = await startServer({ env });
    const { child, ended } = talk(['--name', 'Log', server.origin, 'ops'], temporaryFolder());
    const lines = Array.from({ length: 40 }, (_, n) => `line ${n + 1}`);
    const write = (from: number, to: number) => child.stdin?.write(`${lines.slice(from, to).join('\n')}\n`);
    for (const [from, to] of [
      [0, 15],
      [15, 30],
    ] as const) {
      write(from, to);
      await once(child.stdout ?? child, 'data');
      server.child.kill('SIGKILL');
      await server.exited;
      server = await startServer({ env });
    }
    write(30, 40);
    child.stdin?.end();
    const { code, out } = await ended;
    expect(code).toBe(0);
    expect(await logOf(new Door(server.port))).toEqual(lines.map((line, n) => [n + 1, line]));
    expect(out.match(/line \d+/g)).toEqual(lines);
  });

  it('tells why it cannot sign in', async () => {
    const chat = await startChat();
    await chat.signIn('Log');
    const taken = await pipe(['--name', 'Log', chat.origin, 'ops'], temporaryFolder(), 'one\n');
    expect([taken.code, taken.out]).toEqual([1, '']);
    expect(taken.err).toMatch(/^oneport: .+\n$/);
    const nobody = await pipe([chat.origin, 'ops'], temporaryFolder(), 'one\n');
    expect([nobody.code, nobody.err]).toEqual([64, 'oneport: nobody is signed in: give --name NAME.\n']);
  });
});

describe.runIf(hasTool('script'))('talk on a terminal', () => {
  it('asks for a name, shows the room, and takes texts and commands', async () => {
    const chat = await startChat();
    const bob = await (await chat.signIn('Bob')).enters('ops');
    bob.says('evil \u202etext');
    const { child, ended } = talk([chat.origin, 'ops'], temporaryFolder(), true);
    let seen = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    const shows = (part: string) => expect.poll(() => seen, { timeout: 15_000 }).toContain(part);
    const types = (line: string) => child.stdin?.write(`${line}\r`);
    await shows('Your name: ');
    types('Ann');
    await shows('evil text');
    await shows('ops> ');
    types('hello');
    await bob.sees({ type: 'chat', id: 2, data: 'hello' });
    types('/edit 2 hello all');
    await bob.sees({ type: 'edit', target: 2, data: 'hello all' });
    types('/reply 1 why');
    await bob.sees({ type: 'chat', id: 4, data: 'why' });
    types('/delete 1');
    await shows('Only the author');
    types('/rooms');
    await shows('2 here');
    types('/nonsense');
    await shows('There is no /nonsense.');
    types('/quit');
    expect((await ended).code).toBe(0);
  });
});

describe.runIf(hasTool('script') && hasTool('nginx'))('talk that has to poll', () => {
  it('says that it cannot tell who is here', async () => {
    const chat = await startChat();
    const nginx = new Nginx(await freePort(), chat.port);
    await nginx.start({ ...BLOCKED, rest: BUFFER });
    const bob = await (await chat.signIn('Bob')).enters('ops');
    bob.says('hello');
    const { child, ended } = talk(['--name', 'Ann', nginx.door.origin, 'ops'], temporaryFolder(), true);
    let seen = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    await expect.poll(() => seen, { timeout: 15_000 }).toContain('hello');
    child.stdin?.write('/people\r');
    await expect.poll(() => seen, { timeout: 15_000 }).toContain('it has no list of people');
    child.stdin?.write('/quit\r');
    expect((await ended).code).toBe(0);
  });
});

describe('printable', () => {
  it('leaves nothing that controls a terminal or turns the text around', () => {
    const hostile = 'a\x1b[31m\x07\x9b2J\r\u202eb\u2066\u200f\ufeff\u00ad';
    expect(printable(hostile)).toBe('a[31m2Jb');
    expect(printable('line\u2028next\n\tlast 👩‍💻 علی‌رضا')).toBe('line\nnext\n  last 👩‍💻 علی‌رضا');
  });
});
