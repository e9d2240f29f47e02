/** The room's timeline: stored messages, then pending ones. */
import { type ReadonlySignal, useComputed, useSignalEffect } from '@preact/signals';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import { type Row, RowBuilder, unreadAfter } from '../render/rows.js';
import { afterRender, markMilestone, renderNow } from '../render/scheduler.js';
import { VirtualList } from '../render/virtual-list.js';
import type { RoomSession } from '../room/session.js';
import { firstId, hasOlder, isAttached, lastId, type Timeline as TimelineState } from '../room/timeline.js';
import { DownIcon } from './icons.js';
import { Invitation } from './invitation.js';
import { handleMessageKey, idOf, isKeyboardInUse, rowOf } from './keyboard.js';
import { Message, PendingMessageRow } from './message.js';
import {
  focusRow,
  handleClick,
  handlePointerOver,
  MessageActions,
  shownMessage,
  useTouchSelection,
} from './message-actions.js';
import { PersonCard, TypingIndicator } from './people.js';
import { type ListEvents, MessageScroller } from './scroller.js';
import { LoadingMessages } from './status.js';
import { Day } from './timestamp.js';

/** Each room has its own instance. */
export function Timeline({ app }: { app: App }) {
  const session = app.session.value;
  return <RoomTimeline key={session.name} session={session} app={app} />;
}

function RoomTimeline({ session, app }: { session: RoomSession; app: App }) {
  const { room } = session;
  const actions = useMemo(() => new MessageActions(session, app.settings), [session]);
  const rows = useRows(session);
  const list = useMemo(() => new VirtualList(rows, session), [rows, session]);
  const onRendered = useScrollTarget(session, rows, actions);
  useTouchSelection(actions);
  usePrintableRows(list);
  const timeline = room.timeline.value;
  const visibleRows = list.visibleRows.value;
  const listEvents = useMemo(() => listEventsOf(actions), [actions]);
  return (
    <div class="timeline">
      <MessageScroller
        label={t.value.message.log}
        version={visibleRows}
        pinned={() => room.timeline.peek().pinned}
        onPin={(pinned) => room.pin(pinned && !list.hasBelow && isAttached(room.timeline.peek()))}
        onRendered={onRendered}
        onNearTop={() => list.extendUp() || void room.loadOlder()}
        onNearBottom={() => list.extendDown() || void room.loadNewer()}
        onRead={(first, last) => session.markRead(first, readUpTo(room.timeline.peek(), last))}
        list={listEvents}
      >
        <Beginning
          session={session}
          older={hasOlder(timeline) || list.hasAbove}
          rows={rows.value.length}
          seen={timeline.seen}
        />
        <TimelineRows rows={visibleRows} actions={actions} />
      </MessageScroller>
      {!timeline.pinned && <JumpToLatest session={session} timeline={timeline} />}
      <TypingIndicator session={session} />
      <PersonCard app={app} shown={actions.shownPerson} />
      <p class="visually-hidden" role="status">
        {actions.announcement}
      </p>
    </div>
  );
}

/** Paper has all loaded messages, not only those near the window. */
function usePrintableRows(list: VirtualList): void {
  useLayoutEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    addEventListener('beforeprint', () => renderNow(() => list.showAll(true)), { signal });
    addEventListener('afterprint', () => list.showAll(false), { signal });
    return () => stop.abort();
  }, [list]);
}

/** At the end of the log changes count as read too, although they have no row. */
function readUpTo(t: TimelineState, id: number): number {
  const after = t.events.slice(t.events.findIndex((event) => event.id === id) + 1);
  return isAttached(t) && after.every(({ type }) => type !== 'chat') ? Math.max(id, lastId(t)) : id;
}

function useRows(session: RoomSession) {
  const builder = useMemo(() => new RowBuilder(), [session]);
  const { room, pending, unreadDivider: divider } = session;
  return useComputed(() =>
    builder.build({
      events: room.timeline.value.events,
      pending: pending.value,
      readPosition: divider.position.value,
      me: room.me.value,
      atEnd: isAttached(room.timeline.value),
    }),
  );
}

/** Delegated events, because there may be hundreds of rows. */
function listEventsOf(actions: MessageActions): ListEvents {
  const messageOf = (id: number) => shownMessage(actions.session, id);
  return {
    onPointerOver: (event: PointerEvent) => handlePointerOver(event, actions),
    onPointerLeave: () => {
      actions.hovered.value = undefined;
    },
    onFocusIn: (event: FocusEvent) => {
      const id = idOf(rowOf(event.target));
      actions.focused.value = id;
      actions.pointerActive.value = false;
      actions.focusedByKey = isKeyboardInUse();
      if (id !== undefined) actions.current.value = id;
    },
    onFocusOut: (event: FocusEvent) => {
      if (!rowOf(event.relatedTarget)) actions.focused.value = undefined;
    },
    onClick: (event: MouseEvent) => handleClick(event, actions),
    onKeyDown: (event: KeyboardEvent) => {
      if (handleMessageKey(event, actions, messageOf)) event.preventDefault();
    },
  };
}

