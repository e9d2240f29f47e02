/** Who is here. */
import type { People as Present } from '../state/people.js';
import { words } from '../words.js';
import { Avatar } from './avatar.js';

export function People({ people, me }: { people: Present; me: string | undefined }) {
  const text = words.value.people;
  const more = people.count - people.users.length;
  return (
    <aside class="people" aria-label={text.title}>
      <h2>
        {text.now} <span class="count">{people.count}</span>
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
