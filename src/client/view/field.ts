/** The text field: what is put into it goes the browser's own way, so that Ctrl+Z takes it back. Pure over its element. */
/** Puts text in place of a range, and the caret after it. */
export function insert(
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
export function wrap(field: HTMLTextAreaElement, mark: string): void {
  const { selectionStart: from, selectionEnd: to, value } = field;
  const inner = value.slice(from, to);
  const marked = value.slice(from - mark.length, from) === mark && value.slice(to, to + mark.length) === mark;
  if (marked && from >= mark.length) {
    insert(field, inner, from - mark.length, to + mark.length);
    field.setSelectionRange(from - mark.length, to - mark.length);
  } else {
    insert(field, `${mark}${inner}${mark}`, from, to);
    field.setSelectionRange(from + mark.length, to + mark.length);
  }
}

/**
 * An input method is at work: its keys are not ours. 229: Safari reports the Enter that ends a composition after
 * `compositionend`, with this key code only.
 */
export function composing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}

/** Esc, taken: where one searches the browser would only empty the field, and what it is in would stay open. */
export function isEscape(event: KeyboardEvent): boolean {
  if (event.key !== 'Escape' || composing(event)) return false;
  event.preventDefault();
  return true;
}
