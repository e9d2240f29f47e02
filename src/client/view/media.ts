/** Which parts of the page have a place of their own; the widths are those of style/narrow.css. */
import { type ReadonlySignal, signal } from '@preact/signals';

function matches(query: string): ReadonlySignal<boolean> {
  const list = matchMedia(query);
  const now = signal(list.matches);
  list.addEventListener('change', () => {
    now.value = list.matches;
  });
  return now;
}

/** The rooms stand beside the room in view. */
export const roomsBeside = matches('(min-width: 54rem)');
/** So do the people. */
export const peopleBeside = matches('(min-width: 75rem)');
/** Nothing but fingers: whatever takes the focus to be written in brings the keyboard over half of the page. */
export const byFinger = matches('(hover: none) and (pointer: coarse)');
