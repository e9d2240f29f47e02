/** The top line: the room and its connection, what there is to open, and the menu under the picture of oneself. */
import type { Desk } from '../desk.js';
import { words } from '../words.js';
import { AtIcon, PeopleIcon, Porthole, SearchIcon } from './icons.js';
import { roomsBeside } from './media.js';
import { Menu } from './menu.js';

interface HeaderProps {
  readonly desk: Desk;
  /** the people can be seen */
  readonly open: boolean;
  readonly showRooms: () => void;
  readonly togglePeople: () => void;
}

export function Header({ desk, open, showRooms, togglePeople }: HeaderProps) {
  const { name, room, connection } = desk.here.value;
  const { count } = room.people.value;
  const link = connection.link.value.state;
  const { header, status, people } = words.value;
  const show = (panel: 'search' | 'mentions') => () => {
    desk.dialog.value = panel;
  };
  const live = link === 'live';
  const state = live ? status.live : status.lost;
  const here = live ? header.people(count) : people.title;
  return (
    <header class="top">
      {!roomsBeside.value && <Helm desk={desk} show={showRooms} />}
      <h1>
        <bdi>{name}</bdi>
      </h1>
      <span class={`dot ${link}`} title={state} />
      <span class="rest" />
      <button
        class="quiet"
        type="button"
        aria-label={header.search}
        title={header.search}
        aria-keyshortcuts="/ Control+Shift+F Meta+Shift+F"
        onClick={show('search')}
      >
        <SearchIcon />
      </button>
      <button
        class="quiet wide"
        type="button"
        aria-label={header.mentions}
        title={header.mentions}
        onClick={show('mentions')}
      >
        <AtIcon />
      </button>
      <button
        class="quiet"
        type="button"
        aria-pressed={open}
        aria-label={here}
        title={here}
        onClick={togglePeople}
      >
        <PeopleIcon />
        <span class="count" aria-hidden="true">
          {count}
        </span>
      </button>
      <Menu desk={desk} />
    </header>
  );
}

/** Opens the rooms where they have no place of their own, and says what is unread in them. */
function Helm({ desk, show }: { desk: Desk; show: () => void }) {
  const { rooms, roomsUnread } = words.value.header;
  const here = desk.here.value.name;
  const fresh = desk.rooms.list.value.filter(({ joined, room }) => joined && room !== here);
  const unread = fresh.reduce((sum, entry) => sum + entry.unread, 0);
  const strong = fresh.some(({ mentioned }) => mentioned);
  return (
    <button
      class="quiet helm"
      type="button"
      aria-label={unread > 0 ? roomsUnread(unread) : rooms}
      title={rooms}
      onClick={show}
    >
      <Porthole />
      {unread > 0 && (
        <span
          class={strong ? 'badge strong' : 'badge'}
          data-count={unread > 99 ? words.value.rooms.many : unread}
        />
      )}
    </button>
  );
}
