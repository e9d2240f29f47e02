/** The text of a message as it is shown: the nodes of marks.ts as elements, and nothing else. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import type { ChatEvent } from '../../shared/protocol.js';
import { isEmojiOnly } from '../state/emoji.js';
import { folded } from '../state/folded.js';
import { type Item, type Mark, type Marks, marksOf, parseMarks } from '../state/marks.js';
import { words } from '../words.js';
import { CheckIcon, CopyIcon } from './glyphs.js';
import { Quote } from './quote.js';
import { Ref } from './ref.js';
import type { Hand } from './tools.js';

export function Text({ event, hand }: { event: ChatEvent; hand: Hand }) {
  const whole = useSignal(false);
  const short = useMemo(() => folded(event.data), [event]);
  const isShort = short !== undefined && !whole.value;
  const marks = useMemo(
    () => (isShort ? parseMarks(`${short}…`, event.mentions) : marksOf(event)),
    [event, isShort],
  );
  const { showAll, showLess } = words.value.message;
  return (
    <>
      <bdi class={isEmojiOnly(event.data) ? 'text large' : 'text'} dir="auto">
        <Drawn marks={marks} hand={hand} />
      </bdi>
      {short !== undefined && (
        <button class="unfold" type="button" aria-expanded={!isShort} onClick={() => (whole.value = isShort)}>
          {isShort ? showAll([...event.data].length) : showLess}
        </button>
      )}
    </>
  );
}

export function Drawn({ marks, hand }: { marks: Marks; hand: Hand }) {
  return <>{marks.map((mark) => (typeof mark === 'string' ? mark : drawn(mark, hand)))}</>;
}

function drawn(mark: Exclude<Mark, string>, hand: Hand): ComponentChildren {
  switch (mark.kind) {
    case 'strong':
      return <strong>{all(mark.of, hand)}</strong>;
    case 'em':
      return <em>{all(mark.of, hand)}</em>;
    case 'del':
      return <del>{all(mark.of, hand)}</del>;
    case 'code':
      return <code>{mark.text}</code>;
    case 'block':
      return <Block text={mark.text} language={mark.language} hand={hand} />;
    case 'link':
      return (
        <a href={mark.href} title={mark.href} target="_blank" rel="noopener noreferrer" tabIndex={hand.tab}>
          {all(mark.of, hand)}
        </a>
      );
    case 'quote':
      return <Quote from={mark.from} hand={hand} children={all(mark.of, hand)} />;
    case 'list':
      return <List items={mark.items} hand={hand} />;
    case 'mention':
      return (
        <bdi class={mark.user.id === hand.tools.place.room.me.value?.id ? 'mention me' : 'mention'}>
          {mark.text}
        </bdi>
      );
    case 'ref':
      return <Ref id={mark.id} text={mark.text} hand={hand} />;
  }
}

function all(marks: Marks, hand: Hand) {
  return <Drawn marks={marks} hand={hand} />;
}

/** Numbers stay as they were written. */
function List({ items, hand }: { items: readonly Item[]; hand: Hand }) {
  const rows = items.map(({ value, of }, index) => (
    <li key={index} value={value}>
      {all(of, hand)}
    </li>
  ));
  return items.some(({ value }) => value !== undefined) ? <ol>{rows}</ol> : <ul>{rows}</ul>;
}

/** The language is written by the style: it belongs to no text that is copied. */
function Block({ text, language, hand }: { text: string; language: string; hand: Hand }) {
  const copied = useSignal(false);
  const { copyCode } = words.value.message;
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
        tabIndex={hand.tab}
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
