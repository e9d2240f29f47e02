/**
 * What lies over the page: a panel in the middle or a drawer at a side, by the browser's own modal <dialog>: what is
 * behind cannot be reached, Esc closes it. What must stay true: the focus goes back to where it was, or to the field
 * in which one writes, never nowhere.
 */

import { useSignal } from '@preact/signals';
import type { ComponentChildren, FunctionComponent } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { App, DialogName } from '../app.js';
import { t } from '../i18n.js';
import { checkVersion } from '../updates.js';
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
  const label = t.value.dialog.close;
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
      restoreFocus(before);
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
function restoreFocus(before: Element | null): void {
  const back = before instanceof HTMLElement && before.checkVisibility() && before !== document.body;
  if (back) before.focus({ preventScroll: true });
  else focusComposer();
  queueMicrotask(() => document.activeElement === document.body && focusComposer());
}

function focusComposer(): void {
  document.querySelector<HTMLElement>('.composer textarea')?.focus({ preventScroll: true });
}

/** The panels over the page. Each is loaded when it is used for the first time; its frame is there at once. */

export interface PanelProps {
  readonly desk: App;
  readonly close: () => void;
}

type PanelComponent = FunctionComponent<PanelProps>;

const panelImporters: Readonly<Record<DialogName, () => Promise<PanelComponent>>> = {
  search: async () => (await import('./search.js')).Search,
  mentions: async () => (await import('./search.js')).Mentions,
  switch: async () => (await import('./quick-switcher.js')).QuickSwitcher,
  keys: async () => (await import('./shortcut-help.js')).Keys,
  settings: async () => (await import('./settings.js')).SettingsForm,
};

export function Panels({ desk }: { desk: App }) {
  const name = desk.dialog.value;
  if (name === undefined) return null;
  const close = () => {
    desk.dialog.value = undefined;
  };
  return (
    <Panel key={name} kind="panel" title={t.value[name].title} close={close}>
      <LazyPanel name={name} desk={desk} close={close} />
    </Panel>
  );
}

function LazyPanel({ name, ...props }: PanelProps & { name: DialogName }) {
  const part = useSignal<PanelComponent | 'loading' | 'failed'>('loading');
  const load = async () => {
    part.value = 'loading';
    try {
      const loaded = await panelImporters[name]();
      part.value = loaded;
    } catch {
      part.value = 'failed'; // offline, or a deploy took the file away
      void checkVersion();
    }
  };
  useEffect(() => void load(), []);
  const Shown = part.value;
  if (typeof Shown === 'function') return <Shown {...props} />;
  const { loading, failed, retry } = t.value.dialog;
  return (
    <p class="say" role="status">
      {Shown === 'loading' ? loading : failed}{' '}
      {Shown === 'failed' && (
        <button class="pill" type="button" onClick={() => void load()}>
          {retry}
        </button>
      )}
    </p>
  );
}
