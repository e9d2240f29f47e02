/** Goes to a room by some letters of its name, or makes it. A combobox with a list: the focus stays in the field. */
import { type ReadonlySignal, type Signal, useComputed, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../i18n.js';
import { type RoomSuggestion, suggestRooms } from '../text/fuzzy.js';
import type { PanelProps } from './dialog.js';
import { PlusIcon } from './icons.js';
import { UnreadBadge } from './room-list.js';

export function QuickSwitcher({ desk, close }: PanelProps) {
  const query = useSignal('');
  const chosen = useSignal(0);
  const options = useComputed(() =>
    suggestRooms(query.value, desk.rooms.list.value, desk.session.value.name),
  );
  const go = (option: RoomSuggestion | undefined) => {
    if (!option) return;
    close();
    desk.openRoom(option.room);
  };
  const count = options.value.length;
  const { invalidName, none: noRooms } = t.value.rooms;
  return (
    <div class="body">
      <SwitcherField query={query} chosen={chosen} options={options} go={go} />
      <div class={count > 0 ? 'unseen' : 'say'} role="status">
        {count > 0 ? t.value.switch.count(count) : query.value.trim() === '' ? noRooms : invalidName}
      </div>
      <div class="options scroll" id="options" role="listbox" aria-label={t.value.switch.rooms}>
        {options.value.map((option, index) => (
          <Option key={option.room} option={option} index={index} chosen={index === chosen.value} go={go} />
        ))}
      </div>
    </div>
  );
}

interface SwitcherFieldProps {
  readonly query: Signal<string>;
  readonly chosen: Signal<number>;
  /** those of what is typed by now, which may not be drawn yet: Enter comes quicker than a frame */
  readonly options: ReadonlySignal<readonly RoomSuggestion[]>;
  readonly go: (option: RoomSuggestion | undefined) => void;
}

function SwitcherField({ query, chosen, options, go }: SwitcherFieldProps) {
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
  const label = t.value.switch.field;
  const press = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (event.isComposing || event.altKey || (step === 0 && event.key !== 'Enter')) return;
    event.preventDefault();
    const { length } = options.value;
    if (event.key === 'Enter') go(options.value[chosen.value]);
    else if (length > 0) chosen.value = (chosen.value + step + length) % length;
  };
  return (
    <div class="query">
      <input
        ref={field}
        type="text"
        role="combobox"
        aria-label={label}
        placeholder={label}
        aria-expanded={options.value.length > 0}
        aria-controls="options"
        aria-autocomplete="list"
        aria-activedescendant={options.value.length > 0 ? `option-${chosen.value}` : undefined}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        dir="auto"
        onInput={(event) => {
          query.value = event.currentTarget.value;
          chosen.value = 0;
        }}
        onKeyDown={press}
      />
    </div>
  );
}

interface OptionProps {
  readonly option: RoomSuggestion;
  readonly index: number;
  readonly chosen: boolean;
  readonly go: (option: RoomSuggestion) => void;
}

function Option({ option, index, chosen, go }: OptionProps) {
  const row = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (chosen) row.current?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);
  const { entry } = option;
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field, which names the chosen one
    // biome-ignore lint/a11y/useKeyWithClickEvents: the field takes the keys
    <div ref={row} id={`option-${index}`} role="option" aria-selected={chosen} onClick={() => go(option)}>
      {entry ? <RoomNameLabel option={option} /> : <CreateRoomLabel room={option.room} />}
      {entry && entry.people > 0 && <span class="present">{t.value.rooms.people(entry.people)}</span>}
      {entry?.joined && entry.unread > 0 && <UnreadBadge count={entry.unread} mentioned={entry.mentioned} />}
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
