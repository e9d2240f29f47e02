/**
 * The emoji picker: a search, the groups, a grid to walk in with the arrows. A <dialog>, so that Esc closes it, the
 * focus stays in it and goes back to where it was. Loaded when first opened.
 */
import { type Signal, useSignal } from '@preact/signals';
import { render } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n.js';
import { addRecentEmoji, recentEmoji, saveSkinTone, skinTone } from '../storage.js';
import { type Emoji, type EmojiIndex, findEmoji } from '../text/emoji.js';
import { consumeEscape, isComposing } from './keyboard.js';
import { placePopover, touchOnly } from './layout.js';

const maxResults = 180;
const recentGroup = -1;
const toneSamples: readonly string[] = ['✋', '✋🏻', '✋🏼', '✋🏽', '✋🏾', '✋🏿'];
/** What stands for a group, by its number in Unicode's list. */
const groupSigns: Readonly<Record<number, string>> = {
  [recentGroup]: '🕘',
  0: '😀',
  1: '👋',
  3: '🐻',
  4: '🍎',
  5: '🚗',
  6: '⚽',
  7: '💡',
  8: '💟',
  9: '🏁',
};

/** Resolves with the emoji chosen, or undefined. */
export function openPicker(opener: Element, book: EmojiIndex): Promise<string | undefined> {
  const host = document.createElement('div');
  document.body.append(host);
  return new Promise((resolve) => {
    const done = (emoji?: string) => {
      if (emoji !== undefined) addRecentEmoji(emoji);
      render(null, host);
      host.remove();
      resolve(emoji);
    };
    render(<Picker opener={opener} book={book} done={done} />, host);
  });
}

interface PickerProps {
  readonly opener: Element;
  readonly book: EmojiIndex;
  readonly done: (emoji?: string) => void;
}

function Picker({ opener, book, done }: PickerProps) {
  const box = useRef<HTMLDialogElement>(null);
  const query = useSignal('');
  const group = useSignal(recentGroup);
  const tone = useSignal(skinTone());
  const w = t.value.emoji;
  useEffect(() => {
    const dialog = box.current;
    const put = () => dialog && placePopover(dialog, opener);
    if (!dialog) return;
    dialog.showModal(); // the field has the focus, which brings the keyboard of a phone
    if (touchOnly.peek()) dialog.focus();
    put();
    addEventListener('resize', put); // also by the keyboard of a phone
    return () => {
      removeEventListener('resize', put);
      dialog.close();
    };
  }, []);
  const matching = (text: string) =>
    text.trim() === '' ? emojiInGroup(book, group.value) : findEmoji(book, text, maxResults);
  const shown = matching(query.value);
  const leave = (chosen?: string) => {
    box.current?.close(); // gives the focus back
    done(chosen);
  };
  const choose = (emoji: Emoji) => {
    leave(emoji.tones[tone.value - 1] ?? emoji.char);
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside it; by keyboard Esc closes it
    <dialog
      class="picker"
      ref={box}
      aria-label={w.title}
      tabIndex={-1}
      onCancel={(event) => {
        event.preventDefault();
        leave();
      }}
      onClick={(event) => {
        const dialog = event.currentTarget;
        if (event.target === dialog && !isInside(dialog, event)) leave();
      }}
    >
      <div class="find">
        <input
          type="search"
          aria-label={w.search}
          placeholder={w.search}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => (query.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (consumeEscape(event)) leave();
            else handleSearchKey(event, box.current, matching(event.currentTarget.value)[0], choose);
          }}
        />
        <ToneSelect tone={tone} />
      </div>
      {query.value.trim() === '' && <GroupBar book={book} group={group} />}
      <EmojiGrid emoji={shown} tone={tone.value} choose={choose} />
      <p class="none" role="status">
        {shown.length === 0 ? w.none : ''}
      </p>
    </dialog>
  );
}

function isInside(box: HTMLElement, { clientX, clientY }: MouseEvent): boolean {
  const { top, right, bottom, left } = box.getBoundingClientRect();
  return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
}

