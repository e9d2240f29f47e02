/**
 * What lies over the page: a panel in the middle or a drawer at a side, by the browser's own modal <dialog>: what is
 * behind cannot be reached, Esc closes it. What must stay true: the focus goes back to where it was, or to the field
 * in which one writes, never nowhere.
 */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { words } from '../words.js';
import { CloseIcon } from './icons.js';

interface ModalProps {
  readonly kind: string;
  readonly label: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
}

/** A dialog with a heading. */
export function Panel({ title, ...rest }: Omit<ModalProps, 'label'> & { title: string }) {
  return (
    <Modal {...rest} label={title}>
      <div class="head">
        <h2>{title}</h2>
        <CloseButton close={rest.close} />
      </div>
      <div class="body">{rest.children}</div>
    </Modal>
  );
}

/** A part of the page that has no place beside the others. */
export function Drawer({ children, ...rest }: ModalProps) {
  return (
    <Modal {...rest}>
      {children}
      <div class="shut">
        <CloseButton close={rest.close} />
      </div>
    </Modal>
  );
}

function CloseButton({ close }: { close: () => void }) {
  const label = words.value.dialog.close;
  return (
    <button class="quiet" type="button" aria-label={label} title={label} onClick={close}>
      <CloseIcon />
    </button>
  );
}

function Modal({ kind, label, close, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    const shown = dialog.current;
    shown?.showModal();
    return () => {
      shown?.close();
      giveFocus(before);
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={kind}
      aria-label={label}
      onClose={(event) => {
        // The event comes later than the act: by then another dialog may stand in this one's place.
        if (event.currentTarget.isConnected) close();
      }}
      onCancel={(event) => {
        if (event.target !== event.currentTarget) return;
        event.preventDefault();
        close();
      }}
      onMouseDown={(event) => {
        // The dialog fills itself with its parts: what is left of it is the veil around.
        if (event.target === event.currentTarget) close();
      }}
    >
      {children}
    </dialog>
  );
}

/** To where it was; when that is gone or cannot be seen, or goes with the same drawing, to the field in which one writes. */
function giveFocus(before: Element | null): void {
  const back = before instanceof HTMLElement && before.checkVisibility() && before !== document.body;
  if (back) before.focus({ preventScroll: true });
  else toField();
  queueMicrotask(() => document.activeElement === document.body && toField());
}

function toField(): void {
  document.querySelector<HTMLElement>('.composer textarea')?.focus({ preventScroll: true });
}
