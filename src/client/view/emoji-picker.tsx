/** The emoji picker: search, groups and a grid that arrow keys move in. */
import { type Signal, useSignal } from '@preact/signals';
import { render } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../i18n.js';
import { addRecentEmoji, recentEmoji, saveSkinTone, skinTone } from '../storage.js';
import { type Emoji, type EmojiIndex, findEmoji } from '../text/emoji.js';
import { consumeEscape, isComposing } from './keyboard.js';
import { placePopover, touchOnly } from './layout.js';

const maxResults = 180;
const recentGroup = -1;
const toneSamples: readonly string[] = ['✋', '✋🏻', '✋🏼', '✋🏽', '✋🏾', '✋🏿'];
/** The symbol of each group. */
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

/** Resolves with the chosen emoji, or undefined. */
export function openPicker(opener: Element, index: EmojiIndex): Promise<string | undefined> {
  const host = document.createElement('div');
  document.body.append(host);
  return new Promise((resolve) => {
    const done = (emoji?: string) => {
      if (emoji !== undefined) addRecentEmoji(emoji);
      render(null, host);
      host.remove();
      resolve(emoji);
    };
    render(<Picker opener={opener} index={drawable(index)} done={done} />, host);
  });
}

const drawableIndexes = new WeakMap<EmojiIndex, EmojiIndex>();
/** A share of the width of a common emoji. */
const maxWidthDifference = 0.25;

const sampleSize = 32;
/** Blocks that Unicode still adds emoji to; only these are worth drawing. */
const recentEmojiPattern = /[\u{1f6d0}-\u{1f6ff}\u{1fa70}-\u{1faff}]/u;

/** Some fonts have an empty glyph for what they lack. */
function isBlank(context: CanvasRenderingContext2D, emoji: string): boolean {
  context.clearRect(0, 0, sampleSize, sampleSize);
  context.fillText(emoji, 0, 0);
  return context.getImageData(0, 0, sampleSize, sampleSize).data.every((value) => value === 0);
}

/** Without the emoji that the system's font lacks: those are drawn as boxes, letters, several emoji or not at all. */
function drawable(index: EmojiIndex): EmojiIndex {
  const before = drawableIndexes.get(index);
  if (before) return before;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = sampleSize;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) return index;
  context.textBaseline = 'top';
  context.font = `24px ${getComputedStyle(document.documentElement).getPropertyValue('--emoji')}`;
  const widthOf = (text: string) => context.measureText(text).width;
  const expected = widthOf('😀');
  const all = index.all.filter(
    ({ char }) =>
      Math.abs(widthOf(char) - expected) <= maxWidthDifference * expected &&
      !(recentEmojiPattern.test(char) && isBlank(context, char)),
  );
  const filtered = { ...index, all };
  drawableIndexes.set(index, filtered);
  return filtered;
}

interface PickerProps {
  readonly opener: Element;
  readonly index: EmojiIndex;
  readonly done: (emoji?: string) => void;
}

function Picker({ opener, index, done }: PickerProps) {
  const box = useRef<HTMLDialogElement>(null);
  const query = useSignal('');
  const group = useSignal(recentGroup);
  const tone = useSignal(skinTone());
  const labels = t.value.emoji;
  useLayoutEffect(() => (box.current ? showBeside(box.current, opener) : undefined), []); // before the next key
  const emojiFor = (text: string) =>
    text.trim() === '' ? emojiInGroup(index, group.value) : findEmoji(index, text, maxResults);
  const visible = emojiFor(query.value);
  const close = (chosen?: string) => {
    box.current?.close(); // restores the focus
    done(chosen);
  };
  const choose = (emoji: Emoji) => close(emoji.tones[tone.value - 1] ?? emoji.char);
  const onKeyDown = (event: KeyboardEvent & { readonly currentTarget: HTMLInputElement }) => {
    if (consumeEscape(event)) close();
    else handleSearchKey(event, box.current, emojiFor(event.currentTarget.value)[0], choose);
  };
  const onCancel = (event: Event) => {
    event.preventDefault();
    close();
  };
  const dialogProps = { ref: box, tabIndex: -1, 'aria-label': labels.title, onCancel };
  return (
    <dialog class="picker" {...dialogProps} onMouseDown={(event) => isOutside(event) && close()}>
      <div class="find">
        <SearchField query={query} onKeyDown={onKeyDown} />
        <ToneSelect tone={tone} />
      </div>
      {query.value.trim() === '' && <GroupBar index={index} group={group} />}
      <EmojiGrid emoji={visible} tone={tone.value} choose={choose} />
      <p class="none" role="status" children={visible.length === 0 ? labels.none : ''} />
    </dialog>
  );
}

interface SearchFieldProps {
  readonly query: Signal<string>;
  readonly onKeyDown: (event: KeyboardEvent & { readonly currentTarget: HTMLInputElement }) => void;
}

function SearchField({ query, onKeyDown }: SearchFieldProps) {
  const label = t.value.emoji.search;
  return (
    <input
      type="search"
      aria-label={label}
      placeholder={label}
      autocomplete="off"
      spellcheck={false}
      onInput={({ currentTarget }) => (query.value = currentTarget.value)}
      onKeyDown={onKeyDown}
    />
  );
}

/** Returns a function that closes the dialog. */
function showBeside(dialog: HTMLDialogElement, opener: Element): () => void {
  const place = () => placePopover(dialog, opener);
  dialog.showModal(); // focuses the field, which opens the keyboard of a phone
  if (touchOnly.peek()) dialog.focus();
  place();
  addEventListener('resize', place); // also caused by the keyboard of a phone
  return () => {
    removeEventListener('resize', place);
    dialog.close();
  };
}

/** On the backdrop. A click would not do: selecting the text of the field may end there. */
function isOutside({ target, currentTarget, clientX, clientY }: MouseEvent): boolean {
  if (target !== currentTarget || !(target instanceof Element)) return false;
  const { top, right, bottom, left } = target.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
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

function GroupBar({ index, group }: { index: EmojiIndex; group: Signal<number> }) {
  const all = [{ id: recentGroup, name: t.value.emoji.recent }, ...index.groups];
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

/** A roving tab stop. */
function EmojiGrid({
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
  const forward = getComputedStyle(grid).direction === 'rtl' ? -1 : 1;
  const steps: Readonly<Record<string, number>> = {
    ArrowRight: forward,
    ArrowLeft: -forward,
    ArrowDown: columns,
    ArrowUp: -columns,
  };
  return steps[key] ?? 0;
}