function TimelineRows({ rows, actions }: { rows: readonly Row[]; actions: MessageActions }) {
  const me = actions.session.room.me.value;
  const active = actions.active.value;
  const current = currentRowId(rows, actions.current.value);
  const { kind, target } = actions.composer;
  const editing = kind.value === 'edit' ? target.value?.id : undefined;
  return (
    <>
      {rows.map((row) => {
        if (row.kind === 'day') return <li class="day" key={row.key} children={<Day at={row.at} />} />;
        if (row.kind === 'new')
          return <li class="unread-divider" key={row.key} children={t.value.message.newMessages} />;
        if (row.kind === 'pending')
          return <PendingMessageRow key={row.key} row={row} me={me} actions={actions} />;
        const { id, user } = row.event;
        return (
          <Message
            key={row.key}
            row={row}
            isMine={user.id === me?.id}
            isCurrent={id === current}
            isActive={id === active}
            isConfirmingDelete={id === actions.confirmingDelete.value}
            isEditing={id === editing}
            isHighlighted={id === actions.highlighted.value}
            actions={actions}
          />
        );
      })}
    </>
  );
}

/** The chosen row if it is rendered, else the last one. */
function currentRowId(rows: readonly Row[], chosen: number | undefined): number | undefined {
  let last: number | undefined;
  for (const row of rows) {
    if (row.kind !== 'message') continue;
    last = row.event.id;
    if (last === chosen) return last;
  }
  return last;
}

interface BeginningProps {
  readonly session: RoomSession;
  readonly older: boolean;
  readonly rows: number;
  /** undefined while nothing is known of the room */
  readonly seen: number | undefined;
}

/** Before the first row, or instead of rows. */
function Beginning({ session, older, rows, seen }: BeginningProps) {
  const { loadingOlder, start, sayHello } = t.value.message;
  const { name } = session;
  if (rows === 0 && seen === undefined) return <LoadingMessages session={session} />;
  if (older) return <li class="beginning">{loadingOlder}</li>;
  if (rows > 0 || seen !== 0) return null;
  return (
    <li class="beginning empty">
      <strong>{start(name)}</strong>
      <span>{sayHello}</span>
      <Invitation room={name} />
    </li>
  );
}

/** Counts messages of others after the read position if the window has them all, else numbers. */
function JumpToLatest({ session, timeline }: { session: RoomSession; timeline: TimelineState }) {
  const { newBelow, toLatest } = t.value.message;
  const { readPosition: read } = session.unreadDivider;
  const hasAll = isAttached(timeline) && firstId(timeline) <= read + 1;
  const count = hasAll
    ? unreadAfter(read, timeline.events, session.room.me.value).length
    : Math.max(0, timeline.last - read);
  return (
    <button class="jump-latest" type="button" onClick={() => void session.room.toLatest()}>
      <DownIcon />
      {count > 0 ? newBelow(count) : toLatest}
    </button>
  );
}

const highlightMs = 2_500;

/**
 * Scrolls a room that opens to the target message, the unread divider or the end; and to later targets. Call
 * the returned function after each rendering of the rows.
 */
function useScrollTarget(
  session: RoomSession,
  rows: ReadonlySignal<readonly Row[]>,
  actions: MessageActions,
): (scroller: MessageScroller) => void {
  const scroller = useRef<MessageScroller>(null);
  const handledDivider = useRef<number>(undefined);
  const reveal = () => {
    const divider = session.unreadDivider.position.peek();
    const isRevealed =
      revealTarget(rows.peek(), scroller.current, actions) ||
      (divider !== handledDivider.current && scroller.current?.scrollToRow('.unread-divider'));
    if (isRevealed) handledDivider.current = divider;
  };
  useSignalEffect(() => {
    if (session.targetMessage.value === undefined) return;
    const frame = requestAnimationFrame(reveal); // the rows may be rendered already
    return () => cancelAnimationFrame(frame);
  });
  return (list) => {
    scroller.current = list;
    if (rows.peek().length > 0) markMilestone('history');
    reveal();
  };
}

/** A number without a row (a change) leads to the next row. */
function revealTarget(
  rows: readonly Row[],
  scroller: MessageScroller | null,
  actions: MessageActions,
): boolean {
  const { targetMessage } = actions.session;
  const target = targetMessage.peek();
  if (target === undefined) return false;
  const ids = rows.flatMap((row) => (row.kind === 'message' ? [row.event.id] : []));
  const id = ids.find((each) => each >= target);
  const first = ids[0];
  if (id === undefined || first === undefined || (target < first && first > 1 && id !== target)) return false;
  if (!scroller?.reveal(`[data-id="${id}"]`, 'center')) return false;
  targetMessage.value = undefined;
  actions.current.value = id;
  actions.highlighted.value = id;
  const typing = document.activeElement instanceof HTMLTextAreaElement && document.activeElement.value !== '';
  if (!typing) focusRow(id);
  const end = () => {
    if (actions.highlighted.peek() === id) actions.highlighted.value = undefined;
  };
  afterRender(() => setTimeout(end, highlightMs));
  return true;
}
