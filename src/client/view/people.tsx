/** Who is here. */

import type { User } from '../../shared/protocol.js';
import { formatList, t } from '../i18n.js';
import { toneIndexOf } from '../render/rows.js';
import type { RoomPeople as Present } from '../room/presence.js';
import type { RoomSession } from '../room/session.js';

interface PeopleProps {
  readonly people: Present;
  readonly me: string | undefined;
  /** the line is down: it is who was here then */
  readonly away: boolean;
}

export function People({ people, me, away }: PeopleProps) {
  const text = t.value.people;
  const more = people.count - people.users.length;
  return (
    <aside class="people" aria-label={text.title}>
      <h2>
        {away ? text.before : text.now} <span class="count">{people.count}</span>
      </h2>
      <ul>
        {people.users.map((user) => (
          <li key={user.id}>
            <Avatar user={user} />
            <bdi>{user.name}</bdi>
            {user.id === me && <span class="you">{text.you}</span>}
          </li>
        ))}
        {more > 0 && <li class="more">{text.more(more)}</li>}
      </ul>
    </aside>
  );
}

/** The first letter of a name in the colour of its owner. */

const avatarToneCount = 8;
/** Made when needed: that takes as long as drawing ten rows. */
let graphemes: Intl.Segmenter | undefined;

export function Avatar({ user }: { user: User }) {
  return (
    <span class={`avatar tone-${toneIndexOf(user.id, avatarToneCount)}`} aria-hidden="true">
      {initial(user.name)}
    </span>
  );
}

function initial(name: string): string {
  if (/^[A-Za-z][\w -]/.test(name)) return name.charAt(0).toUpperCase();
  graphemes ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  for (const { segment } of graphemes.segment(name)) return segment.toLocaleUpperCase();
  return '';
}

/** Who is writing. Not announced: it would talk all the time. The line keeps its height, so that nothing moves. */

const maxNamedTypists = 3;

export function TypingIndicator({ place }: { place: RoomSession }) {
  const users = place.room.typing.value;
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
