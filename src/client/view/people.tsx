/** The people in the room, who of them is typing, and the card of one. */
import { type Signal, useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { User } from '../../shared/protocol.js';
import type { App } from '../app.js';
import { formatList, t } from '../i18n.js';
import type { RoomSession } from '../room/session.js';
import { Avatar } from './icons.js';
import { composerField, insertText } from './keyboard.js';
import { placePopover } from './layout.js';
import { searchFor } from './search.js';
import { Skeleton } from './status.js';
import { shortDate } from './timestamp.js';

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

const maxNamedTypists = 3;

/** Not announced, because it changes all the time. Keeps its height, so that nothing moves. */
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

export interface ShownPerson {
  readonly user: User;
  readonly opener: Element;
}

interface PersonCardProps {
  readonly app: App;
  readonly shown: Signal<ShownPerson | undefined>;
  /** after a choice; closes a drawer */
  readonly onChoose?: (() => void) | undefined;
}

/** What is known of a user, and what can be done, in a popover beside their name. */
export function PersonCard({ app, shown, onChoose }: PersonCardProps) {
  const popover = useRef<HTMLDivElement>(null);
  const opened = useRef<ShownPerson>(undefined);
  const person = shown.value;
  useLayoutEffect(() => {
    const element = popover.current;
    if (!person || !element) return;
    opened.current = person;
    element.showPopover();
    placePopover(element, person.opener, 'start');
    element.querySelector('button')?.focus();
  }, [person]); // with its content: an empty card has another size, and nothing to focus
  const user = person?.user;
  const choose = (act: () => void) => () => {
    popover.current?.hidePopover();
    onChoose?.();
    act();
  };
  return (
    <div
      class="card"
      popover="auto"
      ref={popover}
      role="dialog"
      aria-label={user?.name}
      onToggle={({ newState }) => {
        // The event is asynchronous: the click that closed it may have chosen another person.
        if (newState === 'closed' && shown.peek() === opened.current) shown.value = undefined;
      }}
    >
      {user && <CardContent app={app} user={user} choose={choose} />}
    </div>
  );
}

interface CardContentProps {
  readonly app: App;
  readonly user: User;
  readonly choose: (act: () => void) => () => void;
}

function CardContent({ app, user, choose }: CardContentProps) {
  const { mention, messages, rename } = t.value.person;
  const isMe = user.id === app.me.value?.id;
  return (
    <>
      <div class="who">
        <Avatar user={user} />
        <p>
          <bdi class="name">{user.name}</bdi>
          <span class="when">{presenceText(app, user)}</span>
        </p>
      </div>
      {isMe ? (
        <button
          class="plain"
          type="button"
          onClick={choose(() => app.showDialog('settings'))}
          children={rename}
        />
      ) : (
        <button class="plain" type="button" onClick={choose(() => mentionUser(user))} children={mention} />
      )}
      <button
        class="plain"
        type="button"
        onClick={choose(() => searchFor(app, `from:"${user.name}"`))}
        children={messages}
      />
    </>
  );
}

/** Whether the user is in the room, or when they last wrote as far as the window shows. */
function presenceText(app: App, { id }: User): string {
  const { here, lastMessage } = t.value.person;
  const { room } = app.session.value;
  if (room.people.value.users.some((user) => user.id === id)) return here;
  const last = room.timeline.value.events.findLast((event) => event.type === 'chat' && event.user.id === id);
  return last?.type === 'chat' ? lastMessage(shortDate(last.at)) : '';
}

function mentionUser({ name }: User): void {
  const field = composerField();
  if (!field) return;
  const needsSpace = /\S$/.test(field.value.slice(0, field.selectionStart));
  insertText(field, `${needsSpace ? ' ' : ''}@${name} `);
}
