/** A number of a message within a text. */
import type { Hand } from './tools.js';

/** Leads to another message of this room; with a key held it opens as links do. */
export function Ref({ id, text, hand }: { id: number; text: string; hand: Hand }) {
  return (
    <a
      class="ref"
      tabIndex={hand.tab}
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
