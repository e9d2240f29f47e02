/** Says new messages of others to screen readers, politely: the last one only, so that a busy room can be borne. */
import { useComputed } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Room } from '../state/room.js';

export function News({ room }: { room: Room }) {
  const first = useRef<number>(undefined);
  const news = useComputed(() => {
    const { events, last, seen } = room.transcript.value;
    const latest = events.at(-1);
    if (seen === undefined || latest?.type !== 'chat') return '';
    first.current ??= last; // what was there when we came is no news
    if (latest.id <= first.current || latest.user.id === room.me.value?.id) return '';
    return `${latest.user.name}: ${latest.data}`;
  });
  return (
    <div class="unseen" aria-live="polite">
      <bdi>{news}</bdi>
    </div>
  );
}
