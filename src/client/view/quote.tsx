/** What somebody answers: who said it and its number, which leads there. */
import type { ComponentChildren } from 'preact';
import type { Source } from '../state/marks.js';
import { words } from '../words.js';
import { Ref } from './ref.js';
import type { Hand } from './tools.js';

interface QuoteProps {
  readonly from: Source | undefined;
  readonly hand: Hand;
  readonly children: ComponentChildren;
}

export function Quote({ from, hand, children }: QuoteProps) {
  if (!from) return <blockquote>{children}</blockquote>;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a convenience for the mouse; the link in it is for all
    <blockquote
      class="answered"
      title={words.value.message.goToQuoted}
      onClick={(event) => go(event, from, hand)}
    >
      <cite>
        <bdi>{from.name}</bdi>
        {', '}
        <Ref id={from.id} text={`#${from.id}`} hand={hand} />
        <span class="unseen">: </span>
      </cite>
      {children}
    </blockquote>
  );
}

/** Not when a link in it was meant, or words were being selected. */
function go(event: MouseEvent, from: Source, hand: Hand): void {
  if (event.target instanceof Element && event.target.closest('a, button')) return;
  if (getSelection()?.isCollapsed === false) return;
  void hand.tools.place.goTo(from.id);
}
