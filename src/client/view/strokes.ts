/** What keys do in the field where one writes. */
import type { Completion } from './completion.js';
import { composing, wrap } from './field.js';
import type { Pen } from './pen.js';

export function keysOf(event: KeyboardEvent, pen: Pen, completion: Completion): void {
  if (composing(event)) return;
  const act = (completion.open && choosing(event, pen, completion)) || writing(event, pen);
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

type Act = (() => void) | undefined;

function choosing({ key, shiftKey }: KeyboardEvent, pen: Pen, completion: Completion): Act {
  if (key === 'ArrowDown') return () => completion.move(1);
  if (key === 'ArrowUp') return () => completion.move(-1);
  if (key === 'Escape') return () => completion.close();
  if (key === 'Enter' && completion.whole) return undefined; // who has written all of it means to send
  if ((key === 'Enter' || key === 'Tab') && !shiftKey)
    return () => {
      if (pen.field) completion.choose(pen.field);
    };
  return undefined;
}

function writing(event: KeyboardEvent, pen: Pen): Act {
  const { key, shiftKey, altKey } = event;
  if ((event.ctrlKey || event.metaKey) && !altKey && !shiftKey) return marking(key.toLowerCase(), pen);
  if (key === 'Enter' && !shiftKey && !altKey) return () => pen.send();
  if (key === 'Escape' && pen.writing.mode.peek().kind !== 'new') return () => pen.leave();
  if (key === 'ArrowUp' && pen.empty && pen.writing.mode.peek().kind === 'new' && !altKey && !shiftKey)
    return pen.editLast() ? () => {} : undefined;
  return undefined;
}

function marking(key: string, { field }: Pen): Act {
  const mark = { b: '**', i: '_' }[key];
  return mark && field ? () => wrap(field, mark) : undefined;
}
