/** The text of a message as it is shown: the nodes of marks.ts as elements, and nothing else. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import type { ChatEvent } from '../../shared/protocol.js';
import { t } from '../i18n.js';
import { isEmojiOnly } from '../text/emoji.js';
import {
  foldText,
  type ListItem,
  type MarkdownNode,
  type MarkdownNodes,
  parseMarkdown,
  parseMessage,
  type QuoteSource,
} from '../text/markdown.js';
import { CheckIcon, CopyIcon } from './icons.js';
import type { RowContext } from './message-actions.js';

export function MessageText({ event, hand }: { event: ChatEvent; hand: RowContext }) {
  const whole = useSignal(false);
  const short = useMemo(() => foldText(event.data), [event]);
  const isShort = short !== undefined && !whole.value;
  const marks = useMemo(
    () => (isShort ? parseMarkdown(`${short}…`, event.mentions) : parseMessage(event)),
    [event, isShort],
  );
  const { showAll, showLess } = t.value.message;
  return (
    <>
      <bdi class={isEmojiOnly(event.data) ? 'text large' : 'text'} dir="auto">
        <MarkdownView marks={marks} hand={hand} />
      </bdi>
      {short !== undefined && (
        <button class="unfold" type="button" aria-expanded={!isShort} onClick={() => (whole.value = isShort)}>
          {isShort ? showAll([...event.data].length) : showLess}
        </button>
      )}
    </>
  );
}

export function MarkdownView({ marks, hand }: { marks: MarkdownNodes; hand: RowContext }) {
  return <>{marks.map((mark) => (typeof mark === 'string' ? mark : renderNode(mark, hand)))}</>;
}

function renderNode(mark: Exclude<MarkdownNode, string>, hand: RowContext): ComponentChildren {
  switch (mark.kind) {
    case 'strong':
      return <strong>{renderNodes(mark.of, hand)}</strong>;
    case 'em':
      return <em>{renderNodes(mark.of, hand)}</em>;
    case 'del':
      return <del>{renderNodes(mark.of, hand)}</del>;
    case 'code':
      return <code>{mark.text}</code>;
    case 'block':
      return <CodeBlock text={mark.text} language={mark.language} hand={hand} />;
    case 'link':
      return (
        <a
          href={mark.href}
          title={mark.href}
          target="_blank"
          rel="noopener noreferrer"
          tabIndex={hand.tabIndex}
        >
          {renderNodes(mark.of, hand)}
        </a>
      );
    case 'quote':
      return <Quote from={mark.from} hand={hand} children={renderNodes(mark.of, hand)} />;
    case 'list':
      return <MarkdownList items={mark.items} hand={hand} />;
    case 'mention':
      return (
        <bdi class={mark.user.id === hand.tools.place.room.me.value?.id ? 'mention me' : 'mention'}>
          {mark.text}
        </bdi>
      );
    case 'ref':
      return <MessageRef id={mark.id} text={mark.text} hand={hand} />;
  }
}

function renderNodes(marks: MarkdownNodes, hand: RowContext) {
  return <MarkdownView marks={marks} hand={hand} />;
}

/** Numbers stay as they were written. */
function MarkdownList({ items, hand }: { items: readonly ListItem[]; hand: RowContext }) {
  const rows = items.map(({ value, of }, index) => (
    <li key={index} value={value}>
      {renderNodes(of, hand)}
    </li>
  ));
  return items.some(({ value }) => value !== undefined) ? <ol>{rows}</ol> : <ul>{rows}</ul>;
}

/** The language is written by the style: it belongs to no text that is copied. */
function CodeBlock({ text, language, hand }: { text: string; language: string; hand: RowContext }) {
  const copied = useSignal(false);
  const { copyCode } = t.value.message;
  const copy = async () => {
    copied.value = await hand.tools.copy(text);
    setTimeout(() => {
      copied.value = false;
    }, 2_000);
  };
  return (
    <div class="block" data-language={language.slice(0, 24)}>
      <button
        class="tool"
        type="button"
        tabIndex={hand.tabIndex}
        aria-label={copyCode}
        title={copyCode}
        onClick={copy}
      >
        {copied.value ? <CheckIcon /> : <CopyIcon />}
      </button>
      <pre dir="ltr">
        <code>{text}</code>
      </pre>
    </div>
  );
}

/** What somebody answers: who said it and its number, which leads there. */

interface QuoteProps {
  readonly from: QuoteSource | undefined;
  readonly hand: RowContext;
  readonly children: ComponentChildren;
}

export function Quote({ from, hand, children }: QuoteProps) {
  if (!from) return <blockquote>{children}</blockquote>;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a convenience for the mouse; the link in it is for all
    <blockquote
      class="answered"
      title={t.value.message.goToQuoted}
      onClick={(event) => goToQuoted(event, from, hand)}
    >
      <cite>
        <bdi>{from.name}</bdi>
        {', '}
        <MessageRef id={from.id} text={`#${from.id}`} hand={hand} />
        <span class="unseen">: </span>
      </cite>
      {children}
    </blockquote>
  );
}

/** Not when a link in it was meant, or words were being selected. */
function goToQuoted(event: MouseEvent, from: QuoteSource, hand: RowContext): void {
  if (event.target instanceof Element && event.target.closest('a, button')) return;
  if (getSelection()?.isCollapsed === false) return;
  void hand.tools.place.goTo(from.id);
}

/** A number of a message within a text. */

/** Leads to another message of this room; with a key held it opens as links do. */
export function MessageRef({ id, text, hand }: { id: number; text: string; hand: RowContext }) {
  return (
    <a
      class="ref"
      tabIndex={hand.tabIndex}
      href={hand.tools.linkTo(id)}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        event.stopPropagation();
        void hand.tools.place.goTo(id);
      }}
    >
      {text}
    </a>
  );
}
