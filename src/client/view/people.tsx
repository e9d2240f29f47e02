/** Who is here. */
import type { People as Present } from '../state/people.js';
import { Avatar } from './avatar.js';

export function People({ people, me }: { people: Present; me: string | undefined }) {
  const more = people.count - people.users.length;
  return (
    <aside class="people" id="people" aria-label="Who is here">
      <h2>
        Here now <span class="count">{people.count}</span>
      </h2>
      <ul>
        {people.users.map((user) => (
          <li key={user.id}>
            <Avatar user={user} />
            <bdi>{user.name}</bdi>
            {user.id === me && <span class="you">you</span>}
          </li>
        ))}
        {more > 0 && <li class="more">and {more} more</li>}
      </ul>
    </aside>
  );
}
