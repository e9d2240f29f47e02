/** All keyboard handling. shortcut-help.tsx lists the keys; a test compares the two. */

import type { ChatEvent } from '../../shared/protocol.js';
import type { App, DialogName } from '../app.js';
import { afterRender } from '../render/scheduler.js';
import { neighbourRoom } from '../rooms/list.js';
import type { Completion } from './completion.js';
import type { ComposerController } from './composer.js';
import type { MessageActions } from './message-actions.js';

/** Listens until the returned function is called. */
export function listenToKeys(app: App): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  document.addEventListener('keydown', onAnyKey, { capture: true, signal });
  document.addEventListener('pointerdown', onAnyPointer, { capture: true, signal });
  document.addEventListener('keydown', (event) => onKeyDown(event, app), { signal });
  document.addEventListener('paste', (event) => onPaste(event, app), { signal });
  return () => stop.abort();
}

let lastInputWasKey = false;

/** The last input came from the keyboard, not from the mouse or a finger. */
export function isKeyboardInUse(): boolean {
  return lastInputWasKey;
}

function onAnyKey(event: KeyboardEvent): void {
  lastInputWasKey = true;
  closeMenuOnEscape(event);
  enterOpenMenu(event);
}

function onAnyPointer(): void {
  lastInputWasKey = false;
}

function onKeyDown(event: KeyboardEvent, app: App): void {
  if (event.defaultPrevented || event.isComposing) return;
  const action = shortcutOf(event, app);
  if (action) {
    event.preventDefault();
    action();
  } else if (isText(event) && canRedirect(event, app)) focusComposer(); // which takes the key
}

/** Text pasted outside of any field goes to the composer. */
function onPaste(event: ClipboardEvent, app: App): void {
  const text = event.clipboardData?.getData('text/plain') ?? '';
  const field = composerField();
  if (event.defaultPrevented || text === '' || !field || !canRedirect(event, app)) return;
  event.preventDefault();
  insertText(field, text);
}

/** A key that types, also one that begins a composition or a letter with an accent. */
function isText(event: KeyboardEvent): boolean {
  const { key, ctrlKey, metaKey, altKey } = event;
  if (isComposing(event) || key === 'Process' || key === 'Dead') return true;
  const isAltGraph = event.getModifierState('AltGraph');
  return [...key].length === 1 && key !== ' ' && (isAltGraph || !(ctrlKey || metaKey || altKey));
}

function canRedirect({ target }: Event, app: App): boolean {
  return !isField(target) && app.dialog.peek() === undefined && !isOverlayOpen();
}

function isOverlayOpen(): boolean {
  return document.querySelector('dialog[open]') !== null || openMenu() !== undefined;
}

export function composerField(): HTMLTextAreaElement | null {
  return document.querySelector<HTMLTextAreaElement>('.composer textarea');
}

export function focusComposer(): void {
  composerField()?.focus({ preventScroll: true });
}

/** Closes an open menu on Esc, before other handlers that would prevent the browser's default. */
function closeMenuOnEscape(event: KeyboardEvent): void {
  const menu = event.key === 'Escape' && !event.isComposing ? openMenu() : undefined;
  if (!menu) return;
  event.preventDefault();
  event.stopPropagation();
  menu.hidePopover();
  document.querySelector<HTMLElement>(`[popovertarget="${menu.id}"]`)?.focus();
}

/** The `toggle` event that gives an open menu the focus may come after the next key, which is meant for the menu. */
function enterOpenMenu(event: KeyboardEvent): void {
  const menu = isArrow(event.key) && !event.altKey ? openMenu() : undefined;
  if (menu?.getAttribute('role') !== 'menu' || menu.contains(document.activeElement)) return;
  event.preventDefault();
  event.stopPropagation();
  const item = menu.querySelector('button');
  item?.focus();
  item?.dispatchEvent(new KeyboardEvent('keydown', { key: event.key, bubbles: true, cancelable: true }));
}

function openMenu(): HTMLElement | undefined {
  if (!('popover' in HTMLElement.prototype)) return undefined;
  return [...document.querySelectorAll<HTMLElement>(':popover-open')].at(-1);
}

type ShortcutAction = (() => void) | undefined;

function shortcutOf(event: KeyboardEvent, app: App): ShortcutAction {
  const { key, altKey, shiftKey } = event;
  const isControl = event.ctrlKey || event.metaKey;
  const isTyping = isField(event.target);
  if (document.querySelector('dialog.picker[open]')) return undefined;
  if (isControl && !altKey) return controlShortcutOf(key.toLowerCase(), shiftKey, app);
  if (altKey && (key === 'ArrowUp' || key === 'ArrowDown'))
    return neighbourShortcut(app, key === 'ArrowUp' ? -1 : 1, shiftKey);
  if (altKey || app.dialog.value !== undefined || document.querySelector('dialog[open]')) return undefined;
  if (key === 'Escape') return () => scrollToLatest(app);
  if (isTyping || !app.settings.singleKeys.value) return undefined;
  if (key === '?') return () => togglePanel(app, 'keys');
  if (key === '/') return () => togglePanel(app, 'search');
  return undefined;
}

function controlShortcutOf(key: string, shift: boolean, app: App): ShortcutAction {
  if (key === 'k' && !shift) return () => togglePanel(app, 'switch');
  if (key === 'f' && shift) return () => togglePanel(app, 'search');
  if (key === '/') return () => togglePanel(app, 'keys');
  return undefined;
}

/** The key that opens a dialog closes it too. */
function togglePanel(app: App, panel: DialogName): void {
  app.showDialog(app.dialog.peek() === panel ? undefined : panel);
}

