/** The reactions of a message: who gave them is said on hover and focus, one click joins in or takes back. */
import type { ChatEvent, User } from '../../shared/protocol.js';
import { type Chip, chipsOf } from '../state/reactions.js';
import { words } from '../words.js';
import { listed } from './listed.js';
import type { Hand } from './tools.js';

const NAMED = 12;

export function Reactions({ event, hand }: { event: ChatEvent; hand: Hand }) {
  const { tools, tab } = hand;
  const me = tools.place.room.me.value?.id;
  if (!event.reactions?.length) return null;
  return (
    <ul class="reactions" aria-label={words.value.message.reactions}>
      {chipsOf(event.reactions, me).map((chip) => (
        <li key={chip.emoji}>
          <Button chip={chip} me={me} tab={tab} act={() => tools.toggle(event, chip.emoji)} />
        </li>
      ))}
    </ul>
  );
}

interface ButtonProps {
  readonly chip: Chip;
  readonly me: string | undefined;
  readonly tab: number;
  readonly act: () => void;
}

function Button({ chip, me, tab, act }: ButtonProps) {
  const { emoji, users, mine } = chip;
  const names = namesOf(users, me);
  return (
    <button
      class="chip"
      type="button"
      tabIndex={tab}
      aria-pressed={mine}
      aria-label={`${emoji} ${users.length}: ${names}`}
      onClick={act}
    >
      <span class="emoji">{emoji}</span>
      <span class="count">{users.length}</span>
      <span class="tip" aria-hidden="true">
        <bdi>{names}</bdi>
      </span>
    </button>
  );
}

function namesOf(users: readonly User[], me: string | undefined): string {
  const { you, more } = words.value.message;
  const named = users.slice(0, NAMED).map(({ id, name }) => (id === me ? you : name));
  return listed(users.length > NAMED ? [...named, more(users.length - NAMED)] : named);
}
