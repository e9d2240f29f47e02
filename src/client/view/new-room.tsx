/** Makes a room of any name that somebody types. */
import { useSignal } from '@preact/signals';
import { t } from '../i18n.js';
import { roomNameOf } from '../text/fuzzy.js';
import type { PanelProps } from './dialog.js';
import { isComposing } from './keyboard.js';

export function NewRoom({ app, close }: PanelProps) {
  const name = useSignal('');
  const room = roomNameOf(name.value);
  const isKnown = app.rooms.list.value.some((entry) => entry.room === room);
  const { field, preview, exists, open, create, readers } = t.value.create;
  const { invalidName } = t.value.rooms;
  const status = room === undefined ? invalidName : isKnown ? exists(room) : preview(room);
  const submit = (event: Event) => {
    event.preventDefault();
    const chosen = roomNameOf(name.peek()); // a key may come before the last one is rendered
    if (chosen === undefined) return;
    close();
    app.openRoom(chosen);
  };
  return (
    <form class="body new-room" onSubmit={submit}>
      <label>
        {field}
        <input
          data-focus
          type="text"
          autocomplete="off"
          spellcheck={false}
          dir="auto"
          value={name.value}
          aria-describedby="new-room-status"
          onInput={({ currentTarget }) => {
            name.value = currentTarget.value;
          }}
          onKeyDown={(event) => event.key === 'Enter' && !isComposing(event) && submit(event)}
        />
      </label>
      <p id="new-room-status" role="status">
        {name.value.trim() === '' ? readers : status}
      </p>
      <button class="primary" type="submit" disabled={room === undefined}>
        {isKnown ? open : create}
      </button>
    </form>
  );
}
