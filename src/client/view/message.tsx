/**
 * Rows of stored and pending messages. Components that read signals render only when a property changes,
 * which keeps busy rooms cheap.
 */

import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import type { ChatEvent, Reply, User } from '../../shared/protocol.js';
import { isGone } from '../../shared/reducer.js';
import { formatList, t } from '../i18n.js';
import { deliveryStateOf, lostReply, type PendingMessage } from '../outbox/outbox.js';
import { groupReactions, type MessageRow, type PendingRow, unknownUser } from '../render/rows.js';
import { isEmojiOnly } from '../text/emoji.js';
import {
  foldText,
  type ListItem,
  type MarkdownNode,
  type MarkdownNodes,
  parseMarkdown,
  parseMessage,
  plainText,
  type QuoteSource,
} from '../text/markdown.js';
import { Avatar, CheckIcon, ClockIcon, CopyIcon, IconButton, RejectedIcon } from './icons.js';
import { classNames } from './layout.js';
import {
  DeleteConfirmation,
  datesId,
  type MessageActions,
  NumberLink,
  type RowContext,
  Toolbar,
} from './message-actions.js';
import { fullDate, Timestamp } from './timestamp.js';

interface MessageProps {
  readonly row: MessageRow;
  readonly isMine: boolean;
  /** the tab stop of the list */
  readonly isCurrent: boolean;
  /** shows the toolbar */
  readonly isActive: boolean;
  readonly isConfirmingDelete: boolean;
  /** the composer has its text */
  readonly isEditing: boolean;
  readonly isHighlighted: boolean;
  readonly actions: MessageActions;
}

export function Message(props: MessageProps) {
  const { isMine, isCurrent, isActive, isConfirmingDelete, actions } = props;
  const { event, startsGroup, pendingChanges: pending, editedAt } = props.row;
  const { deleted, expired } = t.value.message;
  const isDeleted = isGone(event);
  const context = isCurrent ? actions.tabbable : actions.untabbable;
  const showToolbar = isActive && !isConfirmingDelete;
  return (
    <li
      class={classOf(props)}
      data-id={event.id}
      tabIndex={isCurrent ? 0 : -1}
      aria-label={isCurrent ? labelOf(event) : undefined}
      aria-describedby={showToolbar ? datesId : undefined}
    >
      {startsGroup && (
        <Avatar user={event.user} onClick={(opener) => actions.showPerson(event.user, opener)} />
      )}
      <div class="body">
        <Author user={event.user} startsGroup={startsGroup} context={context} />
        {event.reply && <ReplyCard reply={event.reply} context={context} />}
        {isDeleted ? (
          <span class="text">{event.expired ? expired : deleted}</span>
        ) : (
          <MessageText key={event.edited} event={event} context={context} />
        )}
        <Reactions event={event} context={context} />
        {pending.length > 0 && <PendingChanges pending={pending} actions={actions} />}
        {isConfirmingDelete && <DeleteConfirmation event={event} actions={actions} />}
      </div>
      <span class="meta">
        <NumberLink id={event.id} actions={actions} />
        {event.edited !== undefined && <EditedLabel at={editedAt} />}
        <Timestamp at={event.at} />
      </span>
      {showToolbar && <Toolbar event={event} mine={isMine} actions={actions} editedAt={editedAt} />}
    </li>
  );
}

interface AuthorProps {
  readonly user: User;
  readonly startsGroup: boolean;
  readonly context: RowContext;
}

function Author({ user, startsGroup, context }: AuthorProps) {
  if (!startsGroup) return <bdi class="name visually-hidden">{user.name}</bdi>;
  return (
    <button
      class="name"
      type="button"
      tabIndex={context.tabIndex}
      aria-haspopup="dialog"
      onClick={({ currentTarget }) => context.actions.showPerson(user, currentTarget)}
    >
      <bdi>{user.name}</bdi>
    </button>
  );
}

/** What a screen reader says when the row gets the focus. */
function labelOf(event: ChatEvent): string {
  const { id, user, reply } = event;
  const { deleted, expired, row, rowReply } = t.value.message;
  const text = !isGone(event) ? plainText(parseMessage(event)) : event.expired ? expired : deleted;
  return reply ? rowReply(user.name, id, reply.user.name, text) : row(user.name, id, text);
}

function classOf({ row, isMine, isEditing, isHighlighted, isActive }: MessageProps): string {
  return classNames({
    message: true,
    'group-start': row.startsGroup,
    mine: isMine,
    editing: isEditing,
    deleted: isGone(row.event),
    highlighted: isHighlighted,
    active: isActive,
    waiting: row.pendingChanges.length > 0,
  });
}

function EditedLabel({ at }: { at: number | undefined }) {
  const { edited, editedAt } = t.value.message;
  return (
    <span class="edited" title={at === undefined ? edited : editedAt(fullDate(at))}>
      {edited}
    </span>
  );
}

interface PendingMessageRowProps {
  readonly row: PendingRow;
  readonly me: User | undefined;
  readonly actions: MessageActions;
}

