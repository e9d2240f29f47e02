/** The page's layout. */
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

export function AppView({ app }: { app: App }) {
  const drawer = useSignal<'rooms' | 'people' | undefined>(undefined);
  const wantsPeople = useSignal(true);
  useEffect(() => listenToKeys(app), [app]);
  const session = app.session.value;
  const { room, connection } = session;
  const isDisconnected = connection.state.value.state !== 'live';
  const { skip, rooms } = t.value.header;
  const closeDrawer = () => {
    drawer.value = undefined;
  };
  const { value: open } = drawer;
  const isRedundant = open === 'rooms' ? roomsBeside.value : open === 'people' && peopleBeside.value;
  useLayoutEffect(() => {
    if (isRedundant) closeDrawer(); // else it would open again when the window narrows
  }, [isRedundant]);
  const people = (
    <People
      people={room.people.value}
      me={app.me.value?.id}
      isDisconnected={isDisconnected && connection.wasLive}
    />
  );
  const showPeople = peopleBeside.value && wantsPeople.value;
  return (
    <div class={`page${showPeople ? '' : ' no-people'}${isDisconnected ? ' disconnected' : ''}`}>
      <button class="skip" type="button" onClick={skipToLog}>
        {skip}
      </button>
      {roomsBeside.value && <RoomList app={app} />}
      <Header
        app={app}
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
        <Status app={app} />
        <Timeline session={session} />
        <Notice session={session} />
        <Composer session={session} app={app} />
      </main>
      {showPeople && people}
      {!roomsBeside.value && drawer.value === 'rooms' && (
        <Drawer kind="drawer" label={rooms} close={closeDrawer}>
          <RoomList app={app} onChoose={closeDrawer} />
        </Drawer>
      )}
      {!peopleBeside.value && drawer.value === 'people' && (
        <Drawer kind="drawer right" label={t.value.people.title} close={closeDrawer}>
          {people}
        </Drawer>
      )}
      <Panels app={app} />
      <LiveRegion key={session.name} room={room} />
    </div>
  );
}

/** A button, because a link would change the address, which may name a message. */
function skipToLog(): void {
  document.querySelector<HTMLElement>('.log')?.focus();
}

/** An error that belongs to no message. */
function Notice({ session }: { session: App['session']['value'] }) {
  const problem = session.room.notice.value;
  if (!problem) return null;
  return (
    <p class="notice" role="alert">
      {t.value.problems[problem.code]}
    </p>
  );
}

/** Announces new messages of others to screen readers. */

/** The rest can be read in the timeline. */
const maxSpokenChars = 300;

export function LiveRegion({ room }: { room: RoomStore }) {
  const announcer = useMemo(() => new LiveAnnouncer(browserClock), []);
  useSignalEffect(() => {
    const { events, seen, last } = room.timeline.value;
    const messages = events.filter((event): event is ChatEvent => event.type === 'chat');
    if (seen === undefined) announcer.reset();
    else announcer.update(last, messages, room.me.peek()?.id);
  });
  const announcement = announcer.announcement.value;
  const { message: messageText, count: countText } = t.value.announcer;
  return (
    <div class="visually-hidden" aria-live="polite">
      {announcement && (
        <div key={announcement.sequence}>
          {announcement.messages.map((message) => (
            <p key={message.id}>{messageText(message.user.name, message.data.slice(0, maxSpokenChars))}</p>
          ))}
          {announcement.messages.length === 0 && <p>{countText(announcement.count)}</p>}
        </div>
      )}
    </div>
  );
}
