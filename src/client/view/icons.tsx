/** The icons, in the colour of the surrounding text, and the avatars. */
import type { ButtonHTMLAttributes, ComponentChildren } from 'preact';
import type { User } from '../../shared/protocol.js';
import { graphemesOf } from '../../shared/text.js';
import { toneIndexOf } from '../render/rows.js';

type IconButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { readonly label: string };

/** A button that shows only an icon. */
export function IconButton({ label, ...rest }: IconButtonProps) {
  return <button class="tool" type="button" aria-label={label} title={label} {...rest} />;
}

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const Logo = () => (
  <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <circle class="ring" cx="16" cy="16" r="13.5" />
    <path class="sea" d="M5.2 18.2c3-2.6 6-2.6 9 0s6 2.6 9 0c1.2-1 2.3-1.6 3.6-1.8a11 11 0 0 1-21.6 1.8Z" />
  </svg>
);

const pathIcon = (d: string) => () => (
  <Icon>
    <path d={d} />
  </Icon>
);

export const SendIcon = pathIcon('M12 19V5M5.5 11.5 12 5l6.5 6.5');
export const DownIcon = pathIcon('M12 5v14M5.5 12.5 12 19l6.5-6.5');
export const CloseIcon = pathIcon('M6 6l12 12M18 6 6 18');
export const MoreIcon = pathIcon(
  'M4.25 12a.75.75 0 1 0 1.5 0 .75.75 0 1 0-1.5 0M11.25 12a.75.75 0 1 0 1.5 0 .75.75 0 1 0-1.5 0M18.25 12a.75.75 0 1 0 1.5 0 .75.75 0 1 0-1.5 0',
);
export const DropDownIcon = pathIcon('m7.5 10 4.5 4.500 4.500-4.500');
export const RoomsIcon = pathIcon('M4.500 7h15M4.500 12h15M4.500 17h15');
export const StarIcon = pathIcon(
  'm12 4.500 2.300 4.700 5.200.800-3.800 3.700.900 5.200-4.600-2.500-4.600 2.500.900-5.200-3.800-3.700 5.200-.800Z',
);
export const BellIcon = pathIcon('M6 16.500V11a6 6 0 0 1 12 0v5.500l1.500 1.500h-15ZM10 20.500h4');
export const MutedIcon = pathIcon(
  'M6 16.500V11c0-1.300.4-2.500 1.100-3.500M9 5.800a6 6 0 0 1 9 5.200v4M16.500 18h-12L6 16.500M10 20.500h4M4 4l16 16',
);
export const PlusIcon = pathIcon('M12 5.5v13M5.5 12h13');
export const LeaveIcon = pathIcon(
  'M14 4.5H6.5a1 1 0 0 0-1 1v13a1 1 0 0 0 1 1H14M10.5 12h10M17 8.5l3.5 3.5-3.5 3.5',
);
export const KeysIcon = pathIcon(
  'M4 6.5h16a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1ZM7 10.2h.01M10.3 10.2h.01M13.6 10.2h.01M17 10.2h.01M8 14h8',
);
export const SettingsIcon = pathIcon('M4 7.5h9M17 7.5h3M4 16.5h3M11 16.5h9M15 5.5v4M9 14.5v4');
export const ReactIcon = pathIcon(
  'M20.3 11.5a8.5 8.5 0 1 1-7.8-7.8M18 2.500v6M15 5.500h6M8.500 14c.8 1.300 2 2 3.500 2s2.700-.7 3.500-2M9 9.500v.5M14.500 9.500v.5',
);
export const EmojiIcon = pathIcon(
  'M12 3.5a8.5 8.5 0 1 0 0 17a8.500 8.500 0 0 0 0-17ZM8.500 14c.8 1.300 2 2 3.500 2s2.700-.7 3.500-2M9.300 9.500v.5M14.700 9.500v.5',
);
export const ReplyIcon = pathIcon('M9.500 6 4 11.500 9.500 17M4.500 11.500H14c3.500 0 6 2.500 6 6.500');
export const EditIcon = pathIcon('M4.500 19.500l.8-4L16 4.800l3.200 3.200L8.500 18.700ZM14 7l3.200 3.200');
export const CopyIcon = pathIcon('M9 9h10.500v10.500H9zM15 5.500V4.500H4.500V15h1');
export const CheckIcon = pathIcon('m5 12.500 4.500 4.500L19 7.500');

export const SearchIcon = () => (
  <Icon>
    <circle cx="10.5" cy="10.5" r="6" />
    <path d="m15 15 5 5" />
  </Icon>
);

export const AtIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="3.7" />
    <path d="M15.7 8.3v5a2.5 2.5 0 0 0 5 0V12a8.7 8.7 0 1 0-3.4 6.9" />
  </Icon>
);

export const PeopleIcon = () => (
  <Icon>
    <circle cx="9" cy="8.5" r="3.5" />
    <path d="M2.5 19.5c.6-3.6 3.2-5.5 6.5-5.5s5.9 1.9 6.5 5.5M16 5.3a3.5 3.5 0 0 1 0 6.4M18 14.3c2 .7 3.2 2.4 3.5 5.2" />
  </Icon>
);

export const ClockIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7.5V12l3 2" />
  </Icon>
);

export const RejectedIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7.5v5M12 16h.01" />
  </Icon>
);

const avatarToneCount = 8;

interface AvatarProps {
  readonly user: User;
  /** a convenience for the mouse, beside a button that does the same */
  readonly onClick?: (avatar: Element) => void;
}

/** The initials of a name in its user's colour: drawn, not written, so that they are neither copied nor part of a label. */
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
  for (const grapheme of graphemesOf(word)) return grapheme.toLocaleUpperCase();
  return '';
}
