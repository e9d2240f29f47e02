/** The list of rooms, and the menu of a room. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import type { RoomSummary } from '../../shared/protocol.js';
import { addressPath } from '../address.js';
import type { App, DialogName } from '../app.js';
import { t } from '../i18n.js';
import { renderNow } from '../render/scheduler.js';
import { newEntry } from '../rooms/list.js';
import { setMember } from '../settings.js';
import { siteName } from '../site.js';
import {
  BellIcon,
  CopyIcon,
  EditIcon,
  IconButton,
  LeaveIcon,
  Logo,
  MoreIcon,
  MutedIcon,
  PlusIcon,
  StarIcon,
} from './icons.js';
import { copyText, roomUrl } from './invitation.js';
import { classNames } from './layout.js';
import { type MenuItem, PopoverMenu } from './menu.js';

interface RoomListProps {
  readonly app: App;
  /** after a choice; closes the drawer */
  readonly onChoose?: (() => void) | undefined;
}

export function RoomList({ app, onChoose }: RoomListProps) {
  const { title, find, newRoom } = t.value.rooms;
  const openDialog = (name: DialogName) => () => {
    onChoose?.();
    app.showDialog(name);
  };
  return (
    <nav class="rooms" aria-label={title}>
      <p class="brand">
        <Logo />
        <span dir="auto">{siteName}</span>
      </p>
      <button class="find" type="button" aria-keyshortcuts="Control+K Meta+K" onClick={openDialog('switch')}>
        <span>{find}</span>
        <span class="key" aria-hidden="true">
          {switcherKeyLabel}
        </span>
      </button>
      <RoomSections app={app} onChoose={onChoose}>
        <button class="new" type="button" onClick={openDialog('create')}>
          <PlusIcon />
          {newRoom}
        </button>
      </RoomSections>
    </nav>
  );
}

const switcherKeyLabel = /Mac|iP(hone|ad)/.test(navigator.platform) ? '⌘K' : 'Ctrl K';

/** The children stand below the rooms that the user is in. */
function RoomSections({ app, onChoose, children }: RoomListProps & { children: ComponentChildren }) {
  const menuRoom = useSignal('');
  const opener = useRef<Element>(null);
  const { starred: starredTitle, mine, others: othersTitle, none } = t.value.rooms;
  const { starred, joined, others } = splitRooms(app);
  const openMenu = (room: string, button: Element) => {
    opener.current = button;
    renderNow(() => {
      menuRoom.value = room; // at once, because the menu opens with this click
    });
  };
  const links = (rooms: readonly RoomSummary[]) => (
    <ul>
      {rooms.map((entry) => (
        <RoomLink key={entry.room} app={app} entry={entry} openMenu={openMenu} onChoose={onChoose} />
      ))}
    </ul>
  );
  return (
    <div class="list">
      {starred.length > 0 && <h2>{starredTitle}</h2>}
      {starred.length > 0 && links(starred)}
      <h2>{mine}</h2>
      {links(joined)}
      {children}
      <h2>{othersTitle}</h2>
      {others.length > 0 ? links(others) : <p class="none">{none}</p>}
      <RoomMenu app={app} id={menuId} room={menuRoom.value} opener={() => opener.current} />
    </div>
  );
}

const menuId = 'room-menu';

/** The current room counts as joined, even while it is empty. */
function splitRooms(app: App) {
  const list = app.rooms.list.value;
  const here = app.session.value.name;
  const { starred } = app.settings;
  const all = list.some(({ room }) => room === here) ? list : [newEntry(here), ...list];
  const isMine = ({ room, joined }: RoomSummary) => joined || room === here;
  const isStarred = ({ room }: RoomSummary) => starred.value.has(room);
  return {
    starred: all.filter(isStarred),
    joined: all.filter((entry) => isMine(entry) && !isStarred(entry)),
    others: all.filter((entry) => !isMine(entry) && !isStarred(entry)),
  };
}

interface RoomLinkProps extends RoomListProps {
  readonly entry: RoomSummary;
  readonly openMenu: (room: string, button: Element) => void;
}

