/** A menu in a native popover, which arrow keys move in. */
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { placePopover } from './layout.js';

export interface MenuItem {
  readonly text: string;
  readonly act: () => void;
  readonly icon?: ComponentChildren;
}

interface PopoverMenuProps {
  /** what `popovertarget` of the opener names */
  readonly id: string;
  readonly label: string;
  readonly items: readonly MenuItem[];
  /** Asked when the menu opens. */
  readonly opener: () => Element | null;
}

export function PopoverMenu({ id, label, items, opener }: PopoverMenuProps) {
  const popover = useRef<HTMLDivElement>(null);
  /** In the first frame that shows the menu; `toggle` may come after it. */
  const onShow = () => {
    const at = opener();
    if (!popover.current || !at) return;
    placePopover(popover.current, at);
    const hasFocus = popover.current.contains(document.activeElement); // a key came first (keyboard.ts)
    if (!hasFocus) popover.current.querySelector('button')?.focus();
  };
  const onBeforeToggle = ({ newState }: { readonly newState: string }) => {
    if (newState === 'open') requestAnimationFrame(onShow);
  };
  const menuProps = {
    id,
    role: 'menu',
    'aria-label': label,
    onBeforeToggle,
    onKeyDown: handleMenuKey,
  } as const;
  return (
    <div class="more" popover="auto" ref={popover} {...menuProps}>
      {items.map(({ text, act, icon }) => (
        <button
          type="button"
          role="menuitem"
          tabIndex={-1}
          key={text}
          onClick={() => {
            popover.current?.hidePopover();
            act();
          }}
        >
          {icon}
          {text}
        </button>
      ))}
    </div>
  );
}

const menuSteps: Readonly<Record<string, (at: number, count: number) => number>> = {
  ArrowDown: (at, count) => (at + 1) % count,
  ArrowUp: (at, count) => (at + count - 1) % count,
  Home: () => 0,
  End: (_at, count) => count - 1,
};

function handleMenuKey(event: KeyboardEvent): void {
  const { currentTarget } = event;
  if (!(currentTarget instanceof HTMLElement)) return;
  if (event.key === 'Tab' || event.key === 'Escape') {
    event.preventDefault();
    event.stopPropagation();
    currentTarget.hidePopover();
    return;
  }
  const step = menuSteps[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  const items = [...currentTarget.querySelectorAll('button')];
  const focused = items.findIndex((item) => item.matches(':focus'));
  items[step(focused, items.length)]?.focus();
}
