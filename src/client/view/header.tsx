/** The header: room, connection state, dialogs and menu. */
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import type { App, DialogName } from '../app.js';
import { t } from '../i18n.js';
import {
  AtIcon,
  Avatar,
  DropDownIcon,
  IconButton,
  KeysIcon,
  LeaveIcon,
  MoreIcon,
  PeopleIcon,
  RoomsIcon,
  SearchIcon,
  SettingsIcon,
} from './icons.js';
import { roomsBeside, touchOnly } from './layout.js';
import { RoomMenu, shortCount } from './room-list.js';

interface HeaderProps {
  readonly app: App;
  /** the people are shown */
  readonly open: boolean;
  readonly showRooms: () => void;
  readonly togglePeople: () => void;
}

export function Header({ app, open, showRooms, togglePeople }: HeaderProps) {
  const { name, room, connection } = app.session.value;
  const { count } = room.people.value;
  const state = connection.state.value.state;
  const { header, status, people } = t.value;
  const show = (panel: 'search' | 'mentions') => () => {
    app.showDialog(panel);
  };
  const isLive = state === 'live';
  const title = isLive ? status.connected : status.disconnected;
  const peopleLabel = isLive && count !== undefined ? header.people(count) : people.title;
  return (
    <header class="top">
      {!roomsBeside.value && <RoomsButton app={app} show={showRooms} />}
      <RoomTitle app={app} name={name} />
      <span class={`dot ${state}`} title={title} />
      <span class="spacer" />
      <IconButton
        class="quiet"
        label={header.search}
        aria-keyshortcuts="/ Control+Shift+F Meta+Shift+F"
        onClick={show('search')}
      >
        <SearchIcon />
      </IconButton>
      <MentionsButton count={app.mentionCount.value} onClick={show('mentions')} />
      <IconButton class="quiet" label={peopleLabel} aria-pressed={open} onClick={togglePeople}>
        <PeopleIcon />
        <span class="count" aria-hidden="true">
          {isLive && count}
        </span>
      </IconButton>
      <Menu app={app} />
    </header>
  );
}

/** The name of the room, which opens its menu. */
function RoomTitle({ app, name }: { app: App; name: string }) {
  const opener = useRef<HTMLButtonElement>(null);
  return (
    <>
      <h1>
        <button type="button" ref={opener} popovertarget="title-menu" aria-haspopup="menu">
          <bdi>{name}</bdi>
          <DropDownIcon />
        </button>
      </h1>
      <RoomMenu app={app} id="title-menu" room={name} opener={() => opener.current} />
    </>
  );
}

function MentionsButton({ count, onClick }: { count: number; onClick: () => void }) {
  const { mentions, mentionsUnread } = t.value.header;
  return (
    <IconButton
      class="quiet wide"
      label={count > 0 ? mentionsUnread(count) : mentions}
      aria-haspopup="dialog"
      onClick={onClick}
    >
      <AtIcon />
      {count > 0 && <span class="badge mention-badge" data-count={shortCount(count)} />}
    </IconButton>
  );
}

/** Opens the room list in narrow windows and shows the number of unread messages. */
function RoomsButton({ app, show }: { app: App; show: () => void }) {
  const { rooms, roomsUnread } = t.value.header;
  const unread = app.unreadCount.value;
  return (
    <button
      class="quiet rooms-button"
      type="button"
      aria-label={unread > 0 ? roomsUnread(unread) : rooms}
      title={rooms}
      onClick={show}
    >
      <RoomsIcon />
      {unread > 0 && (
        <span
          class={app.mentionCount.value > 0 ? 'badge mention-badge' : 'badge'}
          data-count={shortCount(unread)}
        />
      )}
    </button>
  );
}

/** The user menu, a native popover. */
function Menu({ app }: { app: App }) {
  const popover = useRef<HTMLDivElement>(null);
  const me = app.me.value;
  const { header, keys, settings } = t.value;
  const openDialog = (panel: DialogName) => () => {
    popover.current?.hidePopover(); // returns the focus to the button, where the dialog will return it to
    app.showDialog(panel);
  };
  return (
    <>
      <IconButton class="quiet" label={header.menu} popovertarget="menu">
        {me ? <Avatar user={me} /> : <MoreIcon />}
      </IconButton>
      <div class="menu" id="menu" popover="auto" ref={popover}>
        {me && <p class="signed-in">{header.signedIn(me.name)}</p>}
        <MenuItem act={openDialog('mentions')} icon={<AtIcon />} text={header.mentions} />
        <MenuItem act={openDialog('settings')} icon={<SettingsIcon />} text={settings.title} />
        {!touchOnly.value && (
          <MenuItem act={openDialog('keys')} icon={<KeysIcon />} text={keys.title} hint="?" />
        )}
        <MenuItem act={openDialog('signOut')} icon={<LeaveIcon />} text={header.signOut} />
      </div>
    </>
  );
}

interface MenuItemProps {
  readonly act: () => void;
  readonly icon: ComponentChildren;
  readonly text: string;
  readonly hint?: string;
}

function MenuItem({ act, icon, text, hint }: MenuItemProps) {
  return (
    <button class="quiet" type="button" onClick={act}>
      {icon}
      {text}
      {hint && (
        <span class="key" aria-hidden="true">
          {hint}
        </span>
      )}
    </button>
  );
}
