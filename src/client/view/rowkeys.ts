/** The log by keyboard: the rows share one place in the order of Tab; letters act on the row that has the focus. */
import type { ChatEvent } from '../../shared/protocol.js';
import type { Tools } from './tools.js';

export function rowOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>('li.message[data-id]') : null;
}

export function idOf(row: Element | null | undefined): number | undefined {
  const id = row?.getAttribute('data-id');
  return id ? Number(id) : undefined;
}

const STEPS: Readonly<Record<string, (at: number, count: number) => number>> = {
  ArrowDown: (at) => at + 1,
  ArrowUp: (at) => at - 1,
  Home: () => 0,
  End: (_at, count) => count - 1,
};

/** Keys pressed on a row itself; within it, on a link or a button, those that lead out. True when it was one of ours. */
export function pressed(
  event: KeyboardEvent,
  tools: Tools,
  messageOf: (id: number) => ChatEvent | undefined,
): boolean {
  const row = rowOf(event.target);
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return false;
  const step = STEPS[event.key];
  if (event.target !== row) {
    if (event.key === 'Escape') return back(row);
    return isArrow(event.key) && step !== undefined && walk(row, step);
  }
  if (step) return walk(row, step);
  const message = messageOf(idOf(row) ?? 0);
  if (message && event.key === 'Escape' && tools.asking.peek() === message.id) {
    tools.keep(message);
    return true;
  }
  const act = message && !message.deleted && actionOf(event.key, message, row, tools);
  if (!act) return false;
  act();
  return true;
}

function isArrow(key: string): boolean {
  return key === 'ArrowUp' || key === 'ArrowDown';
}

/** From a button of a row to the row. */
function back(row: HTMLElement): boolean {
  row.focus();
  return true;
}

function walk(row: HTMLElement, step: (at: number, count: number) => number): boolean {
  const rows = [...(row.parentElement?.querySelectorAll<HTMLElement>('li.message[data-id]') ?? [])];
  const next = rows[step(rows.indexOf(row), rows.length)];
  if (!next) return false;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: 'nearest' });
  return true;
}

function actionOf(key: string, message: ChatEvent, row: HTMLElement, tools: Tools): (() => void) | undefined {
  switch (key) {
    case 'r':
      return () => tools.reply(message);
    case 'e':
      return () => tools.edit(message);
    case '+':
      return () => void tools.pick(message, row.querySelector('.pick') ?? row);
    case 'Delete':
    case 'Backspace':
      return () => tools.askToRemove(message);
    case 'c':
      return () => void tools.copy(message.data);
    case 'Enter':
      return () => row.querySelector<HTMLElement>('.tools button')?.focus();
    default:
      return undefined;
  }
}
