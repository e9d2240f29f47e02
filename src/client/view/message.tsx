/**
 * One message of the log, and one that is on its way. A row is drawn again only when a property of it changes (it
 * reads signals, so @preact/signals compares them): that is what keeps a busy room cheap.
 */
import type { ChatEvent, User } from '../../shared/protocol.js';
import { stateOf } from '../state/letter.js';
import type { LetterRow, MessageRow } from '../state/rows.js';
import { words } from '../words.js';
import { Avatar } from './avatar.js';
import { fullDate } from './dates.js';
import { ClockIcon, RefusedIcon } from './icons.js';
import { Text } from './marks.js';
import { Reactions } from './reactions.js';
import { Ask, DATES_ID, Toolbar } from './toolbar.js';
import type { Tools } from './tools.js';
import { Unsettled, Why } from './unsettled.js';
import { Time } from './when.js';

interface MessageProps {
  readonly row: MessageRow;
  readonly mine: boolean;
  /** where Tab comes into the log */
  readonly current: boolean;
  /** has the mouse or the focus on it: shows what can be done */
  readonly active: boolean;
  readonly asking: boolean;
  readonly found: boolean;
  readonly tools: Tools;
}

export function Message({ row, mine, current, active, asking, found, tools }: MessageProps) {
  const { event, leads, letters, editedAt } = row;
  const { number, deleted, row: named } = words.value.message;
  const gone = event.deleted !== undefined;
  const hand = current ? tools.within : tools.without;
  const handy = active && !asking;
  return (
    <li
      class={classes({ message: true, leads, mine, gone, found, active, waiting: letters.length > 0 })}
      data-id={event.id}
      tabIndex={current ? 0 : -1}
      aria-label={current ? named(event.user.name, event.id, gone ? deleted : event.data) : undefined}
      aria-describedby={handy ? DATES_ID : undefined}
    >
      <a class="number" href={tools.linkTo(event.id)} tabIndex={-1} aria-label={number(event.id)}>
        {event.id}
      </a>
      {leads && <Avatar user={event.user} />}
      <div class="body">
        <bdi class={leads ? 'name' : 'name unseen'}>{event.user.name}</bdi>
        {gone ? <span class="text">{deleted}</span> : <Text event={event} hand={hand} />}
        <Reactions event={event} hand={hand} />
        {letters.length > 0 && <Unsettled letters={letters} tools={tools} />}
        {asking && <Ask event={event} tools={tools} />}
      </div>
      <span class={event.edited === undefined ? 'time' : 'time edited'}>
        {event.edited !== undefined && <Edited at={editedAt} />}
        <Time at={event.at} />
      </span>
      {handy && <Toolbar event={event} mine={mine} tools={tools} editedAt={editedAt} />}
    </li>
  );
}

function classes(names: Readonly<Record<string, boolean>>): string {
  return Object.keys(names)
    .filter((name) => names[name])
    .join(' ');
}

function Edited({ at }: { at: number | undefined }) {
  const { edited, editedAt } = words.value.message;
  return <span title={at === undefined ? edited : editedAt(fullDate(at))}>{edited}</span>;
}

/** What was said and is not in the log: it is being saved, waits, or was refused. */
export function Pending({ row, me, tools }: { row: LetterRow; me: User | undefined; tools: Tools }) {
  const { letter } = row;
  const { waiting, saving, unkept, you } = words.value.message;
  const state = stateOf(letter);
  return (
    <li class={`message pending ${state}`} data-cid={letter.cid}>
      <span class="number">{state === 'refused' ? <RefusedIcon /> : <ClockIcon />}</span>
      <div class="body">
        <span class="name unseen">{you}</span>
        <Text event={asEvent(row, me)} hand={tools.without} />
        {state === 'refused' && <Why letter={letter} tools={tools} />}
        {state === 'unkept' && (
          <p class="why" role="alert">
            {unkept}
          </p>
        )}
      </div>
      {(state === 'waiting' || state === 'saving') && (
        <span class="time">{state === 'saving' ? saving : waiting}</span>
      )}
    </li>
  );
}

const events = new WeakMap<LetterRow, ChatEvent>();

/** Drawn as it will be when it is in the log. */
function asEvent(row: LetterRow, me: User | undefined): ChatEvent {
  const before = events.get(row);
  if (before) return before;
  const user = me ?? { id: '', name: '' };
  const event: ChatEvent = { id: 0, type: 'chat', user, data: row.data, at: row.letter.at };
  events.set(row, event);
  return event;
}
