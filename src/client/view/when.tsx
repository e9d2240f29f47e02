/** Times and days in the reader's own way of writing them. */
const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const dayOfYear = new Intl.DateTimeFormat(undefined, { dateStyle: 'long' });

export function Time({ at }: { at: number }) {
  const date = dateOf(at);
  return (
    <time dateTime={date.toISOString()} title={full.format(date)}>
      {clock.format(date)}
    </time>
  );
}

export function Day({ at }: { at: number }) {
  const date = dateOf(at);
  const thisYear = date.getFullYear() === new Date().getFullYear();
  return <time dateTime={date.toISOString().slice(0, 10)}>{(thisYear ? day : dayOfYear).format(date)}</time>;
}

/** A number that no Date can be would make formatting throw. */
function dateOf(at: number): Date {
  return new Date(Math.min(at, 8.64e15));
}
