/** Says new messages of others to screen readers, politely and once (state/herald.ts says which). */
import { useSignalEffect } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { ChatEvent } from '../../shared/protocol.js';
import { browserClock } from '../state/clock.js';
import { Herald } from '../state/herald.js';
import type { Room } from '../state/room.js';
import { words } from '../words.js';

/** Longer ones are read in the log. */
const LONGEST = 300;

export function News({ room }: { room: Room }) {
  const herald = useMemo(() => new Herald(browserClock), []);
  useSignalEffect(() => {
    const { events, seen, last } = room.transcript.value;
    const chats = events.filter((event): event is ChatEvent => event.type === 'chat');
    if (seen === undefined) herald.reset();
    else herald.sees(last, chats, room.me.peek()?.id);
  });
  const news = herald.news.value;
  const { said, several } = words.value.news;
  return (
    <div class="unseen" aria-live="polite">
      {news && (
        <div key={news.turn}>
          {news.messages.map((message) => (
            <p key={message.id}>{said(message.user.name, message.data.slice(0, LONGEST))}</p>
          ))}
          {news.messages.length === 0 && <p>{several(news.count)}</p>}
        </div>
      )}
    </div>
  );
}
