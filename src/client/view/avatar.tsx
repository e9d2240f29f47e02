/** The first letter of a name in the colour of its owner. */
import type { User } from '../../shared/protocol.js';
import { toneOf } from '../state/rows.js';

const TONES = 8;
/** Made when needed: that takes as long as drawing ten rows. */
let graphemes: Intl.Segmenter | undefined;

export function Avatar({ user }: { user: User }) {
  return (
    <span class={`avatar tone-${toneOf(user.id, TONES)}`} aria-hidden="true">
      {initial(user.name)}
    </span>
  );
}

function initial(name: string): string {
  if (/^[A-Za-z][\w -]/.test(name)) return name.charAt(0).toUpperCase();
  graphemes ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  for (const { segment } of graphemes.segment(name)) return segment.toLocaleUpperCase();
  return '';
}
