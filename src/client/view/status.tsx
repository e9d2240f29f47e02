/** The state of the connection in words: quiet while all is well, with something to do when not; and what else one should know. */
import { type Signal, useComputed, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import { signInUrl } from '../lifecycle.js';
import { isSendable } from '../outbox/outbox.js';
import type { ConnectionState } from '../room/socket.js';

export function Status({ desk }: { desk: App }) {
  const { connection, pending: letters } = desk.session.value;
  const link = connection.state.value;
  const lasting = useOutlasting(link.state !== 'live');
  const waiting = letters.value.filter(isSendable).length;
  const retry = () => connection.connect();
  return (
    <div class={`status ${link.state}`}>
      <div role="status">
        {link.state === 'live' && <span class="unseen">{t.value.status.connected}</span>}
        {link.state !== 'live' && (lasting || link.state === 'ended') && (
          <ConnectionTrouble state={link} wasLive={connection.wasLive} waiting={waiting} retry={retry} />
        )}
      </div>
      <UpdateNotice desk={desk} />
    </div>
  );
}

/** A line that is there at once, at the opening or again, is no trouble: nothing moves and nothing is said. */
const briefOutageMs = 1_000;

/** Whether it has been so for longer than that. */
function useOutlasting(so: boolean): boolean {
  const lasting = useSignal(false);
  useEffect(() => {
    lasting.value = false;
    if (!so) return undefined;
    const timer = setTimeout(() => {
      lasting.value = true;
    }, briefOutageMs);
    return () => clearTimeout(timer);
  }, [so, lasting]);
  return so && lasting.value;
}

interface ConnectionTroubleProps {
  readonly state: Exclude<ConnectionState, { state: 'live' }>;
  /** was connected before */
  readonly wasLive: boolean;
  readonly waiting: number;
  readonly retry: () => void;
}

function ConnectionTrouble({ state: link, wasLive: again, waiting, retry }: ConnectionTroubleProps) {
  const online = useOnline();
  const { connecting, reconnecting, disconnected, offline, pending, retryNow } = t.value.status;
  const mine = waiting > 0 && <span> {pending(waiting)}</span>;
  if (link.state === 'ended') return <ConnectionEnded link={link} retry={retry} />;
  if (!online.value) return <StatusText text={offline} more={mine} />;
  if (link.state === 'connecting')
    return <StatusText text={again ? reconnecting : connecting} more={mine} soft />;
  return (
    <p>
      <span>{disconnected}</span>
      {mine} <Countdown until={link.until} />
      <button type="button" onClick={retry}>
        {retryNow}
      </button>
    </p>
  );
}

interface StatusTextProps {
  readonly text: string;
  readonly more: ComponentChildren;
  /** nothing to worry about yet */
  readonly soft?: boolean;
}

/** Two sentences, each a part of its own where there is no room for both in a line. */
function StatusText({ text, more, soft }: StatusTextProps) {
  return (
    <p class={soft ? 'soft' : undefined}>
      <span>{text}</span>
      {more}
    </p>
  );
}

function ConnectionEnded({
  link,
  retry,
}: {
  link: Extract<ConnectionState, { state: 'ended' }>;
  retry: () => void;
}) {
  const { signedOut, signIn, closed, reconnect } = t.value.status;
  if (link.code === 4001 || link.code === 4002)
    return (
      <p>
        {signedOut} <a href={signInUrl()}>{signIn}</a>
      </p>
    );
  const why: Readonly<Record<number, string>> = t.value.closeReasons;
  return (
    <p>
      {why[link.code] ?? closed(link.code, link.reason)}{' '}
      <button type="button" onClick={retry}>
        {reconnect}
      </button>
    </p>
  );
}

/** Not announced each second: only the words around it are. */
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

/** A hint, which can be put off: nobody's writing is cut short by a deploy. */
function UpdateNotice({ desk }: { desk: App }) {
  const later = useSignal(false);
  const shown = useComputed(() => desk.updateAvailable.value && !later.value);
  const { newVersion, reload, later: putOff } = t.value.status;
  return (
    <div role="status">
      {shown.value && (
        <p class="newer">
          {newVersion}
          <button type="button" onClick={() => location.reload()}>
            {reload}
          </button>
          <button
            type="button"
            onClick={() => {
              later.value = true;
            }}
          >
            {putOff}
          </button>
        </p>
      )}
    </div>
  );
}

/** What the browser believes of its network; it is only sure when it says no. */
function useOnline(): Signal<boolean> {
  const online = useSignal(navigator.onLine);
  useEffect(() => {
    const look = () => {
      online.value = navigator.onLine;
    };
    addEventListener('online', look);
    addEventListener('offline', look);
    return () => {
      removeEventListener('online', look);
      removeEventListener('offline', look);
    };
  }, [online]);
  return online;
}
