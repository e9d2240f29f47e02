/** When something was said, and on which day. */
import { signal } from '@preact/signals';
import { words } from '../words.js';
import { clock, day, fullDate, iso } from './dates.js';

const told = signal(false);

/** Once something is drawn. The first time that is written by Intl takes as long as a screen of messages: those come first. */
export function tellTimes(): void {
  told.value = true;
}

export function Time({ at }: { at: number }) {
  return (
    <time dateTime={iso(at)} onPointerEnter={sayAll}>
      {told.value && clock(at)}
    </time>
  );
}

/** The whole date, for who points at it: written out beside each row it took longer than all the rest of the row. */
function sayAll({ currentTarget: time }: { readonly currentTarget: HTMLTimeElement }): void {
  time.title = fullDate(Date.parse(time.dateTime));
}

/** The whole date, and that of the last edit: written out for one message at a time, the one in hand. */
export function Dates({ id, at, edited }: { id: string; at: number; edited: number | undefined }) {
  return (
    <p class="dates" id={id}>
      <time dateTime={iso(at)}>{fullDate(at)}</time>{' '}
      {edited !== undefined && <span>{words.value.message.editedAt(fullDate(edited))}</span>}
    </p>
  );
}

export function Day({ at }: { at: number }) {
  return <time dateTime={iso(at).slice(0, 10)}>{told.value && day(at)}</time>;
}
