/** The page: the rooms, the room in view, who is here; and what lies over it. */
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect } from 'preact/hooks';
import type { Desk } from '../desk.js';
import { words } from '../words.js';
import { Composer } from './composer.js';
import { Drawer } from './dialog.js';
import { Header } from './header.js';
import { peopleBeside, roomsBeside } from './media.js';
import { News } from './news.js';
import { Panels } from './panels.js';
import { People } from './people.js';
import { Rooms } from './rooms.js';
import { listenToKeys } from './shortcuts.js';
import { Status } from './status.js';
import { Transcript } from './transcript.js';

export function App({ desk }: { desk: Desk }) {
  const drawer = useSignal<'rooms' | 'people' | undefined>(undefined);
  const wantsPeople = useSignal(true);
  useEffect(() => listenToKeys(desk), [desk]);
  const place = desk.here.value;
  const { room, connection } = place;
  const away = connection.link.value.state !== 'live';
  const { skip, rooms } = words.value.header;
  const shut = () => {
    drawer.value = undefined;
  };
  const { value: open } = drawer;
  const needless = open === 'rooms' ? roomsBeside.value : open === 'people' && peopleBeside.value;
  useLayoutEffect(() => {
    if (needless) shut(); // else it would lie open again when the page is narrow again
  }, [needless]);
  const people = <People people={room.people.value} me={desk.me.value?.id} away={away && connection.met} />;
  const beside = peopleBeside.value && wantsPeople.value;
  return (
    <div class={`page${beside ? '' : ' alone'}${away ? ' away' : ''}`}>
      <button class="skip" type="button" onClick={skipToLog}>
        {skip}
      </button>
      {roomsBeside.value && <Rooms desk={desk} />}
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
        <Transcript place={place} />
        <Notice place={place} />
        <Composer place={place} desk={desk} />
      </main>
      {beside && people}
      {!roomsBeside.value && drawer.value === 'rooms' && (
        <Drawer kind="drawer" label={rooms} close={shut}>
          <Rooms desk={desk} chosen={shut} />
        </Drawer>
      )}
      {!peopleBeside.value && drawer.value === 'people' && (
        <Drawer kind="drawer right" label={words.value.people.title} close={shut}>
          {people}
        </Drawer>
      )}
      <Panels desk={desk} />
      <News key={place.name} room={room} />
    </div>
  );
}

/** A button and not a link: the address may name a message, and stays. */
function skipToLog(): void {
  document.querySelector<HTMLElement>('.log')?.focus();
}

/** A refusal that belongs to no message. */
function Notice({ place }: { place: Desk['here']['value'] }) {
  const problem = place.room.notice.value;
  if (!problem) return null;
  return (
    <p class="notice" role="alert">
      {words.value.problems[problem.code]}
    </p>
  );
}
