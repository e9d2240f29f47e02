/** The room's messages: those in the log, then those on their way; and what is below when one reads further up. */
import { type ReadonlySignal, useComputed, useSignalEffect } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import { t } from '../i18n.js';
import { type Row, RowBuilder, unreadAfter } from '../render/rows.js';
import { markMilestone } from '../render/scheduler.js';
import { VirtualList } from '../render/virtual-list.js';
import type { RoomSession } from '../room/session.js';
import {
  findMessage,
  firstId,
  hasOlder,
  isAttached,
  lastId,
  type Timeline as TimelineState,
} from '../room/timeline.js';
import { DownIcon } from './icons.js';
import { handleMessageKey, idOf, rowOf } from './keyboard.js';
import { Message, PendingMessageRow } from './message.js';
import { focusRow, MessageActions } from './message-actions.js';
import { TypingIndicator } from './people.js';
import { handleClick, handlePointerOver, useTouchSelection } from './pointer.js';
import { type ListEvents, MessageScroller } from './scroller.js';
import { Day } from './timestamp.js';

/** Another room is another list, with nothing left of the one before. */
export function Timeline({ place }: { place: RoomSession }) {
  return <RoomTimeline key={place.name} place={place} />;
}

function RoomTimeline({ place }: { place: RoomSession }) {
  const { room } = place;
  const tools = useMemo(() => new MessageActions(place), [place]);
  const rows = useRows(place);
  const drawn = useMemo(() => new VirtualList(rows, place), [rows, place]);
  const opened = useScrollTarget(place, rows, tools);
  useTouchSelection(tools);
  const timeline = room.transcript.value;
  const shown = drawn.visibleRows.value;
  const list = useMemo(() => listEventsOf(tools), [tools]);
  return (
    <div class="transcript">
      <MessageScroller
        label={t.value.message.log}
        version={shown}
        pinned={() => room.transcript.peek().pinned}
        onPin={(pinned) => room.pin(pinned && !drawn.hasBelow && isAttached(room.transcript.peek()))}
        onRendered={opened}
        onNearTop={() => drawn.extendUp() || void room.loadOlder()}
        onNearBottom={() => drawn.extendDown() || void room.loadNewer()}
        onRead={(id) => place.markRead(readUpTo(room.transcript.peek(), id))}
        list={list}
      >
        <Beginning
          older={hasOlder(timeline) || drawn.hasAbove}
          empty={timeline.seen === 0 && rows.value.length === 0}
          name={place.name}
        />
        <TimelineRows rows={shown} tools={tools} />
      </MessageScroller>
      {!timeline.pinned && <JumpToLatest place={place} timeline={timeline} />}
      <TypingIndicator place={place} />
      <p class="unseen" role="status">
        {tools.announcement}
      </p>
    </div>
  );
}

/** Seen to its end, everything is: changes have numbers too, and no rows. */
function readUpTo(t: TimelineState, id: number): number {
  const after = t.events.slice(t.events.findIndex((event) => event.id === id) + 1);
  return isAttached(t) && after.every(({ type }) => type !== 'chat') ? Math.max(id, lastId(t)) : id;
}

function useRows(place: RoomSession) {
  const maker = useMemo(() => new RowBuilder(), [place]);
  const { room, pending: letters, unreadDivider: bookmark } = place;
  return useComputed(() => {
    const t = room.transcript.value;
    const me = room.me.value;
    return maker.build({
      events: t.events,
      pending: letters.value,
      readPosition: bookmark.position.value,
      me,
      atEnd: isAttached(t),
    });
  });
}

/** The list listens for all its rows: there may be hundreds, and new ones by the hundred a second. */
function listEventsOf(tools: MessageActions): ListEvents {
  const messageOf = (id: number) => findMessage(tools.place.room.transcript.peek(), id);
  return {
    onPointerOver: (event: PointerEvent) => handlePointerOver(event, tools),
    onPointerLeave: () => {
      tools.hovered.value = undefined;
    },
    onFocusIn: (event: FocusEvent) => {
      const id = idOf(rowOf(event.target));
      tools.focused.value = id;
      tools.pointerActive.value = false;
      if (id !== undefined) tools.current.value = id;
    },
    onFocusOut: (event: FocusEvent) => {
      if (!rowOf(event.relatedTarget)) tools.focused.value = undefined;
    },
    onClick: (event: MouseEvent) => handleClick(event, tools),
    onKeyDown: (event: KeyboardEvent) => {
      if (handleMessageKey(event, tools, messageOf)) event.preventDefault();
    },
  };
}

