/**
 * What is over the message in hand: when it was said, and what can be done with it: a few reactions, an answer, and a
 * menu with the rest.
 */
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { ChatEvent } from '../../shared/protocol.js';
import { words } from '../words.js';
import { ReactIcon, ReplyIcon } from './glyphs.js';
import { MoreIcon } from './icons.js';
import { putNear } from './near.js';
import { recentEmoji } from './recent.js';
import { focusRow, type Tools } from './tools.js';
import { Dates } from './when.js';

interface Props {
  readonly event: ChatEvent;
  readonly mine: boolean;
  readonly tools: Tools;
}

const QUICK = 3;
/** Only one message is in hand. */
export const DATES_ID = 'dates';

/** It stays in view while any of its message is: it sticks within a rail as long as the row (message.css). */
export function Toolbar({ editedAt, ...rest }: Props & { readonly editedAt: number | undefined }) {
  const { at, deleted } = rest.event;
  return (
    <div class={editedAt === undefined ? 'rail' : 'rail twice'}>
      <div class="tools">
        <Dates id={DATES_ID} at={at} edited={editedAt} />
        {deleted === undefined && <Buttons {...rest} />}
      </div>
    </div>
  );
}

function Buttons({ event, mine, tools }: Props) {
  const { actions, react, reactWith, reply } = words.value.message;
  return (
    <div class="buttons" role="toolbar" aria-label={actions}>
      {recentEmoji()
        .slice(0, QUICK)
        .map((emoji) => (
          <button
            class="tool emoji"
            type="button"
            key={emoji}
            aria-label={reactWith(emoji)}
            title={reactWith(emoji)}
            onClick={() => tools.toggle(event, emoji)}
          >
            {emoji}
          </button>
        ))}
      <button
        class="tool pick"
        type="button"
        aria-label={react}
        aria-haspopup="dialog"
        title={react}
        onClick={({ currentTarget }) => void tools.pick(event, currentTarget)}
      >
        <ReactIcon />
      </button>
      <button class="tool" type="button" aria-label={reply} title={reply} onClick={() => tools.reply(event)}>
        <ReplyIcon />
      </button>
      <More event={event} mine={mine} tools={tools} />
    </div>
  );
}

/** By the browser's own popover: Esc and a click beside it close it, and the focus goes back to the button. */
function More({ event, mine, tools }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const { moreActions: more, edit, remove, copyText, copyLink } = words.value.message;
  const id = `more-${event.id}`;
  const opened = ({ newState }: { readonly newState: string }) => {
    if (newState !== 'open' || !box.current || !opener.current) return;
    putNear(box.current, opener.current);
    box.current.querySelector('button')?.focus();
  };
  const act = (work: () => void) => () => {
    box.current?.hidePopover();
    focusRow(event.id);
    work();
  };
  const items: readonly (readonly [string, () => void])[] = [
    ...(mine ? ([[edit, () => tools.edit(event)]] as const) : []),
    [copyText, () => void tools.copy(event.data)],
    [copyLink, () => void tools.copy(new URL(tools.linkTo(event.id), location.href).href)],
    ...(mine ? ([[remove, () => tools.askToRemove(event)]] as const) : []),
  ];
  return (
    <>
      <button
        class="tool"
        type="button"
        ref={opener}
        popovertarget={id}
        aria-haspopup="menu"
        aria-label={more}
        title={more}
      >
        <MoreIcon />
      </button>
      <div
        class="more"
        id={id}
        popover="auto"
        role="menu"
        aria-label={more}
        ref={box}
        onToggle={opened}
        onKeyDown={walk}
      >
        {items.map(([text, work]) => (
          <button type="button" role="menuitem" tabIndex={-1} key={text} onClick={act(work)}>
            {text}
          </button>
        ))}
      </div>
    </>
  );
}

const STEPS: Readonly<Record<string, (at: number, count: number) => number>> = {
  ArrowDown: (at, count) => (at + 1) % count,
  ArrowUp: (at, count) => (at + count - 1) % count,
  Home: () => 0,
  End: (_at, count) => count - 1,
};

function walk(event: KeyboardEvent): void {
  const { currentTarget } = event;
  if (!(currentTarget instanceof HTMLElement)) return;
  if (event.key === 'Tab' || event.key === 'Escape') {
    event.preventDefault();
    event.stopPropagation();
    currentTarget.hidePopover();
    return;
  }
  const step = STEPS[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  const items = [...currentTarget.querySelectorAll('button')];
  items[
    step(
      items.findIndex((item) => item.matches(':focus')),
      items.length,
    )
  ]?.focus();
}

/** Deleting asks once. */
export function Ask({ event, tools }: Omit<Props, 'mine'>) {
  const sure = useRef<HTMLButtonElement>(null);
  const { removeSure, remove, keep } = words.value.message;
  useLayoutEffect(() => sure.current?.focus(), []);
  return (
    <div
      class="ask"
      role="alertdialog"
      aria-label={removeSure}
      onKeyDown={(key) => {
        if (key.key !== 'Escape') return;
        key.preventDefault();
        tools.keep(event);
      }}
    >
      <span>{removeSure}</span>
      <button type="button" class="sure" ref={sure} onClick={() => tools.remove(event)}>
        {remove}
      </button>
      <button type="button" onClick={() => tools.keep(event)}>
        {keep}
      </button>
    </div>
  );
}
