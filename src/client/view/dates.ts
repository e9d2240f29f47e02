/** Days and times of found messages and numbers in lists, in the way of the language that is spoken. */
import { computed } from '@preact/signals';
import { words } from '../words.js';

/** The tag to format by: the language of the words, in the reader's own region when it is the same language. */
export const locale = computed(() => {
  const { tag } = words.value.language;
  const primary = tag.split('-')[0];
  return navigator.languages.find((own) => own.split('-')[0] === primary) ?? tag;
});

const short = computed(
  () => new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium', timeStyle: 'short' }),
);
const full = computed(
  () => new Intl.DateTimeFormat(locale.value, { dateStyle: 'full', timeStyle: 'medium' }),
);

/** A number that no Date can be would make formatting throw. */
function dateOf(at: number): Date {
  return new Date(Math.min(at, 8.64e15));
}

export function iso(at: number): string {
  return dateOf(at).toISOString();
}
export function shortDate(at: number): string {
  return short.value.format(dateOf(at));
}
export function fullDate(at: number): string {
  return full.value.format(dateOf(at));
}
