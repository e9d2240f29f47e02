/** Renders the nodes of markdown.ts. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import type { ChatEvent, Reply } from '../../shared/protocol.js';
import { t } from '../i18n.js';
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
import { CheckIcon, CopyIcon, IconButton } from './icons.js';
import type { RowContext } from './message-actions.js';

export function MessageText({ event, context }: { event: ChatEvent; context: RowContext }) {
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
export function ReplyCard({ reply, context }: { reply: Reply; context: RowContext }) {
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
