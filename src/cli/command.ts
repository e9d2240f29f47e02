/**
 * What all commands share: their interface, exit codes (sysexits.h), progress, and log lines for a terminal. A command
 * uses neither `process` nor the environment itself.
 */
import type { Readable, Writable } from 'node:stream';
import { parseJsonObject } from '../shared/parse.js';

export const EXIT = {
  ok: 0,
  fault: 1,
  usage: 64,
  badData: 65,
  noInput: 66,
  software: 70,
  osError: 71,
  cannotCreate: 73,
  ioError: 74,
  busy: 75,
  noPermission: 77,
  config: 78,
  /** by Ctrl-C, as shells say it */
  interrupted: 130,
} as const;

export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean };
  /** the command's answer, for other programs */
  readonly out: Writable;
  /** complaints, for people */
  readonly err: Writable;
  /** progress; goes nowhere unless people watch it on a terminal, because cron mails what a command writes */
  readonly progress: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** milliseconds since 1970 */
  readonly now: () => number;
  /** The size of the terminal that shows `out`; undefined when it goes elsewhere. */
  readonly screen: () => { readonly columns: number; readonly rows: number } | undefined;
  /** Calls back when the operator interrupts; the command then ends by itself. */
  readonly onStop: (stop: () => void) => void;
}

export interface Command {
  readonly name: string;
  /** its arguments, as --help shows them */
  readonly args: string;
  /** one line */
  readonly does: string;
  /** what to know before using it */
  readonly help: string;
  /** Resolves with the exit code. @throws CommandError, and what main.ts explains: ConfigError, LockedError, OpenError */
  run(args: readonly string[], terminal: Terminal): Promise<number>;
}

/** The operator's mistake, or the machine's: `message` is one line that says what to do. */
export class CommandError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The one argument of a command. @throws CommandError when there are none or several, or an unknown option */
export function singleArgument(args: readonly string[], { name, args: shape }: Command): string {
  const [first, ...rest] = args;
  if (first === '--' && rest[0] !== undefined && rest.length === 1) return rest[0];
  if (first !== undefined && rest.length === 0 && !first.startsWith('-')) return first;
  throw new CommandError(EXIT.usage, `usage: oneport ${name} ${shape}`);
}

/** Progress of long work on stderr: nothing in the first second, then at most a line a second. */

const progressIntervalMs = 1000;

/** The returned function may be called as often as one likes; the text is only made when it is shown. */
export function progressReporter(out: Writable, now: () => number): (text: () => string) => void {
  let shown = now();
  return (text) => {
    const at = now();
    if (at - shown < progressIntervalMs) return;
    shown = at;
    out.write(`${text()}\n`);
  };
}

/** "42% of 3,000,000 events" */
export function percent(done: number, total: number, what: string): string {
  const percent = total === 0 ? 100 : Math.floor((Math.min(done, total) / total) * 100);
  return `${percent}% of ${total.toLocaleString('en')} ${what}`;
}

/** The same for work in steps: each is named when it begins; those with parts say how far they are. */
export function stepReporter(
  out: Writable,
  now: () => number,
  what: string,
): (step: string, done?: number, total?: number) => void {
  const progress = progressReporter(out, now);
  return (step, done, total) => {
    if (done === undefined || total === undefined) out.write(`${step} …\n`);
    else progress(() => `${step}: ${percent(done, total, what)}`);
  };
}

const levelColors: Readonly<Record<string, string>> = {
  warn: '\x1b[33m',
  error: '\x1b[31m',
  fatal: '\x1b[31m',
};
const dim = '\x1b[2m';
const reset = '\x1b[0m';

/** Formats a JSON log line for a terminal: "12:03:04 WARN refused: wrong_host host=evil.example". */
export function prettyLine(json: string): string {
  const line = parseJsonObject(json);
  if (!line) return json;
  const { level, time, msg, err, ...fields } = line;
  const name = String(level);
  const clock = new Date(String(time)).toLocaleTimeString('en-GB');
  const head = `${dim}${clock}${reset} ${levelColors[name] ?? ''}${name.toUpperCase().padEnd(5)}${reset} ${String(msg)}`;
  const rest = Object.entries(fields).map(([key, value]) => ` ${dim}${key}=${reset}${textOf(value)}`);
  return `${head}${rest.join('')}\n${stackOf(err)}`;
}

/** Escapes control and format characters, so that no value can move the cursor or turn the text around. */
function textOf(value: unknown): string {
  const json = (JSON.stringify(value) ?? '').replace(
    /[\p{Cc}\p{Cf}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
  return typeof value === 'string' && /^[\w.:/@-]+$/.test(value) ? value : json;
}

function stackOf(error: unknown): string {
  const stack = typeof error === 'object' && error !== null && 'stack' in error ? String(error.stack) : '';
  return stack === '' ? '' : `${stack.replace(/[^\P{Cc}\n]/gu, '')}\n`;
}
