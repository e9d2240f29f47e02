/** The first letter of a name in the colour of its owner. */
import type { User } from '../../protocol.js';
import { toneOf } from '../state/rows.js';

const TONES = 8;
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

export function Avatar({ user }: { user: User }) {
  return (
    <span class={`avatar tone-${toneOf(user.id, TONES)}`} aria-hidden="true">
      {initial(user.name)}
    </span>
  );
}

function initial(name: string): string {
  for (const { segment } of graphemes.segment(name)) return segment.toLocaleUpperCase();
  return '';
}
