/** When something was said, and on which day. */
import { computed, signal } from '@preact/signals';
import { t } from '../i18n.js';

const timesShown = signal(false);

/** Once something is drawn. The first time that is written by Intl takes as long as a screen of messages: those come first. */
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

/** The whole date, for who points at it: written out beside each row it took longer than all the rest of the row. */
function showFullDate({ currentTarget: time }: { readonly currentTarget: HTMLTimeElement }): void {
  time.title = fullDate(Date.parse(time.dateTime));
}

/** The whole date, and that of the last edit: written out for one message at a time, the one in hand. */
export function Dates({ id, at, edited }: { id: string; at: number; edited: number | undefined }) {
  return (
    <p class="dates" id={id}>
      <time dateTime={isoDate(at)}>{fullDate(at)}</time>{' '}
      {edited !== undefined && <span>{t.value.message.editedAt(fullDate(edited))}</span>}
    </p>
  );
}

export function Day({ at }: { at: number }) {
  return <time dateTime={isoDate(at).slice(0, 10)}>{timesShown.value && dayLabel(at)}</time>;
}

/** Times and days as the reader's language writes them. */

/** The tag to format by: the language of the words, in the reader's own region when it is the same language. */
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

/** Those of this language, each made when it is needed: making one takes longer than drawing a row. */
const dateFormats = computed(() => ({ by: locale.value, formats: new Map<string, Intl.DateTimeFormat>() }));

function dateFormat(style: keyof typeof dateStyles): Intl.DateTimeFormat {
  const { by, formats } = dateFormats.value;
  const before = formats.get(style);
  if (before) return before;
  const one = new Intl.DateTimeFormat(by, dateStyles[style]);
  formats.set(style, one);
  return one;
}

/** A number that no Date can be would make formatting throw. */
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
export function dayLabel(at: number): string {
  const date = toDate(at);
  const thisYear = date.getFullYear() === new Date().getFullYear();
  return dateFormat(thisYear ? 'day' : 'dayOfYear').format(date);
}

/** Hours and minutes. Of many messages in one second they are written out once. */
export function clockTime(at: number): string {
  const of = dateFormat('clock');
  const second = Math.floor(at / 1000);
  if (lastClockTime.of !== of || lastClockTime.second !== second)
    lastClockTime = { of, second, text: of.format(toDate(at)) };
  return lastClockTime.text;
}
let lastClockTime: { of?: Intl.DateTimeFormat; second: number; text: string } = { second: 0, text: '' };