export function PendingMessageRow({ row, me, actions }: PendingMessageRowProps) {
  const { message } = row;
  const { waiting, saving, unsaved } = t.value.message;
  const state = deliveryStateOf(message);
  // Rendered like a stored message.
  const event = useMemo<ChatEvent>(() => {
    const { data, answered } = row;
    const reply = answered && { id: answered.id, user: answered.user, data: answered.data };
    return { id: 0, type: 'chat', user: me ?? unknownUser, data, at: message.at, ...(reply && { reply }) };
  }, [row, me]);
  return (
    <li class={`message pending mine ${row.startsGroup ? 'group-start ' : ''}${state}`}>
      {row.startsGroup && <Avatar user={event.user} />}
      <span class="state">{state === 'rejected' ? <RejectedIcon /> : <ClockIcon />}</span>
      <div class="body">
        <Author user={event.user} startsGroup={row.startsGroup} context={actions.untabbable} />
        {event.reply && <ReplyCard reply={event.reply} context={actions.untabbable} />}
        <MessageText event={event} context={actions.untabbable} />
        {state === 'rejected' && <RejectionNotice message={message} actions={actions} />}
        {state === 'unpersisted' && <p class="error" role="alert" children={unsaved} />}
      </div>
      {(state === 'waiting' || state === 'saving') && (
        <span class="meta">{state === 'saving' ? saving : waiting}</span>
      )}
    </li>
  );
}

interface PendingChangesProps {
  readonly pending: readonly PendingMessage[];
  readonly actions: MessageActions;
}

/** Waiting and rejected changes of a message, and the deletion that can still be undone. */
function PendingChanges({ pending, actions }: PendingChangesProps) {
  const rejected = pending.filter(({ problem }) => problem);
  const held = pending.find(({ isHeld }) => isHeld);
  const { waiting, undo } = t.value.message;
  return (
    <>
      {held && <button class="pill" type="button" onClick={() => actions.undoDelete(held)} children={undo} />}
      {!held && pending.length > rejected.length && (
        <span class="state" role="img" aria-label={waiting} title={waiting} children={<ClockIcon />} />
      )}
      {rejected.map((message) => (
        <RejectionNotice key={message.cid} message={message} actions={actions} />
      ))}
    </>
  );
}

/** Explains a rejection, in the page's language if the code is known. */
function RejectionNotice({ message, actions }: { message: PendingMessage; actions: MessageActions }) {
  const { cid, posting, problem } = message;
  if (!problem) return null;
  const { failed, replyGone, retry, discard } = t.value.message;
  const reasons: Readonly<Record<string, string>> = t.value.problems;
  const reason = lostReply(message) ? replyGone : (reasons[problem.code] ?? problem.message);
  return (
    <p class="error" role="alert">
      <span>
        {failed[posting.type]} {reason}
      </span>
      <button type="button" onClick={() => actions.session.retry(cid)} children={retry} />
      <button type="button" onClick={() => actions.session.discard(cid)} children={discard} />
    </p>
  );
}

const maxNamedUsers = 12;

