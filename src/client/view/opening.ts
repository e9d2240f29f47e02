/**
 * Where the log stands when a room is opened: at the message that was asked for, at the line where the news begins, or
 * at its end; and how a message that is asked for later comes into view.
 */
import { type ReadonlySignal, useSignalEffect } from '@preact/signals';
import type { RefObject } from 'preact';
import { useRef } from 'preact/hooks';
import type { Place } from '../place.js';
import type { Row } from '../state/rows.js';
import type { Log } from './log.js';
import { focusRow, type Tools } from './tools.js';

/** So long it is shown which message was meant. */
const FOUND_MS = 2_500;

export function useOpening(
  place: Place,
  log: RefObject<Log | null>,
  rows: ReadonlySignal<readonly Row[]>,
  tools: Tools,
): void {
  const opened = useRef(false);
  useSignalEffect(() => {
    const asked = place.shown.value;
    const now = rows.value;
    // Not before the rows are in the document.
    const frame = requestAnimationFrame(() => {
      if (asked !== undefined) opened.current = find(asked, now, place, log.current, tools) || opened.current;
      else if (!opened.current) opened.current = toNews(now, place, log.current);
    });
    return () => cancelAnimationFrame(frame);
  });
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

/** Once, and only while the reader has not gone anywhere by themselves. */
function toNews(rows: readonly Row[], place: Place, log: Log | null): boolean {
  if (place.mark.peek() === undefined || rows.length === 0) return false;
  if (rows.some(({ kind }) => kind === 'new')) log?.reveal('.fresh', 'start');
  return true;
}
