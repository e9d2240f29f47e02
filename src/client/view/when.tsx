/** When something was said, and on which day. */
import { clock, day, fullDate, iso } from './dates.js';

export function Time({ at }: { at: number }) {
  return (
    <time dateTime={iso(at)} onPointerEnter={sayAll}>
      {clock(at)}
    </time>
  );
}

/** The whole date, for who points at it: written out beside each row it took longer than all the rest of the row. */
function sayAll({ currentTarget: time }: { readonly currentTarget: HTMLTimeElement }): void {
  time.title = fullDate(Date.parse(time.dateTime));
}

export function Day({ at }: { at: number }) {
  return <time dateTime={iso(at).slice(0, 10)}>{day(at)}</time>;
}
