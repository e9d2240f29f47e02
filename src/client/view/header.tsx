/** The top line: the room, who is here, who I am, the way out. */
import { useSignal } from '@preact/signals';
import type { Desk } from '../desk.js';
import { LeaveIcon, PeopleIcon, Porthole } from './icons.js';

interface HeaderProps {
  readonly desk: Desk;
  readonly open: boolean;
  readonly toggle: () => void;
}

export function Header({ desk, open, toggle }: HeaderProps) {
  const { name, room, connection } = desk.here.value;
  const { count } = room.people.value;
  const me = desk.me.value;
  const link = connection.link.value.state;
  return (
    <header class="top">
      <Porthole />
      <h1>
        <bdi>{name}</bdi>
      </h1>
      <span class={`dot ${link}`} title={link === 'live' ? 'Connected' : 'Not connected'} />
      <span class="rest" />
      <button
        class="quiet toggle"
        type="button"
        aria-expanded={open}
        aria-controls="people"
        aria-label={`Who is here: ${count}`}
        onClick={toggle}
      >
        <PeopleIcon />
        <span>{count}</span>
      </button>
      {me && <bdi class="me">{me.name}</bdi>}
      <SignOut desk={desk} />
    </header>
  );
}

/** Leaving drops what was not sent, for nobody could send it later: so it asks first if there is anything. */
function SignOut({ desk }: { desk: Desk }) {
  const asked = useSignal(false);
  const unsent = desk.here.value.letters.value.length;
  const leave = () => {
    if (unsent > 0 && !asked.value) asked.value = true;
    else void desk.signOut();
  };
  const sure = asked.value && unsent > 0;
  return (
    <button
      class={sure ? 'quiet sure' : 'quiet'}
      type="button"
      onClick={leave}
      onBlur={() => (asked.value = false)}
    >
      <LeaveIcon />
      <span class="label">{sure ? `Drop ${unsent} unsent and sign out?` : 'Sign out'}</span>
    </button>
  );
}
