/** What the keyboard does anywhere on the page. The list for people is view/keys.tsx; one is held to the other by a test. */

import type { ChatEvent } from '../../shared/protocol.js';
import type { App, DialogName } from '../app.js';
import { neighbourRoom } from '../rooms/list.js';
import type { Completion } from './completion.js';
import type { ComposerController } from './composer-controller.js';
import type { MessageActions } from './message-actions.js';

/** Listens until the returned function is called. */
export function listenToKeys(desk: App): () => void {
  const pressed = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing) return;
    const act = shortcutOf(event, desk);
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.addEventListener('keydown', closeMenuOnEscape, true);
  document.addEventListener('keydown', pressed);
  return () => {
    document.removeEventListener('keydown', closeMenuOnEscape, true);
    document.removeEventListener('keydown', pressed);
  };
}

/** A menu lies over all else: Esc shuts it before anybody hears of the key, for who takes it keeps the browser from doing so. */
function closeMenuOnEscape(event: KeyboardEvent): void {
  if (event.key !== 'Escape' || event.isComposing || !('popover' in HTMLElement.prototype)) return;
  const menu = [...document.querySelectorAll<HTMLElement>(':popover-open')].at(-1);
  if (!menu) return;
  event.preventDefault();
  event.stopPropagation();
  menu.hidePopover();
  document.querySelector<HTMLElement>(`[popovertarget="${menu.id}"]`)?.focus();
}

type ShortcutAction = (() => void) | undefined;

function shortcutOf(event: KeyboardEvent, desk: App): ShortcutAction {
  const { key, altKey, shiftKey } = event;
  const control = event.ctrlKey || event.metaKey;
  const typing = isField(event.target);
  if (control && !altKey) return controlShortcutOf(key.toLowerCase(), shiftKey, desk);
  if (altKey && (key === 'ArrowUp' || key === 'ArrowDown'))
    return neighbourShortcut(desk, key === 'ArrowUp' ? -1 : 1, shiftKey);
  if (altKey || desk.dialog.value !== undefined || document.querySelector('dialog[open]')) return undefined;
  if (key === 'Escape') return () => scrollToLatest(desk);
  if (typing || !desk.settings.singleKeys.value) return undefined;
  if (key === '?') return () => togglePanel(desk, 'keys');
  if (key === '/') return () => togglePanel(desk, 'search');
  return undefined;
}

function controlShortcutOf(key: string, shift: boolean, desk: App): ShortcutAction {
  if (key === 'k' && !shift) return () => togglePanel(desk, 'switch');
  if (key === 'f' && shift) return () => togglePanel(desk, 'search');
  if (key === '/') return () => togglePanel(desk, 'keys');
  return undefined;
}

/** The same key shuts what it has opened. */
function togglePanel(desk: App, panel: DialogName): void {
  desk.dialog.value = desk.dialog.peek() === panel ? undefined : panel;
}

function neighbourShortcut(desk: App, step: 1 | -1, unread: boolean): ShortcutAction {
  if (desk.dialog.value !== undefined) return undefined;
  return () => {
    const room = neighbourRoom(desk.rooms.list.peek(), desk.session.peek().name, step, unread);
    if (room !== undefined) desk.openRoom(room);
  };
}

/** The newest into view, and the hand at the pen. */
function scrollToLatest(desk: App): void {
  void desk.session.peek().room.toLatest();
  document.querySelector<HTMLElement>('.composer textarea')?.focus({ preventScroll: true });
}

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select'))
  );
}

/** The log by keyboard: the rows share one place in the order of Tab; letters act on the row that has the focus. */

export function rowOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>('li.message[data-id]') : null;
}

export function idOf(row: Element | null | undefined): number | undefined {
  const id = row?.getAttribute('data-id');
  return id ? Number(id) : undefined;
}

const rowSteps: Readonly<Record<string, (at: number, count: number) => number>> = {
  ArrowDown: (at) => at + 1,
  ArrowUp: (at) => at - 1,
  Home: () => 0,
  End: (_at, count) => count - 1,
};

/** Keys pressed on a row itself; within it, on a link or a button, those that lead out. True when it was one of ours. */
export function handleMessageKey(
  event: KeyboardEvent,
  tools: MessageActions,
  messageOf: (id: number) => ChatEvent | undefined,
): boolean {
  const row = rowOf(event.target);
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return false;
  const step = rowSteps[event.key];
  if (event.target !== row) {
    if (event.key === 'Escape') return focusRowElement(row);
    return isArrow(event.key) && step !== undefined && moveToRow(row, step);
  }
  if (step) return moveToRow(row, step);
  const message = messageOf(idOf(row) ?? 0);
  if (message && event.key === 'Escape' && tools.confirmingDelete.peek() === message.id) {
    tools.cancelDelete(message);
    return true;
  }
  const act = message && !message.deleted && messageActionOf(event.key, message, row, tools);
  if (!act) return false;
  act();
  return true;
}

