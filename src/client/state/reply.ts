/**
 * A reply is plain text that any client can read: the first words of what is answered as a quote, with who said it and
 * its number, then the answer. marks.ts finds it again by its head. Pure.
 */
import type { ChatEvent } from '../../shared/protocol.js';

const LINES = 3;
const CHARACTERS = 200;

/** `> Ann, #12: what she said …`, an empty line, the answer. Of a message without words name and number are left. */
export function replyTo({ id, user, data }: ChatEvent, answer: string): string {
  const [first = '', ...rest] = excerpt(data).split('\n');
  return [`> ${user.name}, #${id}: ${first}`, ...rest.map((line) => `> ${line}`), '', answer].join('\n');
}

/** What was quoted in it is not quoted again, nor is a code block's fence, which would swallow the answer. */
function excerpt(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^\s*(?:>|```|~~~)/.test(line));
  const short = lines.slice(0, LINES).join('\n');
  const whole = short.length <= CHARACTERS && lines.length <= LINES;
  return whole ? short : `${short.slice(0, CHARACTERS).trimEnd().toWellFormed()}…`;
}
