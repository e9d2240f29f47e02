/** Shows that something loads where it will stand, once that takes longer than a moment (skeleton.css). */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { t } from '../i18n.js';
import type { RoomSession } from '../room/session.js';
import { useOnline } from './status.js';

/** The same elements as in index.html. */
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
