/**
 * Modal dialogs: panels in the middle and drawers at a side, as native <dialog> elements. Invariant: on
 * closing, the focus returns to where it was, or to the composer.
 */

import { useSignal } from '@preact/signals';
import type { ComponentChildren, FunctionComponent } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { App, DialogName } from '../app.js';
import { t } from '../i18n.js';
import { checkVersion } from '../updates.js';
import { CloseIcon, IconButton } from './icons.js';
import { Invite } from './invitation.js';
import { focusComposer } from './keyboard.js';
import { NewRoom, QuickSwitcher } from './quick-switcher.js';
import { Mentions, Search } from './search.js';

interface ModalProps {
  readonly kind: string;
  readonly label: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
}

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

/** A column that does not fit beside the others. */
export function Drawer({ children, ...rest }: ModalProps) {
  return (
    <Modal {...rest}>
      {children}
      <div class="drawer-close">
        <CloseButton close={rest.close} />
      </div>
    </Modal>
  );
}

function CloseButton({ close }: { close: () => void }) {
  const label = t.value.dialog.close;
  return (
    <IconButton class="quiet" label={label} onClick={close}>
      <CloseIcon />
    </IconButton>
  );
}

function Modal({ kind, label, close, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const previousFocus = document.activeElement;
    const shown = dialog.current;
    shown?.showModal();
    shown?.querySelector<HTMLInputElement>('[data-focus]')?.select();
    shown?.querySelector<HTMLInputElement>('[data-focus]')?.focus();
    return () => {
      shown?.close();
      restoreFocus(previousFocus);
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={kind}
      aria-label={label}
      onClose={(event) => {
        // The event is asynchronous: another dialog may have opened.
        if (event.currentTarget.isConnected) close();
      }}
      onCancel={(event) => {
        if (event.target !== event.currentTarget) return;
        event.preventDefault();
        close();
      }}
      onMouseDown={(event) => {
        // The content covers the dialog, so its own area is the backdrop.
        if (event.target === event.currentTarget) close();
      }}
    >
      {children}
    </dialog>
  );
}

/** Falls back to the composer when the element is hidden, gone, or removed by the same rendering. */
function restoreFocus(previousFocus: Element | null): void {
  const canFocus =
    previousFocus instanceof HTMLElement &&
    previousFocus.checkVisibility() &&
    previousFocus !== document.body;
  if (canFocus) previousFocus.focus({ preventScroll: true });
  else focusComposer();
  queueMicrotask(() => document.activeElement === document.body && focusComposer());
}

export interface PanelProps {
  readonly app: App;
  readonly close: () => void;
}

type PanelComponent = FunctionComponent<PanelProps>;

/** Dialogs that open at once: a field must take the first keystroke. */
const panels: Partial<Record<DialogName, PanelComponent>> = {
  search: Search,
  mentions: Mentions,
  switch: QuickSwitcher,
  create: NewRoom,
  invite: Invite,
};

/** Other dialogs load when first opened; their frame shows at once. */
const panelImporters: Partial<Record<DialogName, () => Promise<PanelComponent>>> = {
  keys: async () => (await import('./shortcut-help.js')).Keys,
  settings: async () => (await import('./settings.js')).SettingsForm,
  signOut: async () => (await import('./sign-out.js')).SignOut,
};

export function Panels({ app }: { app: App }) {
  const name = app.dialog.value;
  if (name === undefined) return null;
  const close = () => app.showDialog(undefined);
  const Shown = panels[name];
  return (
    <Panel key={name} kind="panel" title={t.value[name].title} close={close}>
      {Shown ? <Shown app={app} close={close} /> : <LazyPanel name={name} app={app} close={close} />}
    </Panel>
  );
}

function LazyPanel({ name, ...props }: PanelProps & { name: DialogName }) {
  const panel = useSignal<PanelComponent | 'loading' | 'failed'>('loading');
  const load = async () => {
    panel.value = 'loading';
    try {
      panel.value = (await panelImporters[name]?.()) ?? 'failed';
    } catch {
      panel.value = 'failed'; // offline, or a deployment removed the file
      void checkVersion();
    }
  };
  useEffect(() => void load(), []);
  const Shown = panel.value;
  if (typeof Shown === 'function') return <Shown {...props} />;
  const { loading, failed, retry } = t.value.dialog;
  return (
    <p class="status-text" role="status">
      {Shown === 'loading' ? loading : failed}{' '}
      {Shown === 'failed' && (
        <button class="pill" type="button" onClick={() => void load()}>
          {retry}
        </button>
      )}
    </p>
  );
}
