/** Who is writing. Not announced: it would talk all the time. The line keeps its height, so that nothing moves. */
import type { Place } from '../place.js';
import { words } from '../words.js';
import { listed } from './listed.js';

const NAMED = 3;

export function Typing({ place }: { place: Place }) {
  const users = place.room.typing.value;
  const { typing, manyTyping } = words.value.message;
  const text =
    users.length > NAMED
      ? manyTyping
      : users.length > 0
        ? typing(listed(users.map(({ name }) => name)), users.length)
        : '';
  return (
    <p class="typing">
      {text && <span class="dots" aria-hidden="true" />}
      <bdi>{text}</bdi>
    </p>
  );
}
