/**
 * One message of the log, and one that is on its way. A row is drawn again only when a property of it changes (it
 * reads signals, so @preact/signals compares them): that is what keeps a busy room cheap.
 */
import type { ChatEvent, User } from '../../shared/protocol.js';
import { formatList, t } from '../i18n.js';
import { deliveryStateOf, type PendingMessage } from '../outbox/outbox.js';
import { groupReactions, type MessageRow, type PendingRow, type ReactionGroup } from '../render/rows.js';
import { ClockIcon, RefusedIcon } from './icons.js';
import {
  DeleteConfirmation,
  datesId,
  type MessageActions,
  type RowContext,
  Toolbar,
} from './message-actions.js';
import { MessageText } from './message-text.js';
import { Avatar } from './people.js';
import { fullDate, Timestamp } from './timestamp.js';

interface MessageProps {
  readonly row: MessageRow;
  readonly mine: boolean;
  /** where Tab comes into the log */
  readonly current: boolean;
  /** has the mouse or the focus on it: shows what can be done */
  readonly active: boolean;
  readonly asking: boolean;
  readonly found: boolean;
  readonly tools: MessageActions;
}

export function Message({ row, mine, current, active, asking, found, tools }: MessageProps) {
  const { event, startsGroup: leads, pendingChanges: letters, editedAt } = row;
  const { number, deleted, row: named } = t.value.message;
  const gone = event.deleted !== undefined;
  const hand = current ? tools.tabbable : tools.untabbable;
  const handy = active && !asking;
  return (
    <li
      class={classNames({ message: true, leads, mine, gone, found, active, waiting: letters.length > 0 })}
      data-id={event.id}
      tabIndex={current ? 0 : -1}
      aria-label={current ? named(event.user.name, event.id, gone ? deleted : event.data) : undefined}
      aria-describedby={handy ? datesId : undefined}
    >
      <a class="number" href={tools.linkTo(event.id)} tabIndex={-1} aria-label={number(event.id)}>
        {event.id}
      </a>
      {leads && <Avatar user={event.user} />}
      <div class="body">
        <bdi class={leads ? 'name' : 'name unseen'}>{event.user.name}</bdi>
        {gone ? <span class="text">{deleted}</span> : <MessageText event={event} hand={hand} />}
        <Reactions event={event} hand={hand} />
        {letters.length > 0 && <PendingChanges letters={letters} tools={tools} />}
        {asking && <DeleteConfirmation event={event} tools={tools} />}
      </div>
      <span class={event.edited === undefined ? 'time' : 'time edited'}>
        {event.edited !== undefined && <EditedLabel at={editedAt} />}
        <Timestamp at={event.at} />
      </span>
      {handy && <Toolbar event={event} mine={mine} tools={tools} editedAt={editedAt} />}
    </li>
  );
}

function classNames(names: Readonly<Record<string, boolean>>): string {
  return Object.keys(names)
    .filter((name) => names[name])
    .join(' ');
}

function EditedLabel({ at }: { at: number | undefined }) {
  const { edited, editedAt } = t.value.message;
  return <span title={at === undefined ? edited : editedAt(fullDate(at))}>{edited}</span>;
}

/** What was said and is not in the log: it is being saved, waits, or was refused. */
export function PendingMessageRow({
  row,
  me,
  tools,
}: {
  row: PendingRow;
  me: User | undefined;
  tools: MessageActions;
}) {
  const { letter } = row;
  const { waiting, saving, unsaved, you } = t.value.message;
  const state = deliveryStateOf(letter);
  return (
    <li class={`message pending ${state}`} data-cid={letter.cid}>
      <span class="number">{state === 'refused' ? <RefusedIcon /> : <ClockIcon />}</span>
      <div class="body">
        <span class="name unseen">{you}</span>
        <MessageText event={toChatEvent(row, me)} hand={tools.untabbable} />
        {state === 'refused' && <RejectionNotice letter={letter} tools={tools} />}
        {state === 'unkept' && (
          <p class="why" role="alert">
            {unsaved}
          </p>
        )}
      </div>
      {(state === 'waiting' || state === 'saving') && (
        <span class="time">{state === 'saving' ? saving : waiting}</span>
      )}
    </li>
  );
}

const pendingEvents = new WeakMap<PendingRow, ChatEvent>();

/** Drawn as it will be when it is in the log. */
function toChatEvent(row: PendingRow, me: User | undefined): ChatEvent {
  const before = pendingEvents.get(row);
  if (before) return before;
  const user = me ?? { id: '', name: '' };
  const event: ChatEvent = { id: 0, type: 'chat', user, data: row.data, at: row.letter.at };
  pendingEvents.set(row, event);
  return event;
}

/** What I asked to change of a message and is not so in the log yet: it waits, or it was refused and why. */

export function PendingChanges({
  letters,
  tools,
}: {
  letters: readonly PendingMessage[];
  tools: MessageActions;
}) {
  const refused = letters.filter(({ problem }) => problem);
  return (
    <>
      {letters.length > refused.length && (
        <span class="wait" title={t.value.message.waiting}>
          <ClockIcon />
          <span class="unseen">{t.value.message.waiting}</span>
        </span>
      )}
      {refused.map((letter) => (
        <RejectionNotice key={letter.cid} letter={letter} tools={tools} />
      ))}
    </>
  );
}

/** In the words of the page where it knows the reason, else in the server's. */
export function RejectionNotice({ letter, tools }: { letter: PendingMessage; tools: MessageActions }) {
  const { cid, posting, problem } = letter;
  if (!problem) return null;
  const { failed, retry, discard } = t.value.message;
  const reasons: Readonly<Record<string, string>> = t.value.problems;
  return (
    <p class="why" role="alert">
      <span>
        {failed[posting.type]} {reasons[problem.code] ?? problem.message}
      </span>
      <button type="button" onClick={() => tools.place.retry(cid)}>
        {retry}
      </button>
      <button type="button" onClick={() => tools.place.discard(cid)}>
        {discard}
      </button>
    </p>
  );
}

/** The reactions of a message: who gave them is said on hover and focus, one click joins in or takes back. */

const maxNamedUsers = 12;

export function Reactions({ event, hand }: { event: ChatEvent; hand: RowContext }) {
  const { tools, tabIndex: tab } = hand;
  const me = tools.place.room.me.value?.id;
  if (!event.reactions?.length) return null;
  return (
    <ul class="reactions" aria-label={t.value.message.reactions}>
      {groupReactions(event.reactions, me).map((chip) => (
        <li key={chip.emoji}>
          <ReactionButton
            group={chip}
            me={me}
            tab={tab}
            onToggle={() => tools.toggleReaction(event, chip.emoji)}
          />
        </li>
      ))}
    </ul>
  );
}

interface ReactionButtonProps {
  readonly group: ReactionGroup;
  readonly me: string | undefined;
  readonly tab: number;
  readonly onToggle: () => void;
}

function ReactionButton({ group: chip, me, tab, onToggle: act }: ReactionButtonProps) {
  const { emoji, users, mine } = chip;
  const names = userNames(users, me);
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

function userNames(users: readonly User[], me: string | undefined): string {
  const { you, more } = t.value.message;
  const named = users.slice(0, maxNamedUsers).map(({ id, name }) => (id === me ? you : name));
  return formatList(users.length > maxNamedUsers ? [...named, more(users.length - maxNamedUsers)] : named);
}