/** The app handles the click without loading a page (address.ts). */
function RoomLink({ app, entry, openMenu, onChoose }: RoomLinkProps) {
  const { room } = entry;
  const isHere = room === app.session.value.name;
  const isMuted = app.settings.roomRules.value.get(room) === 'none';
  const unread = isHere ? 0 : entry.unread;
  return (
    <li class={classNames({ unread: unread > 0 && !isMuted, muted: isMuted })}>
      <a href={addressPath({ room })} aria-current={isHere ? 'page' : undefined} onClick={onChoose}>
        <bdi>{room}</bdi>
        <RoomMarks app={app} entry={entry} isHere={isHere} isMuted={isMuted} />
        {unread > 0 && <UnreadBadge {...entry} />}
      </a>
      <IconButton
        class="tool"
        label={t.value.roomMenu.label(room)}
        popovertarget={menuId}
        aria-haspopup="menu"
        onClick={({ currentTarget }) => openMenu(room, currentTarget)}
      >
        <MoreIcon />
      </IconButton>
    </li>
  );
}

interface RoomMarksProps {
  readonly app: App;
  readonly entry: RoomSummary;
  readonly isHere: boolean;
  readonly isMuted: boolean;
}

function RoomMarks({ app, entry: { room, people }, isHere, isMuted }: RoomMarksProps) {
  const { people: peopleText, muted, draft } = t.value.rooms;
  const hasDraft = !isHere && app.drafts.rooms.value.has(room);
  return (
    <>
      {isMuted && <Mark text={muted} icon={<MutedIcon />} />}
      {hasDraft && <Mark text={draft} icon={<EditIcon />} />}
      {people > 0 && (
        <span class="present" title={peopleText(people)}>
          <span class="visually-hidden">, {peopleText(people)}</span>
        </span>
      )}
    </>
  );
}

function Mark({ text, icon }: { text: string; icon: ComponentChildren }) {
  return (
    <span class="mark" title={text}>
      {icon}
      <span class="visually-hidden">, {text}</span>
    </span>
  );
}

export function UnreadBadge({ unread, mentions }: Pick<RoomSummary, 'unread' | 'mentions'>) {
  const { unread: unreadText, mentioned } = t.value.rooms;
  return (
    <span class={mentions > 0 ? 'badge mention-badge' : 'badge'}>
      <span aria-hidden="true">
        {mentions > 0 ? '@' : ''}
        {shortCount(unread)}
      </span>
      <span class="visually-hidden">
        , {unreadText(unread)}
        {mentions > 0 ? `, ${mentioned}` : ''}
      </span>
    </span>
  );
}

const maxShownCount = 99;

/** For a badge. */
export function shortCount(count: number): string {
  return count > maxShownCount ? t.value.rooms.many : String(count);
}

interface RoomMenuProps {
  readonly app: App;
  readonly id: string;
  readonly room: string;
  readonly opener: () => Element | null;
}

/** What can be done with a room: from the list, and from the title of the room in view. */
export function RoomMenu({ app, id, room, opener }: RoomMenuProps) {
  return (
    <PopoverMenu id={id} label={t.value.roomMenu.label(room)} items={itemsFor(app, room)} opener={opener} />
  );
}

function itemsFor(app: App, room: string): readonly MenuItem[] {
  const { settings } = app;
  const text = t.value.roomMenu;
  const isStarred = settings.starred.value.has(room);
  const isMuted = settings.roomRules.value.get(room) === 'none';
  const joined = app.rooms.list.value.filter((entry) => entry.joined);
  const invite = { text: text.invite, icon: <PlusIcon />, act: () => app.showDialog('invite') };
  const leave = { text: text.leave, icon: <LeaveIcon />, act: () => app.leaveRoom(room) };
  return [
    {
      text: isStarred ? text.unstar : text.star,
      icon: <StarIcon />,
      act: () => setMember(settings.starred, room, !isStarred),
    },
    {
      text: isMuted ? text.unmute : text.mute,
      icon: <BellIcon />,
      act: () => settings.setNotifyLevelIn(room, isMuted ? undefined : 'none'),
    },
    { text: text.copyLink, icon: <CopyIcon />, act: () => void copyText(roomUrl(room)) },
    ...(room === app.session.value.name ? [invite] : []),
    ...(joined.length > 1 && joined.some((entry) => entry.room === room) ? [leave] : []),
  ];
}