function TimelineRows({ rows, tools }: { rows: readonly Row[]; tools: MessageActions }) {
  const me = tools.place.room.me.value;
  const active = tools.active.value;
  const current = currentRowId(rows, tools.current.value);
  return (
    <>
      {rows.map((row) => {
        if (row.kind === 'day') return <li class="day" key={row.key} children={<Day at={row.at} />} />;
        if (row.kind === 'new')
          return <li class="fresh" key={row.key} children={t.value.message.newMessages} />;
        if (row.kind === 'letter') return <PendingMessageRow key={row.key} row={row} me={me} tools={tools} />;
        const { id, user } = row.event;
        return (
          <Message
            key={row.key}
            row={row}
            mine={user.id === me?.id}
            current={id === current}
            active={id === active}
            asking={id === tools.confirmingDelete.value}
            found={id === tools.highlighted.value}
            tools={tools}
          />
        );
      })}
    </>
  );
}

/** Tab comes in where it was left; else at the last. */
function currentRowId(rows: readonly Row[], chosen: number | undefined): number | undefined {
  let last: number | undefined;
  for (const row of rows) {
    if (row.kind !== 'message') continue;
    last = row.event.id;
    if (last === chosen) return last;
  }
  return last;
}

function Beginning({ older, empty, name }: { older: boolean; empty: boolean; name: string }) {
  const { loadingOlder, start, sayHello } = t.value.message;
  if (older) return <li class="beginning">{loadingOlder}</li>;
  if (!empty) return null;
  return (
    <li class="beginning empty">
      <strong>{start(name)}</strong>
      <span>{sayHello}</span>
    </li>
  );
}

/** How many of others' are past my read mark, where the window has them all; else how many numbers. */
function JumpToLatest({ place, timeline }: { place: RoomSession; timeline: TimelineState }) {
  const { newBelow, toLatest } = t.value.message;
  const { readPosition: read } = place.unreadDivider;
  const all = isAttached(timeline) && firstId(timeline) <= read + 1;
  const count = all
    ? unreadAfter(read, timeline.events, place.room.me.value).length
    : Math.max(0, timeline.last - read);
  return (
    <button class="below" type="button" onClick={() => void place.room.toLatest()}>
      <DownIcon />
      {count > 0 ? newBelow(count) : toLatest}
    </button>
  );
}

/**
 * Where the log stands when a room is opened: at the message that was asked for, at the line where the news begins, or
 * at its end; and how a message that is asked for later comes into view.
 */

/** So long it is shown which message was meant. */
const highlightMs = 2_500;

/** What is returned is to be called whenever the rows have been drawn. */
export function useScrollTarget(
  place: RoomSession,
  rows: ReadonlySignal<readonly Row[]>,
  tools: MessageActions,
): (log: MessageScroller) => void {
  const log = useRef<MessageScroller>(null);
  const handled = useRef<number>(undefined);
  const look = () => {
    const asked = place.targetMessage.peek();
    const mark = place.unreadDivider.position.peek();
    const now = rows.peek();
    if (asked !== undefined && revealMessage(asked, now, place, log.current, tools)) handled.current = mark;
    else if (mark !== handled.current && log.current?.scrollToRow('.fresh')) handled.current = mark;
  };
  useSignalEffect(() => {
    if (place.targetMessage.value === undefined) return;
    const frame = requestAnimationFrame(look); // where the rows are there already, nothing is drawn
    return () => cancelAnimationFrame(frame);
  });
  return (drawn) => {
    log.current = drawn;
    if (rows.peek().length > 0) markMilestone('history');
    look();
  };
}

/** A number that has no row (a change, a deleted room's past) leads to the next one that has. */
function revealMessage(
  asked: number,
  rows: readonly Row[],
  place: RoomSession,
  log: MessageScroller | null,
  tools: MessageActions,
): boolean {
  const ids = rows.flatMap((row) => (row.kind === 'message' ? [row.event.id] : []));
  const id = ids.find((each) => each >= asked);
  const first = ids[0];
  if (id === undefined || first === undefined || (asked < first && first > 1 && id !== asked)) return false;
  if (!log?.reveal(`[data-id="${id}"]`, 'center')) return false;
  place.targetMessage.value = undefined;
  tools.current.value = id;
  tools.highlighted.value = id;
  const typing = document.activeElement instanceof HTMLTextAreaElement && document.activeElement.value !== '';
  if (!typing) focusRow(id);
  setTimeout(() => {
    if (tools.highlighted.peek() === id) tools.highlighted.value = undefined;
  }, highlightMs);
  return true;
}
