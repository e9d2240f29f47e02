/** Invites others to a room: its link, to copy or to scan. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { addressPath } from '../address.js';
import { t } from '../i18n.js';
import type { PanelProps } from './dialog.js';
import { CheckIcon, CopyIcon } from './icons.js';

export function roomUrl(room: string): string {
  return new URL(addressPath({ room }), location.origin).href;
}

/** The dialog. */
export function Invite({ app }: PanelProps) {
  return (
    <div class="body invite scroll">
      <p>{t.value.invite.lead}</p>
      <Invitation room={app.session.value.name} />
    </div>
  );
}

export function Invitation({ room }: { room: string }) {
  const { readers, localOnly } = t.value.invite;
  return (
    <div class="invitation">
      <LinkWithCode url={roomUrl(room)} />
      {isLocalHost(location.hostname) && <p class="caution">{localOnly}</p>}
      <p class="fine-print">{readers}</p>
    </div>
  );
}

function isLocalHost(host: string): boolean {
  return /^(?:localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);
}

const copiedMs = 2_000;

/** A link with a button to copy it, and its QR code. */
export function LinkWithCode({ url }: { url: string }) {
  const isCopied = useSignal(false);
  const { copy: copyLabel, copied } = t.value.invite;
  const copy = async () => {
    isCopied.value = await copyText(url);
    setTimeout(() => {
      isCopied.value = false;
    }, copiedMs);
  };
  return (
    <>
      <p class="link">
        <bdi dir="ltr">{decodeURI(url)}</bdi>
      </p>
      <button class="primary" type="button" onClick={() => void copy()}>
        {isCopied.value ? <CheckIcon /> : <CopyIcon />}
        {isCopied.value ? copied : copyLabel}
      </button>
      <QrCode text={url} />
    </>
  );
}

/** Dark on light in both themes, because not every reader knows the inverse. */
function QrCode({ text }: { text: string }) {
  const drawn = useSignal<{ readonly path: string; readonly size: number } | undefined>(undefined);
  const draw = async () => {
    const { qrCode, qrPath } = await import('../text/qr.js');
    const code = qrCode(text);
    drawn.value = code && { path: qrPath(code), size: code.length };
  };
  useEffect(() => void draw().catch(() => {}), [text]); // offline: there is still the link
  if (!drawn.value) return null;
  const { path, size } = drawn.value;
  return (
    <svg
      class="qr"
      role="img"
      aria-label={t.value.invite.qr}
      viewBox={`-4 -4 ${size + 8} ${size + 8}`}
      shape-rendering="crispEdges"
    >
      <path d={path} />
    </svg>
  );
}

/** Over plain http only execCommand works. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const previousFocus = document.activeElement;
  const textarea = document.createElement('textarea');
  textarea.value = text;
  textarea.className = 'unseen';
  document.body.append(textarea);
  textarea.select();
  const isCopied = document.execCommand('copy');
  textarea.remove();
  if (previousFocus instanceof HTMLElement) previousFocus.focus({ preventScroll: true });
  return isCopied;
}
