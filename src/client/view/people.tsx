/** The people in the room. */

import { useSignal } from '@preact/signals';
import type { App } from '../app.js';
import { formatList, t } from '../i18n.js';
import type { RoomSession } from '../room/session.js';
import { Avatar } from './avatar.js';
import { PersonCard, type ShownPerson } from './person-card.js';
import { Skeleton } from './skeleton.js';

interface PeopleProps {
  readonly app: App;
  /** after a choice; closes the drawer */
  readonly onChoose?: (() => void) | undefined;
}

/** While disconnected, shows who was here before. */
export function People({ app, onChoose }: PeopleProps) {
  const shownPerson = useSignal<ShownPerson | undefined>(undefined);
  const { room, connection } = app.session.value;
  const people = room.people.value;
  const me = app.me.value?.id;
  const isKnown = people.count !== undefined;
  const isConnecting = ['connecting', 'live'].includes(connection.state.value.state);
  const isDisconnected = connection.state.value.state !== 'live' && connection.wasLive;
  const text = t.value.people;
  const more = (people.count ?? 0) - people.users.length;
  return (
    <aside class="people" aria-label={text.title}>
      <h2>
        {isDisconnected ? text.before : isKnown || isConnecting ? text.now : text.title}{' '}
        <span class="count">{people.count}</span>
      </h2>
      <ul aria-busy={!isKnown && isConnecting}>
        {people.users.map((user) => (
          <li key={user.id}>
            <button
              type="button"
              aria-haspopup="dialog"
              onClick={({ currentTarget }) => {
                shownPerson.value = { user, opener: currentTarget };
              }}
            >
              <Avatar user={user} />
              <bdi>{user.name}</bdi>
              {user.id === me && <span class="self">{text.you}</span>}
            </button>
          </li>
        ))}
        {!isKnown && isConnecting && <Skeleton count={3} />}
        {more > 0 && <li class="rest">{text.more(more)}</li>}
      </ul>
      <PersonCard app={app} shown={shownPerson} onChoose={onChoose} />
    </aside>
  );
}

/** Who is typing. Not announced, because it changes all the time. Keeps its height, so that nothing moves. */

const maxNamedTypists = 3;

export function TypingIndicator({ session }: { session: RoomSession }) {
  const users = session.room.typing.value;
  const { typing, manyTyping } = t.value.message;
  const text =
    users.length > maxNamedTypists
      ? manyTyping
      : users.length > 0
        ? typing(formatList(users.map(({ name }) => name)), users.length)
        : '';
  return (
    <p class="typing">
      {text && <span class="dots" aria-hidden="true" />}
      <bdi>{text}</bdi>
    </p>
  );
}