/** Reactions as buttons: the names show on hover and focus, and a click adds or removes one's own. */
function Reactions({ event, context }: { event: ChatEvent; context: RowContext }) {
  const { actions, tabIndex } = context;
  const me = actions.session.room.me.value?.id;
  if (!event.reactions?.length) return null;
  return (
    <ul class="reactions" aria-label={t.value.message.reactions}>
      {groupReactions(event.reactions, me).map((group) => (
        <li key={group.emoji}>
          <button
            class="chip"
            type="button"
            tabIndex={tabIndex}
            aria-pressed={group.mine}
            aria-label={`${group.emoji} ${group.users.length}: ${userNames(group.users, me)}`}
            onClick={() => actions.toggleReaction(event, group.emoji)}
          >
            <span class="emoji">{group.emoji}</span>
            <span class="count">{group.users.length}</span>
            <span class="tooltip" aria-hidden="true">
              <bdi>{userNames(group.users, me)}</bdi>
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function userNames(users: readonly User[], me: string | undefined): string {
  const { you, more } = t.value.message;
  const names = users.slice(0, maxNamedUsers).map(({ id, name }) => (id === me ? you : name));
  return formatList(users.length > maxNamedUsers ? [...names, more(users.length - maxNamedUsers)] : names);
}

/** Renders the nodes of markdown.ts. */
function MessageText({ event, context }: { event: ChatEvent; context: RowContext }) {
  const isExpanded = useSignal(false);
  const folded = useMemo(() => foldText(event.data), [event]);
  const isFolded = folded !== undefined && !isExpanded.value;
  const nodes = useMemo(
    () => (isFolded ? parseMarkdown(`${folded}…`, event.mentions) : parseMessage(event)),
    [event, isFolded],
  );
  const { showAll, showLess } = t.value.message;
  return (
    <>
      <bdi class={isEmojiOnly(event.data) ? 'text large' : 'text'} dir="auto">
        <MarkdownView nodes={nodes} context={context} />
      </bdi>
      {folded !== undefined && (
        <button
          class="show-more"
          type="button"
          aria-expanded={!isFolded}
          onClick={() => (isExpanded.value = isFolded)}
        >
          {isFolded ? showAll([...event.data].length) : showLess}
        </button>
      )}
    </>
  );
}

function MarkdownView({ nodes, context }: { nodes: MarkdownNodes; context: RowContext }) {
  return <>{nodes.map((node) => (typeof node === 'string' ? node : renderNode(node, context)))}</>;
}

function renderNode(node: Exclude<MarkdownNode, string>, context: RowContext): ComponentChildren {
  switch (node.kind) {
    case 'strong':
      return <strong>{renderNodes(node.children, context)}</strong>;
    case 'em':
      return <em>{renderNodes(node.children, context)}</em>;
    case 'del':
      return <del>{renderNodes(node.children, context)}</del>;
    case 'code':
      return <code>{node.text}</code>;
    case 'block':
      return <CodeBlock text={node.text} language={node.language} context={context} />;
    case 'link':
      return (
        <a
          href={node.href}
          title={node.href}
          target="_blank"
          rel="noopener noreferrer"
          tabIndex={context.tabIndex}
        >
          {renderNodes(node.children, context)}
        </a>
      );
    case 'quote':
      return <Quote from={node.from} context={context} children={renderNodes(node.children, context)} />;
    case 'list':
      return <MarkdownList items={node.items} context={context} />;
    case 'mention':
      return (
        <bdi class={node.user.id === context.actions.session.room.me.value?.id ? 'mention me' : 'mention'}>
          {node.text}
        </bdi>
      );
    case 'ref':
      return <MessageRef id={node.id} text={node.text} context={context} />;
  }
}

function renderNodes(nodes: MarkdownNodes, context: RowContext) {
  return <MarkdownView nodes={nodes} context={context} />;
}

/** Numbers stay as written. */
function MarkdownList({ items, context }: { items: readonly ListItem[]; context: RowContext }) {
  const rows = items.map(({ value, children: of }, index) => (
    <li key={index} value={value}>
      {renderNodes(of, context)}
    </li>
  ));
  return items.some(({ value }) => value !== undefined) ? <ol>{rows}</ol> : <ul>{rows}</ul>;
}

/** The language is CSS content, so that copying leaves it out. */
function CodeBlock({ text, language, context }: { text: string; language: string; context: RowContext }) {
  const copied = useSignal(false);
  const { copyCode } = t.value.message;
  const copy = async () => {
    copied.value = await context.actions.copy(text);
    setTimeout(() => {
      copied.value = false;
    }, 2_000);
  };
  return (
    <div class="block" data-language={language.slice(0, 24)}>
      <IconButton label={copyCode} tabIndex={context.tabIndex} onClick={copy}>
        {copied.value ? <CheckIcon /> : <CopyIcon />}
      </IconButton>
      <pre dir="ltr">
        <code>{text}</code>
      </pre>
    </div>
  );
}

interface QuoteProps {
  readonly from: QuoteSource | undefined;
  readonly context: RowContext;
  readonly children: ComponentChildren;
}

/** The quoted message of a reply, with a link to it. */
function Quote({ from, context, children }: QuoteProps) {
  if (!from) return <blockquote>{children}</blockquote>;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a convenience for the mouse; the link in it is for all
    <blockquote
      class="reply-quote"
      title={t.value.message.goToQuoted}
      onClick={(event) => goToQuoted(event, from, context)}
    >
      <cite>
        <bdi>{from.name}</bdi>
        {', '}
        <MessageRef id={from.id} text={`#${from.id}`} context={context} />
        <span class="visually-hidden">: </span>
      </cite>
      {children}
    </blockquote>
  );
}

/** Ignores clicks on links and selections of text. */
function goToQuoted(event: MouseEvent, from: QuoteSource, context: RowContext): void {
  if (event.target instanceof Element && event.target.closest('a, button')) return;
  if (getSelection()?.isCollapsed === false) return;
  void context.actions.session.goTo(from.id);
}

function MessageRef({ id, text, context }: { id: number; text: string; context: RowContext }) {
  return <a class="ref" {...linkProps(id, context)} children={text} />;
}

/** The message that this one replies to, as it is now. */
function ReplyCard({ reply, context }: { reply: Reply; context: RowContext }) {
  const { deleted, goToQuoted, inReplyTo } = t.value.message;
  const text = useMemo(() => plainText(parseMarkdown(reply.data)), [reply.data]);
  return (
    <a class="reply-card" title={goToQuoted} {...linkProps(reply.id, context)}>
      <span class="visually-hidden">{inReplyTo} </span>
      <bdi class="author">{reply.user.name}</bdi> <bdi class="quoted">{text === '' ? deleted : text}</bdi>
    </a>
  );
}

/** Jumps to a message of this room; with a modifier key it opens like any link. */
function linkProps(id: number, { actions, tabIndex }: RowContext) {
  const onClick = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    void actions.session.goTo(id);
  };
  return { href: actions.linkTo(id), tabIndex, onClick };
}
