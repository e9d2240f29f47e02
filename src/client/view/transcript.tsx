/** The room's messages: those in the log, then those on their way; and what is below when one reads further up. */
import { useComputed, useSignal } from '@preact/signals';
import type { Place } from '../place.js';
import { type Row, rows } from '../state/rows.js';
import { hasOlder, isAttached } from '../state/transcript.js';
import { DownIcon } from './icons.js';
import { Log } from './log.js';
import { Message, Pending } from './message.js';
import { Day } from './when.js';

export function Transcript({ place }: { place: Place }) {
  const { room } = place;
  const events = useComputed(() => room.transcript.value.events);
  const drawn = useComputed(() => rows(events.value));
  const letters = place.letters.value;
  const t = room.transcript.value;
  const left = useSignal(0);
  const atEnd = isAttached(t);
  const pin = (pinned: boolean) => {
    if (t.pinned && !pinned) left.value = t.last;
    room.pin(pinned && atEnd);
  };
  return (
    <div class="transcript">
      <Log
        version={events.value}
        pinned={t.pinned}
        onPin={pin}
        onTop={() => void room.loadOlder()}
        onBottom={() => void room.loadNewer()}
      >
        <Beginning older={hasOlder(t)} empty={t.seen === 0 && letters.length === 0} name={place.name} />
        <Rows rows={drawn.value} me={room.me.value?.id} />
        {atEnd &&
          letters.map((letter) => (
            <Pending
              key={letter.cid}
              letter={letter}
              again={(cid) => place.again(cid)}
              drop={(cid) => place.drop(cid)}
            />
          ))}
      </Log>
      {!t.pinned && <Below count={t.last - left.value} go={() => void room.toLatest()} />}
    </div>
  );
}

function Rows({ rows, me }: { rows: readonly Row[]; me: string | undefined }) {
  return (
    <>
      {rows.map((row) =>
        row.kind === 'day' ? (
          <li class="day" key={row.key}>
            <Day at={row.at} />
          </li>
        ) : (
          <Message key={row.key} event={row.event} leads={row.leads} mine={row.event.user.id === me} />
        ),
      )}
    </>
  );
}

function Beginning({ older, empty, name }: { older: boolean; empty: boolean; name: string }) {
  if (older) return <li class="beginning">Loading older messages…</li>;
  if (!empty) return null;
  return (
    <li class="beginning empty">
      <strong>
        Nothing has been said in <bdi>{name}</bdi> yet.
      </strong>
      <span>The first message gets number 1.</span>
    </li>
  );
}

function Below({ count, go }: { count: number; go: () => void }) {
  return (
    <button class="below" type="button" onClick={go}>
      <DownIcon />
      {count > 0 ? `${count} new below` : 'To the latest'}
    </button>
  );
}
