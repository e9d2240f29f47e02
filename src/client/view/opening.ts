/**
 * Where the log stands when a room is opened: at the message that was asked for, at the line where the news begins, or
 * at its end; and how a message that is asked for later comes into view.
 */
import { type ReadonlySignal, useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { reach } from '../milestones.js';
import type { Place } from '../place.js';
import type { Row } from '../state/rows.js';
import type { Log } from './log.js';
import { focusRow, type Tools } from './tools.js';

/** So long it is shown which message was meant. */
const FOUND_MS = 2_500;

/** What is returned is to be called whenever the rows have been drawn. */
export function useOpening(
  place: Place,
  rows: ReadonlySignal<readonly Row[]>,
  tools: Tools,
): (log: Log) => void {
  const log = useRef<Log>(null);
  const handled = useRef<number>(undefined);
  const look = () => {
    const asked = place.shown.peek();
    const mark = place.bookmark.at.peek();
    const now = rows.peek();
    if (asked !== undefined && find(asked, now, place, log.current, tools)) handled.current = mark;
    else if (mark !== handled.current && log.current?.open('.fresh')) handled.current = mark;
  };
  useSignalEffect(() => {
    if (place.shown.value === undefined) return;
    const frame = requestAnimationFrame(look); // where the rows are there already, nothing is drawn
    return () => cancelAnimationFrame(frame);
  });
  return (drawn) => {
    log.current = drawn;
    if (rows.peek().length > 0) reach('history');
    look();
  };
}

/** A number that has no row (a change, a deleted room's past) leads to the next one that has. */
function find(asked: number, rows: readonly Row[], place: Place, log: Log | null, tools: Tools): boolean {
  const ids = rows.flatMap((row) => (row.kind === 'message' ? [row.event.id] : []));
  const id = ids.find((each) => each >= asked);
  const first = ids[0];
  if (id === undefined || first === undefined || (asked < first && first > 1 && id !== asked)) return false;
  if (!log?.reveal(`[data-id="${id}"]`, 'center')) return false;
  place.shown.value = undefined;
  tools.current.value = id;
  tools.found.value = id;
  const typing = document.activeElement instanceof HTMLTextAreaElement && document.activeElement.value !== '';
  if (!typing) focusRow(id);
  setTimeout(() => {
    if (tools.found.peek() === id) tools.found.value = undefined;
  }, FOUND_MS);
  return true;
}
