/** The dialogs that open a room by its name: the quick switcher, and the form for a new room. */
import { type ReadonlySignal, type Signal, useComputed, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n.js';
import { type RoomSuggestion, roomNameOf, suggestRooms } from '../text/fuzzy.js';
import type { PanelProps } from './dialog.js';
import { PlusIcon } from './icons.js';
import { isComposing } from './keyboard.js';
import { UnreadBadge } from './room-list.js';

/** A combobox: the focus stays in the field. */
export function QuickSwitcher({ app, close }: PanelProps) {
  const query = useSignal('');
  /** the room that an arrow key moved to: an unread message of another one may change the order */
  const chosen = useSignal<string | undefined>(undefined);
  const options = useComputed(() => suggestRooms(query.value, app.rooms.list.value, app.session.value.name));
  const selected = useComputed(() =>
    Math.max(
      0,
      options.value.findIndex(({ room }) => room === chosen.value),
    ),
  );
  const open = (option: RoomSuggestion | undefined) => {
    if (!option) return;
    close();
    app.openRoom(option.room);
  };
  const count = options.value.length;
  const { invalidName, none: noRooms } = t.value.rooms;
  return (
    <div class="body">
      <SwitcherField query={query} chosen={chosen} selected={selected} options={options} open={open} />
      <div class={count > 0 ? 'visually-hidden' : 'status-text'} role="status">
        {count > 0 ? t.value.switch.count(count) : query.value.trim() === '' ? noRooms : invalidName}
      </div>
      <div class="options scroll" id="options" role="listbox" aria-label={t.value.switch.rooms}>
        {options.value.map((option, index) => (
          <Option
            key={option.room}
            option={option}
            index={index}
            selected={index === selected.value}
            open={open}
          />
        ))}
      </div>
    </div>
  );
}

interface SwitcherFieldProps {
  readonly query: Signal<string>;
  readonly chosen: Signal<string | undefined>;
  readonly selected: ReadonlySignal<number>;
  /** a signal, because Enter may come before the options are rendered */
  readonly options: ReadonlySignal<readonly RoomSuggestion[]>;
  readonly open: (option: RoomSuggestion | undefined) => void;
}

function SwitcherField({ query, chosen, selected, options, open }: SwitcherFieldProps) {
  const label = t.value.switch.field;
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (event.isComposing || event.altKey || (step === 0 && event.key !== 'Enter')) return;
    event.preventDefault();
    const { length } = options.value;
    if (event.key === 'Enter') open(options.value[selected.value]);
    else chosen.value = options.value[(selected.value + step + length) % length]?.room;
  };
  return (
    <div class="query">
      <input
        data-focus
        type="text"
        role="combobox"
        aria-label={label}
        placeholder={label}
        aria-expanded={options.value.length > 0}
        aria-controls="options"
        aria-autocomplete="list"
        aria-activedescendant={options.value.length > 0 ? `option-${selected.value}` : undefined}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        dir="auto"
        onInput={(event) => {
          query.value = event.currentTarget.value;
          chosen.value = undefined;
        }}
        onKeyDown={onKeyDown}
      />
    </div>
  );
}

interface OptionProps {
  readonly option: RoomSuggestion;
  readonly index: number;
  readonly selected: boolean;
  readonly open: (option: RoomSuggestion) => void;
}

function Option({ option, index, selected, open }: OptionProps) {
  const row = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (selected) row.current?.scrollIntoView({ block: 'nearest' });
  }, [selected]);
  const { entry } = option;
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field, which names the chosen one
    // biome-ignore lint/a11y/useKeyWithClickEvents: the field takes the keys
    <div ref={row} id={`option-${index}`} role="option" aria-selected={selected} onClick={() => open(option)}>
      {entry ? <RoomNameLabel option={option} /> : <CreateRoomLabel room={option.room} />}
      {entry && entry.people > 0 && <span class="present">{t.value.rooms.people(entry.people)}</span>}
      {entry && entry.unread > 0 && <UnreadBadge {...entry} />}
    </div>
  );
}

function CreateRoomLabel({ room }: { room: string }) {
  return (
    <>
      <PlusIcon />
      <bdi>{t.value.rooms.create(room)}</bdi>
    </>
  );
}

function RoomNameLabel({ option: { room, hits } }: { option: RoomSuggestion }) {
  const parts = hits.flatMap(([from, to], n) => [
    room.slice(hits[n - 1]?.[1] ?? 0, from),
    <mark key={from}>{room.slice(from, to)}</mark>,
  ]);
  return (
    <bdi>
      {parts}
      {room.slice(hits.at(-1)?.[1] ?? 0)}
    </bdi>
  );
}

/** Makes a room of any name that somebody types. */
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
