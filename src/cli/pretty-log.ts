/** A JSON log line as a line for a person at a terminal: "12:03:04 WARN refused: wrong_host host=evil.example". */
import { parseJsonObject } from '../shared/parse.js';

const COLORS: Readonly<Record<string, string>> = { warn: '\x1b[33m', error: '\x1b[31m', fatal: '\x1b[31m' };
const DIM = '\x1b[2m';
const RESET = '\x1b[0m';

export function prettyLine(json: string): string {
  const line = parseJsonObject(json);
  if (!line) return json;
  const { level, time, msg, err, ...fields } = line;
  const name = String(level);
  const clock = new Date(String(time)).toLocaleTimeString('en-GB');
  const head = `${DIM}${clock}${RESET} ${COLORS[name] ?? ''}${name.toUpperCase().padEnd(5)}${RESET} ${String(msg)}`;
  const rest = Object.entries(fields).map(([key, value]) => ` ${DIM}${key}=${RESET}${textOf(value)}`);
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