function isArrow(key: string): boolean {
  return key === 'ArrowUp' || key === 'ArrowDown';
}

/** From a button of a row to the row. */
function focusRowElement(row: HTMLElement): boolean {
  row.focus();
  return true;
}

function moveToRow(row: HTMLElement, step: (at: number, count: number) => number): boolean {
  const rows = [...(row.parentElement?.querySelectorAll<HTMLElement>('li.message[data-id]') ?? [])];
  const next = rows[step(rows.indexOf(row), rows.length)];
  if (!next) return false;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: 'nearest' });
  return true;
}

function messageActionOf(
  key: string,
  message: ChatEvent,
  row: HTMLElement,
  tools: MessageActions,
): (() => void) | undefined {
  switch (key) {
    case 'r':
      return () => tools.reply(message);
    case 'e':
      return () => tools.edit(message);
    case '+':
      return () => void tools.pickReaction(message, row.querySelector('.pick') ?? row);
    case 'Delete':
    case 'Backspace':
      return () => tools.confirmDelete(message);
    case 'c':
      return () => void tools.copy(message.data);
    case 'Enter':
      return () => row.querySelector<HTMLElement>('.tools button')?.focus();
    default:
      return undefined;
  }
}

/** What keys do in the field where one writes. */

export function handleComposerKey(
  event: KeyboardEvent,
  pen: ComposerController,
  completion: Completion,
): void {
  if (isComposing(event)) return;
  const act = (completion.open && completionActionOf(event, pen, completion)) || composerActionOf(event, pen);
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

type ComposerAction = (() => void) | undefined;

function completionActionOf(
  { key, shiftKey }: KeyboardEvent,
  pen: ComposerController,
  completion: Completion,
): ComposerAction {
  if (key === 'ArrowDown') return () => completion.move(1);
  if (key === 'ArrowUp') return () => completion.move(-1);
  if (key === 'Escape') return () => completion.close();
  if (key === 'Enter' && completion.isExact) return undefined; // who has written all of it means to send
  if ((key === 'Enter' || key === 'Tab') && !shiftKey)
    return () => {
      if (pen.field) completion.choose(pen.field);
    };
  return undefined;
}

function composerActionOf(event: KeyboardEvent, pen: ComposerController): ComposerAction {
  const { key, shiftKey, altKey } = event;
  if ((event.ctrlKey || event.metaKey) && !altKey && !shiftKey)
    return formattingActionOf(key.toLowerCase(), pen);
  if (key === 'Enter' && !shiftKey && !altKey) return () => pen.send();
  if (key === 'Escape' && pen.state.mode.peek().kind !== 'new') return () => pen.cancel();
  if (key === 'ArrowUp' && pen.isEmpty && pen.state.mode.peek().kind === 'new' && !altKey && !shiftKey)
    return pen.editLast() ? () => {} : undefined;
  return undefined;
}

function formattingActionOf(key: string, { field }: ComposerController): ComposerAction {
  const mark = { b: '**', i: '_' }[key];
  return mark && field ? () => wrapSelection(field, mark) : undefined;
}

/** The text field: what is put into it goes the browser's own way, so that Ctrl+Z takes it back. Pure over its element. */
/** Puts text in place of a range, and the caret after it. */
export function insertText(
  field: HTMLTextAreaElement,
  text: string,
  from = field.selectionStart,
  to = field.selectionEnd,
): void {
  field.focus();
  field.setSelectionRange(from, to);
  const done = text === '' ? document.execCommand('delete') : document.execCommand('insertText', false, text);
  if (done && field.value.slice(from, from + text.length) === text) return;
  field.setRangeText(text, from, to, 'end');
  field.dispatchEvent(new InputEvent('input', { bubbles: true }));
}

/** Marks what is selected, or takes the marks away when it has them; without a selection the caret is between them. */
export function wrapSelection(field: HTMLTextAreaElement, mark: string): void {
  const { selectionStart: from, selectionEnd: to, value } = field;
  const inner = value.slice(from, to);
  const marked = value.slice(from - mark.length, from) === mark && value.slice(to, to + mark.length) === mark;
  if (marked && from >= mark.length) {
    insertText(field, inner, from - mark.length, to + mark.length);
    field.setSelectionRange(from - mark.length, to - mark.length);
  } else {
    insertText(field, `${mark}${inner}${mark}`, from, to);
    field.setSelectionRange(from + mark.length, to + mark.length);
  }
}

/**
 * An input method is at work: its keys are not ours. 229: Safari reports the Enter that ends a composition after
 * `compositionend`, with this key code only.
 */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}

/** Esc, taken: where one searches the browser would only empty the field, and what it is in would stay open. */
export function consumeEscape(event: KeyboardEvent): boolean {
  if (event.key !== 'Escape' || isComposing(event)) return false;
  event.preventDefault();
  return true;
}
