/** Times and days as the reader's language writes them. */
import { words } from '../words.js';

interface Formats {
  readonly clock: Intl.DateTimeFormat;
  readonly full: Intl.DateTimeFormat;
  readonly day: Intl.DateTimeFormat;
  readonly dayOfYear: Intl.DateTimeFormat;
}

/** Made once for each language: making one takes longer than drawing a row. */
const made = new Map<string, Formats>();

function formats(): Formats {
  const { tag } = words.value.language;
  const before = made.get(tag);
  if (before) return before;
  const locale = localeOf(tag);
  const one: Formats = {
    clock: new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' }),
    full: new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'medium' }),
    day: new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' }),
    dayOfYear: new Intl.DateTimeFormat(locale, { dateStyle: 'long' }),
  };
  made.set(tag, one);
  return one;
}

/** en-GB writes days otherwise than en-US: the reader's own kind of the language, if they have one. */
function localeOf(tag: string): string {
  const language = tag.split('-')[0];
  return navigator.languages.find((one) => one.split('-')[0] === language) ?? tag;
}

export function Time({ at }: { at: number }) {
  const date = dateOf(at);
  const { full, clock } = written(formats(), date);
  return (
    <time dateTime={date.toISOString()} title={full}>
      {clock}
    </time>
  );
}

/** Of many messages in one second it is written out once: that takes longer than all the rest of a row. */
function written(of: Formats, date: Date): { readonly full: string; readonly clock: string } {
  const second = Math.floor(date.getTime() / 1000);
  if (last.of !== of || last.second !== second)
    last = { of, second, full: of.full.format(date), clock: of.clock.format(date) };
  return last;
}
let last: { of?: Formats; second: number; full: string; clock: string } = { second: 0, full: '', clock: '' };

export function Day({ at }: { at: number }) {
  const date = dateOf(at);
  const { day, dayOfYear } = formats();
  const thisYear = date.getFullYear() === new Date().getFullYear();
  return <time dateTime={date.toISOString().slice(0, 10)}>{(thisYear ? day : dayOfYear).format(date)}</time>;
}

export function fullTime(at: number): string {
  return formats().full.format(dateOf(at));
}

/** A number that no Date can be would make formatting throw. */
function dateOf(at: number): Date {
  return new Date(Math.min(at, 8.64e15));
}