function neighbourShortcut(app: App, step: 1 | -1, unread: boolean): ShortcutAction {
  if (app.dialog.value !== undefined) return undefined;
  return () => {
    const room = neighbourRoom(app.rooms.list.peek(), app.session.peek().name, step, unread);
    if (room !== undefined) app.openRoom(room);
  };
}

function scrollToLatest(app: App): void {
  void app.session.peek().room.toLatest();
  focusComposer();
}

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select'))
  );
}

/** Keys on messages. The rows share one tab stop. */

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
};

/** The last row may have to be loaded and rendered first. */
function focusLatest(actions: MessageActions): true {
  void actions.session.room.toLatest().then(() => afterRender(() => actions.focusLast()));
  return true;
}

/** Handles keys on a row, and those that lead out of the controls in it. Returns true if handled. */
export function handleMessageKey(
  event: KeyboardEvent,
  actions: MessageActions,
  messageOf: (id: number) => ChatEvent | undefined,
): boolean {
  const row = rowOf(event.target);
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return false;
  const step = rowSteps[event.key];
  if (event.target !== row) {
    if (event.key === 'Escape') return focusRowElement(row);
    return isArrow(event.key) && step !== undefined && moveToRow(row, step);
  }
  if (event.key === 'End') return focusLatest(actions);
  if (step) return moveToRow(row, step);
  const message = messageOf(idOf(row) ?? 0);
  if (message && event.key === 'Escape' && actions.confirmingDelete.peek() === message.id) {
    actions.cancelDelete(message);
    return true;
  }
  if (event.key === 'Enter') {
    row.querySelector<HTMLElement>('.toolbar button')?.focus();
    return true;
  }
  // A click focuses a row too, but what is typed then is not meant for it.
  if (!actions.focusedByKey || !actions.settings.singleKeys.peek()) return false;
  const action = message && !message.deleted && messageActionOf(event.key, message, row, actions);
  if (!action) return false;
  action();
  return true;
}

function isArrow(key: string): boolean {
  return key === 'ArrowUp' || key === 'ArrowDown';
}

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
  actions: MessageActions,
): (() => void) | undefined {
  switch (key) {
    case 'r':
      return () => actions.reply(message);
    case 'e':
      return () => actions.edit(message);
    case '+':
      return () => void actions.pickReaction(message, row.querySelector('.pick') ?? row);
    case 'Delete':
    case 'Backspace':
      return () => actions.confirmDelete(message);
    case 'c':
      return () => void actions.copy(message.data);
    default:
      return undefined;
  }
}

/** Keys in the composer. */

export function handleComposerKey(
  event: KeyboardEvent,
  controller: ComposerController,
  completion: Completion,
): void {
  if (isComposing(event)) return;
  const action =
    (completion.open && completionActionOf(event, controller, completion)) ||
    composerActionOf(event, controller);
  if (!action) return;
  event.preventDefault();
  event.stopPropagation();
  action();
}

type ComposerAction = (() => void) | undefined;

function completionActionOf(
  { key, shiftKey }: KeyboardEvent,
  controller: ComposerController,
  completion: Completion,
): ComposerAction {
  if (key === 'ArrowDown') return () => completion.move(1);
  if (key === 'ArrowUp') return () => completion.move(-1);
  if (key === 'Escape') return () => completion.close();
  if (key === 'Enter' && completion.isExact) return undefined; // Enter sends, because nothing is left to complete
  if ((key === 'Enter' || key === 'Tab') && !shiftKey)
    return () => {
      if (controller.field) completion.choose(controller.field);
    };
  return undefined;
}

function composerActionOf(event: KeyboardEvent, controller: ComposerController): ComposerAction {
  const { key, shiftKey, altKey } = event;
  if ((event.ctrlKey || event.metaKey) && !altKey && !shiftKey)
    return formattingActionOf(key.toLowerCase(), controller);
  if (key === 'Enter' && !shiftKey && !altKey) return () => controller.send();
  if (key === 'Escape' && controller.state.kind.peek() !== 'new') return () => controller.cancel();
  if (
    key === 'ArrowUp' &&
    controller.isEmpty &&
    controller.state.kind.peek() === 'new' &&
    !altKey &&
    !shiftKey
  )
    return controller.editLast() ? () => {} : undefined;
  return undefined;
}

function formattingActionOf(key: string, { field }: ComposerController): ComposerAction {
  const delimiter = { b: '**', i: '_' }[key];
  return delimiter && field ? () => wrapSelection(field, delimiter) : undefined;
}

/** Edits through execCommand, because only that keeps the browser's undo history. */
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

/** Wraps or unwraps the selection; without one, puts the caret between the delimiters. */
function wrapSelection(field: HTMLTextAreaElement, delimiter: string): void {
  const { selectionStart: from, selectionEnd: to, value } = field;
  const inner = value.slice(from, to);
  const isMarked =
    value.slice(from - delimiter.length, from) === delimiter &&
    value.slice(to, to + delimiter.length) === delimiter;
  if (isMarked && from >= delimiter.length) {
    insertText(field, inner, from - delimiter.length, to + delimiter.length);
    field.setSelectionRange(from - delimiter.length, to - delimiter.length);
  } else {
    insertText(field, `${delimiter}${inner}${delimiter}`, from, to);
    field.setSelectionRange(from + delimiter.length, to + delimiter.length);
  }
}

/**
 * An IME is composing. Safari reports the Enter that ends a composition after `compositionend`, with key code
 * 229 only.
 */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}

/** Prevents a search field from only clearing itself on Esc. */
export function consumeEscape(event: KeyboardEvent): boolean {
  if (event.key !== 'Escape' || isComposing(event)) return false;
  event.preventDefault();
  return true;
}
