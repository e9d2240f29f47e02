/** The room's messages: those in the log, then those on their way; and what is below when one reads further up. */
import { useComputed } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { Place } from '../place.js';
import { newsAfter, type Row, Rows } from '../state/rows.js';
import { bottom, chatAt, hasOlder, isAttached, type Transcript as Log_, top } from '../state/transcript.js';
import { words } from '../words.js';
import { DrawnRows } from './drawn.js';
import { DownIcon } from './icons.js';
import { type ListEvents, Log } from './log.js';
import { Message, Pending } from './message.js';
import { useOpening } from './opening.js';
import { clicked, pointed, useFinger } from './pointer.js';
import { idOf, pressed, rowOf } from './rowkeys.js';
import { Tools } from './tools.js';
import { Typing } from './typing.js';
import { Day } from './when.js';

/** Another room is another list, with nothing left of the one before. */
export function Transcript({ place }: { place: Place }) {
  return <RoomLog key={place.name} place={place} />;
}

function RoomLog({ place }: { place: Place }) {
  const { room } = place;
  const tools = useMemo(() => new Tools(place), [place]);
  const rows = useRows(place);
  const drawn = useMemo(() => new DrawnRows(rows, place), [rows, place]);
  const opened = useOpening(place, rows, tools);
  useFinger(tools);
  const t = room.transcript.value;
  const shown = drawn.now.value;
  const list = useMemo(() => listens(tools), [tools]);
  return (
    <div class="transcript">
      <Log
        label={words.value.message.log}
        version={shown}
        pinned={() => room.transcript.peek().pinned}
        onPin={(pinned) => room.pin(pinned && !drawn.below && isAttached(room.transcript.peek()))}
        onDrawn={opened}
        onTop={() => drawn.up() || void room.loadOlder()}
        onBottom={() => drawn.down() || void room.loadNewer()}
        onSeen={(id) => place.read(upTo(room.transcript.peek(), id))}
        list={list}
      >
        <Beginning
          older={hasOlder(t) || drawn.above}
          empty={t.seen === 0 && rows.value.length === 0}
          name={place.name}
        />
        <Drawn rows={shown} tools={tools} />
      </Log>
      {!t.pinned && <Below place={place} t={t} />}
      <Typing place={place} />
      <p class="unseen" role="status">
        {tools.told}
      </p>
    </div>
  );
}

/** Seen to its end, everything is: changes have numbers too, and no rows. */
function upTo(t: Log_, id: number): number {
  const after = t.events.slice(t.events.findIndex((event) => event.id === id) + 1);
  return isAttached(t) && after.every(({ type }) => type !== 'chat') ? Math.max(id, bottom(t)) : id;
}

function useRows(place: Place) {
  const maker = useMemo(() => new Rows(), [place]);
  const { room, letters, bookmark } = place;
  return useComputed(() => {
    const t = room.transcript.value;
    const me = room.me.value;
    return maker.make({
      events: t.events,
      letters: letters.value,
      mark: bookmark.at.value,
      me,
      atEnd: isAttached(t),
    });
  });
}

/** The list listens for all its rows: there may be hundreds, and new ones by the hundred a second. */
function listens(tools: Tools): ListEvents {
  const messageOf = (id: number) => chatAt(tools.place.room.transcript.peek(), id);
  return {
    onPointerOver: (event: PointerEvent) => pointed(event, tools),
    onPointerLeave: () => {
      tools.hovered.value = undefined;
    },
    onFocusIn: (event: FocusEvent) => {
      const id = idOf(rowOf(event.target));
      tools.focused.value = id;
      tools.pointing.value = false;
      if (id !== undefined) tools.current.value = id;
    },
    onFocusOut: (event: FocusEvent) => {
      if (!rowOf(event.relatedTarget)) tools.focused.value = undefined;
    },
    onClick: (event: MouseEvent) => clicked(event, tools),
    onKeyDown: (event: KeyboardEvent) => {
      if (pressed(event, tools, messageOf)) event.preventDefault();
    },
  };
}

function Drawn({ rows, tools }: { rows: readonly Row[]; tools: Tools }) {
  const me = tools.place.room.me.value;
  const active = tools.active.value;
  const current = currentOf(rows, tools.current.value);
  return (
    <>
      {rows.map((row) => {
        if (row.kind === 'day') return <li class="day" key={row.key} children={<Day at={row.at} />} />;
        if (row.kind === 'new')
          return <li class="fresh" key={row.key} children={words.value.message.fresh} />;
        if (row.kind === 'letter') return <Pending key={row.key} row={row} me={me} tools={tools} />;
        const { id, user } = row.event;
        return (
          <Message
            key={row.key}
            row={row}
            mine={user.id === me?.id}
            current={id === current}
            active={id === active}
            asking={id === tools.asking.value}
            found={id === tools.found.value}
            tools={tools}
          />
        );
      })}
    </>
  );
}

/** Tab comes in where it was left; else at the last. */
function currentOf(rows: readonly Row[], chosen: number | undefined): number | undefined {
  let last: number | undefined;
  for (const row of rows) {
    if (row.kind !== 'message') continue;
    last = row.event.id;
    if (last === chosen) return last;
  }
  return last;
}

function Beginning({ older, empty, name }: { older: boolean; empty: boolean; name: string }) {
  const { older: loading, nothing, first } = words.value.message;
  if (older) return <li class="beginning">{loading}</li>;
  if (!empty) return null;
  return (
    <li class="beginning empty">
      <strong>{nothing(name)}</strong>
      <span>{first}</span>
    </li>
  );
}

/** How many of others' are past my read mark, where the window has them all; else how many numbers. */
function Below({ place, t }: { place: Place; t: Log_ }) {
  const { newBelow, toLatest } = words.value.message;
  const { read } = place.bookmark;
  const all = isAttached(t) && top(t) <= read + 1;
  const count = all ? newsAfter(read, t.events, place.room.me.value).length : Math.max(0, t.last - read);
  return (
    <button class="below" type="button" onClick={() => void place.room.toLatest()}>
      <DownIcon />
      {count > 0 ? newBelow(count) : toLatest}
    </button>
  );
}
