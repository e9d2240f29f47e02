/** The list of rooms: those I have been in first, with what is unread, then the others. */
import { addressPath } from '../address.js';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import type { RoomEntry } from '../rooms/list.js';
import { Logo } from './icons.js';

interface RoomListProps {
  readonly desk: App;
  /** after a choice: shuts the drawer they are in */
  readonly chosen?: (() => void) | undefined;
}

export function RoomList({ desk, chosen }: RoomListProps) {
  const { title, mine, others, none, find } = t.value.rooms;
  const { joined, rest } = splitRooms(desk.rooms.list.value, desk.session.value.name);
  return (
    <nav class="rooms" aria-label={title}>
      <p class="brand">
        <Logo />
        Oneport
      </p>
      <button
        class="find"
        type="button"
        aria-keyshortcuts="Control+K Meta+K"
        onClick={() => {
          chosen?.();
          desk.dialog.value = 'switch';
        }}
      >
        <span>{find}</span>
        <span class="key" aria-hidden="true">
          {switcherKeyLabel}
        </span>
      </button>
      <div class="list">
        <h2>{mine}</h2>
        <RoomLinks rooms={joined} desk={desk} chosen={chosen} />
        <h2>{others}</h2>
        {rest.length > 0 ? (
          <RoomLinks rooms={rest} desk={desk} chosen={chosen} />
        ) : (
          <p class="none">{none}</p>
        )}
      </div>
    </nav>
  );
}

const switcherKeyLabel = /Mac|iP(hone|ad)/.test(navigator.platform) ? '⌘K' : 'Ctrl K';

/** The room in view is one of mine, also while nobody has said anything in it. */
function splitRooms(list: readonly RoomEntry[], here: string) {
  const known = list.some(({ room }) => room === here);
  const made: RoomEntry = {
    room: here,
    last: 0,
    read: 0,
    people: 0,
    joined: true,
    unread: 0,
    mentions: 0,
    mentioned: false,
  };
  const all = known ? list : [made, ...list];
  const isMine = ({ room, joined }: RoomEntry) => joined || room === here;
  return { joined: all.filter(isMine), rest: all.filter((one) => !isMine(one)) };
}

function RoomLinks({ rooms, desk, chosen }: RoomListProps & { rooms: readonly RoomEntry[] }) {
  const here = desk.session.value.name;
  return (
    <ul>
      {rooms.map((entry) => (
        <RoomLink key={entry.room} entry={entry} here={entry.room === here} chosen={chosen} />
      ))}
    </ul>
  );
}

interface RoomLinkProps {
  readonly entry: RoomEntry;
  readonly here: boolean;
  readonly chosen: (() => void) | undefined;
}

/** A plain link: the desk goes there without loading a page (address.ts). */
function RoomLink({ entry, here, chosen }: RoomLinkProps) {
  const { room, people, joined } = entry;
  const text = t.value.rooms;
  const unread = joined && !here ? entry.unread : 0;
  return (
    <li class={unread > 0 ? 'unread' : ''}>
      <a href={addressPath({ room })} aria-current={here ? 'page' : undefined} onClick={chosen}>
        <bdi>{room}</bdi>
        {people > 0 && (
          <span class="present" title={text.people(people)}>
            <span aria-hidden="true">{people}</span>
            <span class="unseen">, {text.people(people)}</span>
          </span>
        )}
        {unread > 0 && <UnreadBadge count={unread} mentioned={entry.mentioned} />}
      </a>
    </li>
  );
}

/** What calls me by name is strong, and said. */
export function UnreadBadge({ count, mentioned }: { count: number; mentioned: boolean }) {
  const { unread, mentioned: called, many } = t.value.rooms;
  return (
    <span class={mentioned ? 'badge strong' : 'badge'}>
      <span aria-hidden="true">
        {mentioned ? '@' : ''}
        {count > 99 ? many : count}
      </span>
      <span class="unseen">
        , {unread(count)}
        {mentioned ? `, ${called}` : ''}
      </span>
    </span>
  );
}
