/** Who is here. */
import type { People as Present } from '../state/people.js';
import { words } from '../words.js';
import { Avatar } from './avatar.js';

interface PeopleProps {
  readonly people: Present;
  readonly me: string | undefined;
  /** the line is down: it is who was here then */
  readonly away: boolean;
}

export function People({ people, me, away }: PeopleProps) {
  const text = words.value.people;
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
