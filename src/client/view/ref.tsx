/** A number of a message within a text. */
import type { Tools } from './tools.js';

/** Leads to another message of this room; with a key held it opens as links do. */
export function Ref({ id, text, tools }: { id: number; text: string; tools: Tools }) {
  return (
    <a
      class="ref"
      href={tools.linkTo(id)}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        event.stopPropagation();
        void tools.place.goTo(id);
      }}
    >
      {text}
    </a>
  );
}
