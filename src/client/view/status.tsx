/** The state of the connection in words: quiet while all is well, with something to do when not. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { signInUrl } from '../gate.js';
import type { Link } from '../state/connection.js';

interface StatusProps {
  readonly link: Link;
  /** was connected before */
  readonly again: boolean;
  readonly waiting: number;
  readonly retry: () => void;
}

export function Status({ link, again, waiting, retry }: StatusProps) {
  return (
    <div class={`status ${link.state}`} role="status">
      {link.state === 'live' ? (
        <span class="unseen">Connected</span>
      ) : (
        <Trouble link={link} again={again} waiting={waiting} retry={retry} />
      )}
    </div>
  );
}

function Trouble({ link, again, waiting, retry }: StatusProps) {
  const kept =
    waiting > 0 ? ` ${waiting === 1 ? 'Your message waits' : `${waiting} messages wait`} here.` : '';
  if (link.state === 'connecting') return <p>{`${again ? 'Connecting again…' : 'Connecting…'}${kept}`}</p>;
  if (link.state === 'ended') return <Ended link={link} retry={retry} />;
  return (
    <p>
      Connection lost.{kept} {link.state === 'waiting' && <Countdown until={link.until} />}
      <button type="button" onClick={retry}>
        Try now
      </button>
    </p>
  );
}

function Ended({ link, retry }: { link: Extract<Link, { state: 'ended' }>; retry: () => void }) {
  if (link.code === 4001 || link.code === 4002)
    return (
      <p>
        You are signed out. <a href={signInUrl()}>Sign in</a>
      </p>
    );
  return (
    <p>
      {WHY[link.code] ?? `The server ended the connection (${link.code} ${link.reason}).`}{' '}
      <button type="button" onClick={retry}>
        Connect again
      </button>
    </p>
  );
}

const WHY: Readonly<Record<number, string>> = {
  4000: 'There can be no room of this name.',
  4003: 'You have this chat open too many times. Close another tab or device first.',
  4004: 'A moderator has removed you from this room.',
};

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
  return <span aria-hidden="true">{seconds > 1 ? `Next try in ${seconds} s. ` : ''}</span>;
}
