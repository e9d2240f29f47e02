/** The list of rooms. */
import type { RoomSummary } from '../../shared/protocol.js';
import { addressPath } from '../address.js';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import { newEntry } from '../rooms/list.js';
import { Logo } from './icons.js';

interface RoomListProps {
  readonly app: App;
  /** after a choice; closes the drawer */
  readonly onChoose?: (() => void) | undefined;
}

export function RoomList({ app, onChoose }: RoomListProps) {
  const { title, mine, others: othersTitle, none, find } = t.value.rooms;
  const { joined, rest: others } = splitRooms(app.rooms.list.value, app.session.value.name);
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
          onChoose?.();
          app.showDialog('switch');
        }}
      >
        <span>{find}</span>
        <span class="key" aria-hidden="true">
          {switcherKeyLabel}
        </span>
      </button>
      <div class="list">
        <h2>{mine}</h2>
        <RoomLinks rooms={joined} app={app} onChoose={onChoose} />
        <h2>{othersTitle}</h2>
        {others.length > 0 ? (
          <RoomLinks rooms={others} app={app} onChoose={onChoose} />
        ) : (
          <p class="none">{none}</p>
        )}
      </div>
    </nav>
  );
}

const switcherKeyLabel = /Mac|iP(hone|ad)/.test(navigator.platform) ? '⌘K' : 'Ctrl K';

/** The current room counts as joined, even while it is empty. */
function splitRooms(list: readonly RoomSummary[], here: string) {
  const known = list.some(({ room }) => room === here);
  const all = known ? list : [newEntry(here), ...list];
  const isMine = ({ room, joined }: RoomSummary) => joined || room === here;
  return { joined: all.filter(isMine), rest: all.filter((one) => !isMine(one)) };
}

function RoomLinks({ rooms, app, onChoose }: RoomListProps & { rooms: readonly RoomSummary[] }) {
  const here = app.session.value.name;
  return (
    <ul>
      {rooms.map((entry) => (
        <RoomLink key={entry.room} entry={entry} here={entry.room === here} onChoose={onChoose} />
      ))}
    </ul>
  );
}

interface RoomLinkProps {
  readonly entry: RoomSummary;
  readonly here: boolean;
  readonly onChoose: (() => void) | undefined;
}

/** The app handles the click without loading a page (address.ts). */
function RoomLink({ entry, here, onChoose }: RoomLinkProps) {
  const { room, people } = entry;
  const text = t.value.rooms;
  const unread = here ? 0 : entry.unread;
  return (
    <li class={unread > 0 ? 'unread' : ''}>
      <a href={addressPath({ room })} aria-current={here ? 'page' : undefined} onClick={onChoose}>
        <bdi>{room}</bdi>
        {people > 0 && (
          <span class="present" title={text.people(people)}>
            <span aria-hidden="true">{people}</span>
            <span class="visually-hidden">, {text.people(people)}</span>
          </span>
        )}
        {unread > 0 && <UnreadBadge {...entry} />}
      </a>
    </li>
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
