/** Times and days as the reader's language writes them. */
import { computed } from '@preact/signals';
import { words } from '../words.js';

/** The tag to format by: the language of the words, in the reader's own region when it is the same language. */
export const locale = computed(() => {
  const { tag } = words.value.language;
  const primary = tag.split('-')[0];
  return navigator.languages.find((own) => own.split('-')[0] === primary) ?? tag;
});

const STYLES = {
  clock: { hour: 'numeric', minute: '2-digit' },
  short: { dateStyle: 'medium', timeStyle: 'short' },
  full: { dateStyle: 'full', timeStyle: 'medium' },
  day: { weekday: 'long', day: 'numeric', month: 'long' },
  dayOfYear: { dateStyle: 'long' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>;

/** Those of this language, each made when it is needed: making one takes longer than drawing a row. */
const made = computed(() => ({ by: locale.value, formats: new Map<string, Intl.DateTimeFormat>() }));

function format(style: keyof typeof STYLES): Intl.DateTimeFormat {
  const { by, formats } = made.value;
  const before = formats.get(style);
  if (before) return before;
  const one = new Intl.DateTimeFormat(by, STYLES[style]);
  formats.set(style, one);
  return one;
}

/** A number that no Date can be would make formatting throw. */
function dateOf(at: number): Date {
  return new Date(Math.min(at, 8.64e15));
}

export function iso(at: number): string {
  return dateOf(at).toISOString();
}
export function shortDate(at: number): string {
  return format('short').format(dateOf(at));
}
export function fullDate(at: number): string {
  return format('full').format(dateOf(at));
}
export function day(at: number): string {
  const date = dateOf(at);
  const thisYear = date.getFullYear() === new Date().getFullYear();
  return format(thisYear ? 'day' : 'dayOfYear').format(date);
}

/** Hours and minutes. Of many messages in one second they are written out once. */
export function clock(at: number): string {
  const of = format('clock');
  const second = Math.floor(at / 1000);
  if (last.of !== of || last.second !== second) last = { of, second, text: of.format(dateOf(at)) };
  return last.text;
}
let last: { of?: Intl.DateTimeFormat; second: number; text: string } = { second: 0, text: '' };
