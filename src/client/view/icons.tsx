/** The page's few drawings, in the colour of the text around them. */
import type { ComponentChildren } from 'preact';

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const Porthole = () => (
  <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <circle class="ring" cx="16" cy="16" r="13.5" />
    <path class="sea" d="M5.2 18.2c3-2.6 6-2.6 9 0s6 2.6 9 0c1.2-1 2.3-1.6 3.6-1.8a11 11 0 0 1-21.6 1.8Z" />
  </svg>
);

export const SendIcon = () => (
  <Icon>
    <path d="M12 19V5M5.5 11.5 12 5l6.5 6.5" />
  </Icon>
);

export const PeopleIcon = () => (
  <Icon>
    <circle cx="9" cy="8.5" r="3.5" />
    <path d="M2.5 19.5c.6-3.6 3.2-5.5 6.5-5.500s5.9 1.9 6.5 5.500M16 5.300a3.5 3.5 0 0 1 0 6.400M18 14.300c2 .7 3.2 2.4 3.5 5.2" />
  </Icon>
);

export const DownIcon = () => (
  <Icon>
    <path d="M12 5v14M5.5 12.5 12 19l6.5-6.5" />
  </Icon>
);

export const ClockIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7.500V12l3 2" />
  </Icon>
);

export const LeaveIcon = () => (
  <Icon>
    <path d="M14 4.500H6.500a1 1 0 0 0-1 1v13a1 1 0 0 0 1 1H14M10.5 12h10M17 8.500l3.5 3.5-3.5 3.5" />
  </Icon>
);
