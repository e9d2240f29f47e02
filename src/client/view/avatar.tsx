/** The initials of a name in its user's colour. */
import type { User } from '../../shared/protocol.js';
import { toneIndexOf } from '../render/rows.js';

const avatarToneCount = 8;
/** Created on demand, because construction takes as long as rendering ten rows. */
let graphemes: Intl.Segmenter | undefined;

interface AvatarProps {
  readonly user: User;
  /** a convenience for the mouse, beside a button that does the same */
  readonly onClick?: (avatar: Element) => void;
}

/** The initials are drawn, not written, so that they are neither copied nor part of a label. */
export function Avatar({ user, onClick }: AvatarProps) {
  return (
    <span
      class={`avatar tone-${toneIndexOf(user.id, avatarToneCount)}`}
      aria-hidden="true"
      data-initials={initials(user.name)}
      onClick={onClick && (({ currentTarget }) => onClick(currentTarget))}
    />
  );
}

/** Of the first and the last word. */
function initials(name: string): string {
  const words = name.split(/[\s_-]+/).filter((word) => word !== '');
  const [first = name, last] = words.length > 1 ? [words[0], words.at(-1)] : words;
  return initial(first) + (last === undefined ? '' : initial(last));
}

function initial(word: string): string {
  if (/^[A-Za-z]\w/.test(word)) return word.charAt(0).toUpperCase();
  graphemes ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  for (const { segment } of graphemes.segment(word)) return segment.toLocaleUpperCase();
  return '';
}
