/** The chat page of one room. */
import { useSignal } from '@preact/signals';
import type { Desk } from '../desk.js';
import { isWaiting } from '../state/letter.js';
import { Composer } from './composer.js';
import { Header } from './header.js';
import { News } from './news.js';
import { People } from './people.js';
import { Status } from './status.js';
import { Transcript } from './transcript.js';

export function App({ desk }: { desk: Desk }) {
  const open = useSignal(false);
  const { room, connection } = desk;
  return (
    <div class={open.value ? 'page open' : 'page'}>
      <Header
        desk={desk}
        open={open.value}
        toggle={() => {
          open.value = !open.value;
        }}
      />
      <main>
        <Status
          link={connection.link.value}
          again={room.me.value !== undefined}
          waiting={desk.letters.value.filter(isWaiting).length}
          retry={() => connection.connect()}
        />
        <Transcript desk={desk} />
        {room.notice.value && (
          <p class="notice" role="alert">
            {room.notice.value.message}
          </p>
        )}
        <Composer room={desk.name} say={(data) => desk.say(data)} />
      </main>
      <People people={room.people.value} me={room.me.value?.id} />
      <News room={room} />
    </div>
  );
}
