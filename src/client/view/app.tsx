/** The page: the rooms, the room in view, who is here; and what lies over it. */
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo } from 'preact/hooks';
import type { ChatEvent } from '../../shared/protocol.js';
import type { App } from '../app.js';
import { browserClock } from '../clock.js';
import { t } from '../i18n.js';
import type { RoomStore } from '../room/store.js';
import { LiveAnnouncer } from '../rooms/announcer.js';
import { Composer } from './composer.js';
import { Drawer, Panels } from './dialog.js';
import { Header } from './header.js';
import { listenToKeys } from './keyboard.js';
import { peopleBeside, roomsBeside } from './layout.js';
import { People } from './people.js';
import { RoomList } from './room-list.js';
import { Status } from './status.js';
import { Timeline } from './timeline.js';

export function AppView({ desk }: { desk: App }) {
  const drawer = useSignal<'rooms' | 'people' | undefined>(undefined);
  const wantsPeople = useSignal(true);
  useEffect(() => listenToKeys(desk), [desk]);
  const place = desk.session.value;
  const { room, connection } = place;
  const away = connection.state.value.state !== 'live';
  const { skip, rooms } = t.value.header;
  const shut = () => {
    drawer.value = undefined;
  };
  const { value: open } = drawer;
  const needless = open === 'rooms' ? roomsBeside.value : open === 'people' && peopleBeside.value;
  useLayoutEffect(() => {
    if (needless) shut(); // else it would lie open again when the page is narrow again
  }, [needless]);
  const people = (
    <People people={room.people.value} me={desk.me.value?.id} away={away && connection.wasLive} />
  );
  const beside = peopleBeside.value && wantsPeople.value;
  return (
    <div class={`page${beside ? '' : ' alone'}${away ? ' away' : ''}`}>
      <button class="skip" type="button" onClick={skipToLog}>
        {skip}
      </button>
      {roomsBeside.value && <RoomList desk={desk} />}
      <Header
        desk={desk}
        open={peopleBeside.value ? wantsPeople.value : drawer.value === 'people'}
        showRooms={() => {
          drawer.value = 'rooms';
        }}
        togglePeople={() => {
          if (peopleBeside.value) wantsPeople.value = !wantsPeople.value;
          else drawer.value = 'people';
        }}
      />
      <main>
        <Status desk={desk} />
        <Timeline place={place} />
        <Notice place={place} />
        <Composer place={place} desk={desk} />
      </main>
      {beside && people}
      {!roomsBeside.value && drawer.value === 'rooms' && (
        <Drawer kind="drawer" label={rooms} close={shut}>
          <RoomList desk={desk} chosen={shut} />
        </Drawer>
      )}
      {!peopleBeside.value && drawer.value === 'people' && (
        <Drawer kind="drawer right" label={t.value.people.title} close={shut}>
          {people}
        </Drawer>
      )}
      <Panels desk={desk} />
      <LiveRegion key={place.name} room={room} />
    </div>
  );
}

/** A button and not a link: the address may name a message, and stays. */
function skipToLog(): void {
  document.querySelector<HTMLElement>('.log')?.focus();
}

/** A refusal that belongs to no message. */
function Notice({ place }: { place: App['session']['value'] }) {
  const problem = place.room.notice.value;
  if (!problem) return null;
  return (
    <p class="notice" role="alert">
      {t.value.problems[problem.code]}
    </p>
  );
}

/** Says new messages of others to screen readers, politely and once (state/herald.ts says which). */

/** Longer ones are read in the log. */
const maxSpokenChars = 300;

export function LiveRegion({ room }: { room: RoomStore }) {
  const herald = useMemo(() => new LiveAnnouncer(browserClock), []);
  useSignalEffect(() => {
    const { events, seen, last } = room.transcript.value;
    const chats = events.filter((event): event is ChatEvent => event.type === 'chat');
    if (seen === undefined) herald.reset();
    else herald.update(last, chats, room.me.peek()?.id);
  });
  const news = herald.announcement.value;
  const { message: spoken, count: counted } = t.value.announcer;
  return (
    <div class="unseen" aria-live="polite">
      {news && (
        <div key={news.sequence}>
          {news.messages.map((message) => (
            <p key={message.id}>{spoken(message.user.name, message.data.slice(0, maxSpokenChars))}</p>
          ))}
          {news.messages.length === 0 && <p>{counted(news.count)}</p>}
        </div>
      )}
    </div>
  );
}
