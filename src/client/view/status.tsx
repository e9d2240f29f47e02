/** What the page shows while it connects or loads: the connection state in words, the update notice, skeletons. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ConnectionState } from '../../connect/connection.js';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import { isSessionOver, signInUrl } from '../lifecycle.js';
import { isSendable } from '../outbox/outbox.js';
import type { RoomSession } from '../room/session.js';

export function Status({ app }: { app: App }) {
  const { connection, pending } = app.session.value;
  const state = connection.state.value;
  const isLasting = useOutlasting(state.state !== 'live');
  const waiting = pending.value.filter(isSendable).length;
  const retry = () => connection.connect();
  return (
    <div class={`status ${state.state}`}>
      <div role="status">
        {state.state === 'live' && <span class="visually-hidden">{t.value.status.connected}</span>}
        {state.state !== 'live' && (isLasting || state.state === 'ended') && (
          <ConnectionTrouble state={state} wasLive={connection.wasLive} waiting={waiting} retry={retry} />
        )}
      </div>
      <UpdateNotice app={app} />
    </div>
  );
}

/** Shorter outages are not shown. */
const briefOutageMs = 1_000;

/** True once the condition has held that long. */
function useOutlasting(condition: boolean): boolean {
  const isLasting = useSignal(false);
  useEffect(() => {
    isLasting.value = false;
    if (!condition) return undefined;
    const timer = setTimeout(() => {
      isLasting.value = true;
    }, briefOutageMs);
    return () => clearTimeout(timer);
  }, [condition, isLasting]);
  return condition && isLasting.value;
}

interface ConnectionTroubleProps {
  readonly state: Exclude<ConnectionState, { state: 'live' }>;
  readonly wasLive: boolean;
  readonly waiting: number;
  readonly retry: () => void;
}

function ConnectionTrouble({ state, wasLive, waiting, retry }: ConnectionTroubleProps) {
  const online = useOnline();
  const { connecting, reconnecting, disconnected, offline, pending, retryNow } = t.value.status;
  if (state.state === 'ended') return <ConnectionEnded {...state} retry={retry} />;
  const isConnecting = online.value && state.state === 'connecting';
  const text = !online.value ? offline : !isConnecting ? disconnected : wasLive ? reconnecting : connecting;
  // Two sentences that wrap as wholes.
  return (
    <p class={isConnecting ? 'info' : undefined}>
      <span>{text}</span>
      {waiting > 0 && <span> {pending(waiting)}</span>}
      {online.value && state.state === 'waiting' && (
        <>
          {' '}
          <Countdown until={state.until} />
          <button type="button" onClick={retry} children={retryNow} />
        </>
      )}
    </p>
  );
}

interface EndedConnection {
  readonly code: number;
  readonly reason: string;
  readonly retry: () => void;
}

function ConnectionEnded({ code, reason, retry }: EndedConnection) {
  const { signedOut, signIn, closed, reconnect } = t.value.status;
  const reasons: Readonly<Record<number, string>> = t.value.closeReasons;
  return isSessionOver(code) ? (
    <p>
      {signedOut} <a href={signInUrl()}>{signIn}</a>
    </p>
  ) : (
    <p>
      {reasons[code] ?? closed(code, reason)} <button type="button" onClick={retry} children={reconnect} />
    </p>
  );
}

/** Hidden from screen readers, which would announce each second. */
function Countdown({ until }: { until: number }) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      now.value = Date.now();
    }, 500);
    return () => clearInterval(timer);
  }, [now]);
  const seconds = Math.ceil((until - now.value) / 1000);
  return <span aria-hidden="true">{seconds > 1 ? t.value.status.retryIn(seconds) : ''}</span>;
}

/** Dismissible, so that no deployment interrupts writing. */
function UpdateNotice({ app }: { app: App }) {
  const isDismissed = useSignal(false);
  const { newVersion, reload, later } = t.value.status;
  const dismiss = () => {
    isDismissed.value = true;
  };
  return (
    <div role="status">
      {app.updateAvailable.value && !isDismissed.value && (
        <p class="update">
          {newVersion}
          <button type="button" onClick={() => location.reload()} children={reload} />
          <button type="button" onClick={dismiss} children={later} />
        </p>
      )}
    </div>
  );
}

/** `navigator.onLine` is reliable only when false. */
function useOnline(): Signal<boolean> {
  const online = useSignal(navigator.onLine);
  useEffect(() => {
    const update = () => {
      online.value = navigator.onLine;
    };
    addEventListener('online', update);
    addEventListener('offline', update);
    update(); // it may have changed since the rendering
    return () => {
      removeEventListener('online', update);
      removeEventListener('offline', update);
    };
  }, [online]);
  return online;
}

/**
 * Shows that something loads where it will stand, once that takes longer than a moment (skeleton.css). The same elements as
 * in index.html.
 */
export function Skeleton({ count }: { count: number }) {
  return (
    <>
      {Array.from({ length: count }, (_, n) => (
        <li class="skeleton" aria-hidden="true" key={n}>
          <b />
          <i />
          <i />
        </li>
      ))}
    </>
  );
}

const shownRows = 6;

/** Stands for messages that are not on this device yet. Without a connection it says so. */
export function LoadingMessages({ session }: { session: RoomSession }) {
  const { state } = session.connection.state.value;
  const isOnline = useOnline().value;
  const hasFailed = useSignal(false);
  useEffect(() => {
    if (state === 'waiting' || state === 'ended') hasFailed.value = true;
    if (state === 'live') hasFailed.value = false;
  }, [state]);
  const { notOnDevice } = t.value.message;
  if (hasFailed.value || !isOnline)
    return (
      <li class="beginning empty">
        <span>{notOnDevice}</span>
      </li>
    );
  return (
    <>
      <li class="visually-hidden">{t.value.dialog.loading}</li>
      <Skeleton count={shownRows} />
    </>
  );
}
