/** What the page shows of the log: messages, grouped by writer, with a line where a day begins. Pure. */
import type { ChatEvent } from '../../protocol.js';
import type { LogEvent } from './frames.js';

export type Row =
  | { readonly kind: 'day'; readonly key: string; readonly at: number }
  | {
      readonly kind: 'message';
      readonly key: string;
      readonly event: ChatEvent;
      /** opens a group: shows who speaks */
      readonly leads: boolean;
    };

/** A pause after which the name is said again. */
const GROUP_MS = 5 * 60_000;

export function rows(events: readonly LogEvent[]): readonly Row[] {
  const all: Row[] = [];
  let before: ChatEvent | undefined;
  for (const event of events) {
    if (event.type !== 'chat') continue;
    if (!before || !sameDay(before.at, event.at)) {
      all.push({ kind: 'day', key: `day-${event.id}`, at: event.at });
      before = undefined;
    }
    all.push({ kind: 'message', key: `m-${event.id}`, event, leads: !before || !goesOn(before, event) });
    before = event;
  }
  return all;
}

function goesOn(before: ChatEvent, event: ChatEvent): boolean {
  return before.user.id === event.user.id && event.at - before.at < GROUP_MS;
}

function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString();
}

/** One of a few colours for a person, always the same: their id decides. */
export function toneOf(id: string, tones: number): number {
  let hash = 0x811c9dc5; // FNV-1a
  for (const char of id) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 8) % tones;
}