function emojiInGroup({ all }: EmojiIndex, group: number): readonly Emoji[] {
  if (group !== recentGroup) return all.filter((emoji) => emoji.group === group);
  const known = new Map(
    all.flatMap((emoji) => [emoji.char, ...emoji.tones].map((char) => [char, emoji] as const)),
  );
  const recent = recentEmoji().flatMap((char): Emoji[] => {
    const emoji = known.get(char);
    return emoji ? [char === emoji.char ? emoji : { ...emoji, char, tones: [] }] : [];
  });
  const used = new Set(recent.map(({ char }) => char));
  return [...recent, ...all.filter((emoji) => emoji.group === 0 && !used.has(emoji.char))];
}

function GroupBar({ book, group }: { book: EmojiIndex; group: Signal<number> }) {
  const all = [{ id: recentGroup, name: t.value.emoji.recent }, ...book.groups];
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out as a row everywhere
    <div class="groups" role="group" aria-label={t.value.emoji.groups}>
      {all.map(({ id, name }) => (
        <button
          type="button"
          key={id}
          aria-pressed={group.value === id}
          aria-label={name}
          title={name}
          onClick={() => {
            group.value = id;
          }}
        >
          {groupSigns[id] ?? '•'}
        </button>
      ))}
    </div>
  );
}

function ToneSelect({ tone }: { tone: Signal<number> }) {
  const { tone: label, tones } = t.value.emoji;
  return (
    <select
      aria-label={label}
      title={label}
      value={tone.value}
      onChange={(event) => {
        tone.value = Number(event.currentTarget.value);
        saveSkinTone(tone.value);
      }}
    >
      {toneSamples.map((sign, index) => (
        <option key={sign} value={index} aria-label={tones(index)}>
          {sign}
        </option>
      ))}
    </select>
  );
}

function handleSearchKey(
  event: KeyboardEvent,
  box: HTMLElement | null,
  first: Emoji | undefined,
  choose: (emoji: Emoji) => void,
): void {
  if (isComposing(event)) return;
  if (event.key === 'Enter' && first) {
    event.preventDefault();
    choose(first);
  } else if (event.key === 'ArrowDown') {
    event.preventDefault();
    box?.querySelector<HTMLElement>('.grid button')?.focus();
  }
}

/** The emoji to choose from, walked in with the arrows. */

/** One place in the order of Tab; the arrows walk. */
export function EmojiGrid({
  emoji,
  tone,
  choose,
}: {
  emoji: readonly Emoji[];
  tone: number;
  choose: (emoji: Emoji) => void;
}) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a list of buttons, walked in as in a grid
    <div class="grid" role="group" aria-label={t.value.emoji.title} onKeyDown={moveInGrid}>
      {emoji.map((one, index) => (
        <button
          type="button"
          key={one.char}
          tabIndex={index === 0 ? 0 : -1}
          aria-label={one.label}
          title={one.codes[0] === undefined ? one.label : `${one.label} :${one.codes[0]}:`}
          onClick={() => choose(one)}
        >
          {one.tones[tone - 1] ?? one.char}
        </button>
      ))}
    </div>
  );
}

function moveInGrid(event: KeyboardEvent): void {
  const grid = event.currentTarget;
  if (!(grid instanceof HTMLElement)) return;
  const buttons = [...grid.querySelectorAll<HTMLElement>('button')];
  const at = buttons.findIndex((button) => button.matches(':focus'));
  const next = buttons[at + gridStep(event.key, buttons, grid)];
  if (next === undefined || at < 0 || next === buttons[at]) return;
  event.preventDefault();
  next.focus();
}

function gridStep(key: string, buttons: readonly HTMLElement[], grid: HTMLElement): number {
  const first = buttons[0]?.offsetTop;
  const columns = Math.max(
    1,
    buttons.findIndex(({ offsetTop }) => offsetTop !== first),
  );
  const ahead = getComputedStyle(grid).direction === 'rtl' ? -1 : 1;
  const steps: Readonly<Record<string, number>> = {
    ArrowRight: ahead,
    ArrowLeft: -ahead,
    ArrowDown: columns,
    ArrowUp: -columns,
  };
  return steps[key] ?? 0;
}
