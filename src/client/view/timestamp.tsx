/** Times and dates in the reader's language. */
import { computed, signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { t } from '../i18n.js';

const timesShown = signal(false);

/** The first use of Intl takes as long as a screen of messages, so times show after the first paint. */
export function showTimes(): void {
  timesShown.value = true;
}

export function Timestamp({ at }: { at: number }) {
  return (
    <time dateTime={isoDate(at)} onPointerEnter={showFullDate}>
      {timesShown.value && clockTime(at)}
    </time>
  );
}

/** Formatted on hover only, because it takes longer than the rest of a row. */
function showFullDate({ currentTarget: time }: { readonly currentTarget: HTMLTimeElement }): void {
  time.title = fullDate(Date.parse(time.dateTime));
}

interface DatesProps {
  readonly id: string;
  readonly at: number;
  readonly edited: number | undefined;
  readonly children: ComponentChildren;
}

/** The full dates of the active message. */
export function Dates({ id, at, edited, children }: DatesProps) {
  return (
    <p class="dates" id={id}>
      {children} <time dateTime={isoDate(at)}>{fullDate(at)}</time>{' '}
      {edited !== undefined && <span>{t.value.message.editedAt(fullDate(edited))}</span>}
    </p>
  );
}

export function Day({ at }: { at: number }) {
  return <time dateTime={isoDate(at).slice(0, 10)}>{timesShown.value && dayLabel(at)}</time>;
}

/** The page's language, in the reader's own region if the language is the same. */
export const locale = computed(() => {
  const { tag } = t.value.language;
  const primary = tag.split('-')[0];
  return navigator.languages.find((own) => own.split('-')[0] === primary) ?? tag;
});

const dateStyles = {
  clock: { hour: 'numeric', minute: '2-digit' },
  short: { dateStyle: 'medium', timeStyle: 'short' },
  full: { dateStyle: 'full', timeStyle: 'medium' },
  day: { weekday: 'long', day: 'numeric', month: 'long' },
  dayOfYear: { dateStyle: 'long' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>;

/** Created on demand: construction takes longer than rendering a row. */
const dateFormats = computed(() => ({ by: locale.value, formats: new Map<string, Intl.DateTimeFormat>() }));

function dateFormat(style: keyof typeof dateStyles): Intl.DateTimeFormat {
  const { by: tag, formats } = dateFormats.value;
  const before = formats.get(style);
  if (before) return before;
  const one = new Intl.DateTimeFormat(tag, dateStyles[style]);
  formats.set(style, one);
  return one;
}

/** Formatting throws beyond the range of Date. */
function toDate(at: number): Date {
  return new Date(Math.min(at, 8.64e15));
}

export function isoDate(at: number): string {
  return toDate(at).toISOString();
}
export function shortDate(at: number): string {
  return dateFormat('short').format(toDate(at));
}
export function fullDate(at: number): string {
  return dateFormat('full').format(toDate(at));
}
function dayLabel(at: number): string {
  const date = toDate(at);
  const thisYear = date.getFullYear() === new Date().getFullYear();
  return dateFormat(thisYear ? 'day' : 'dayOfYear').format(date);
}

/** Cached per second, because many messages share one. */
function clockTime(at: number): string {
  const format = dateFormat('clock');
  const second = Math.floor(at / 1000);
  if (lastClockTime.format !== format || lastClockTime.second !== second)
    lastClockTime = { format, second, text: format.format(toDate(at)) };
  return lastClockTime.text;
}
let lastClockTime: { format?: Intl.DateTimeFormat; second: number; text: string } = { second: 0, text: '' };
