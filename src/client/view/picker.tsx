/**
 * The emoji picker: a search, the groups, a grid to walk in with the arrows. A <dialog>, so that Esc closes it, the
 * focus stays in it and goes back to where it was. Loaded when first opened.
 */
import { type Signal, useSignal } from '@preact/signals';
import { render } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { type Emoji, type EmojiBook, findEmoji } from '../state/emoji.js';
import { words } from '../words.js';
import { Grid } from './emojigrid.js';
import { byFinger } from './media.js';
import { putNear } from './near.js';
import { keepSkinTone, recentEmoji, skinTone, usedEmoji } from './recent.js';

const FOUND = 180;
const RECENT = -1;
const TONES: readonly string[] = ['✋', '✋🏻', '✋🏼', '✋🏽', '✋🏾', '✋🏿'];
/** What stands for a group, by its number in Unicode's list. */
const SIGNS: Readonly<Record<number, string>> = {
  [RECENT]: '🕘',
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
export function openPicker(opener: Element, book: EmojiBook): Promise<string | undefined> {
  const host = document.createElement('div');
  document.body.append(host);
  return new Promise((resolve) => {
    const done = (emoji?: string) => {
      if (emoji !== undefined) usedEmoji(emoji);
      render(null, host);
      host.remove();
      resolve(emoji);
    };
    render(<Picker opener={opener} book={book} done={done} />, host);
  });
}

interface PickerProps {
  readonly opener: Element;
  readonly book: EmojiBook;
  readonly done: (emoji?: string) => void;
}

function Picker({ opener, book, done }: PickerProps) {
  const box = useRef<HTMLDialogElement>(null);
  const query = useSignal('');
  const group = useSignal(RECENT);
  const tone = useSignal(skinTone());
  const w = words.value.emoji;
  useEffect(() => {
    const dialog = box.current;
    const put = () => dialog && putNear(dialog, opener);
    if (!dialog) return;
    dialog.showModal(); // the field has the focus, which brings the keyboard of a phone
    if (byFinger.peek()) dialog.focus();
    put();
    addEventListener('resize', put); // also by the keyboard of a phone
    return () => {
      removeEventListener('resize', put);
      dialog.close();
    };
  }, []);
  const matching = (text: string) =>
    text.trim() === '' ? inGroup(book, group.value) : findEmoji(book, text, FOUND);
  const shown = matching(query.value);
  const choose = (emoji: Emoji) => {
    const chosen = emoji.tones[tone.value - 1] ?? emoji.char;
    box.current?.close(); // gives the focus back
    done(chosen);
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
        box.current?.close();
        done();
      }}
      onClick={(event) => {
        const dialog = event.currentTarget;
        if (event.target !== dialog || within(dialog, event)) return;
        dialog.close();
        done();
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
          onKeyDown={(event) =>
            fromSearch(event, box.current, matching(event.currentTarget.value)[0], choose)
          }
        />
        <Tone tone={tone} />
      </div>
      {query.value.trim() === '' && <Groups book={book} group={group} />}
      <Grid emoji={shown} tone={tone.value} choose={choose} />
      <p class="none" role="status">
        {shown.length === 0 ? w.none : ''}
      </p>
    </dialog>
  );
}

function within(box: HTMLElement, { clientX, clientY }: MouseEvent): boolean {
  const { top, right, bottom, left } = box.getBoundingClientRect();
  return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
}

function inGroup({ all }: EmojiBook, group: number): readonly Emoji[] {
  if (group !== RECENT) return all.filter((emoji) => emoji.group === group);
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

function Groups({ book, group }: { book: EmojiBook; group: Signal<number> }) {
  const all = [{ id: RECENT, name: words.value.emoji.recent }, ...book.groups];
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out as a row everywhere
    <div class="groups" role="group" aria-label={words.value.emoji.groups}>
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
          {SIGNS[id] ?? '•'}
        </button>
      ))}
    </div>
  );
}

function Tone({ tone }: { tone: Signal<number> }) {
  const { tone: label, tones } = words.value.emoji;
  return (
    <select
      aria-label={label}
      title={label}
      value={tone.value}
      onChange={(event) => {
        tone.value = Number(event.currentTarget.value);
        keepSkinTone(tone.value);
      }}
    >
      {TONES.map((sign, index) => (
        <option key={sign} value={index} aria-label={tones(index)}>
          {sign}
        </option>
      ))}
    </select>
  );
}

function fromSearch(
  event: KeyboardEvent,
  box: HTMLElement | null,
  first: Emoji | undefined,
  choose: (emoji: Emoji) => void,
): void {
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === 'Enter' && first) {
    event.preventDefault();
    choose(first);
  } else if (event.key === 'ArrowDown') {
    event.preventDefault();
    box?.querySelector<HTMLElement>('.grid button')?.focus();
  }
}
