/** The top line: the room and its connection, what there is to open, and the menu under the picture of oneself. */
import type { App } from '../app.js';
import { t } from '../i18n.js';
import { AtIcon, Logo, PeopleIcon, SearchIcon } from './icons.js';
import { roomsBeside } from './layout.js';
import { Menu } from './menu.js';

interface HeaderProps {
  readonly desk: App;
  /** the people can be seen */
  readonly open: boolean;
  readonly showRooms: () => void;
  readonly togglePeople: () => void;
}

export function Header({ desk, open, showRooms, togglePeople }: HeaderProps) {
  const { name, room, connection } = desk.session.value;
  const { count } = room.people.value;
  const link = connection.state.value.state;
  const { header, status, people } = t.value;
  const show = (panel: 'search' | 'mentions') => () => {
    desk.dialog.value = panel;
  };
  const live = link === 'live';
  const state = live ? status.connected : status.disconnected;
  const here = live ? header.people(count) : people.title;
  return (
    <header class="top">
      {!roomsBeside.value && <RoomsButton desk={desk} show={showRooms} />}
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
function RoomsButton({ desk, show }: { desk: App; show: () => void }) {
  const { rooms, roomsUnread } = t.value.header;
  const here = desk.session.value.name;
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
      <Logo />
      {unread > 0 && (
        <span
          class={strong ? 'badge strong' : 'badge'}
          data-count={unread > 99 ? t.value.rooms.many : unread}
        />
      )}
    </button>
  );
}
