/** Commands of the operator, run as processes on a folder, with a server beside them or without. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import Database from '../../src/store/sqlite.js';
import { type Chat, type Env, startChat } from '../harness.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export function start(args: readonly string[], dataDir: string, more: Env = {}): ChildProcess {
  const env = { PATH: process.env['PATH'] ?? '', DATA_DIR: dataDir, ...more };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

/** `oneport ARGS…` to its end. */
export async function oneport(args: readonly string[], dataDir: string, env: Env = {}): Promise<Ended> {
  const child = start(args, dataDir, env);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null]; // what Node documents
  return { code, out, err };
}

/** A server, and so many messages said in the lobby and one in another room. */
export async function chatWith(count: number): Promise<Chat> {
  const chat = await startChat();
  const ann = await chat.signIn('Ann');
  const lobby = await ann.enters('lobby');
  for (let n = 1; n <= count; n++) lobby.says(`m${n}`, `c${n}`);
  await lobby.seesAll({ type: 'chat' }, count);
  const other = await ann.enters('köln');
  other.says('alone', 'c0');
  await other.sees({ type: 'chat' });
  return chat;
}

/** A folder whose server was stopped after so many messages. */
export async function folderWith(count: number): Promise<string> {
  const chat = await chatWith(count);
  await chat.stop();
  return chat.dataDir;
}

/** Does to the database what no server does. */
export function tamper(dataDir: string, sql: string): void {
  const db = new Database(databaseOf(dataDir));
  db.pragma('foreign_keys = OFF');
  db.exec(sql);
  db.close();
}

export function databaseOf(dataDir: string): string {
  return join(dataDir, 'oneport.db');
}
