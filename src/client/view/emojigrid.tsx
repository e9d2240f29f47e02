/** The emoji to choose from, walked in with the arrows. */
import type { Emoji } from '../state/emoji.js';
import { words } from '../words.js';

/** One place in the order of Tab; the arrows walk. */
export function Grid({
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
    <div class="grid" role="group" aria-label={words.value.emoji.title} onKeyDown={walk}>
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

function walk(event: KeyboardEvent): void {
  const grid = event.currentTarget;
  if (!(grid instanceof HTMLElement)) return;
  const buttons = [...grid.querySelectorAll<HTMLElement>('button')];
  const at = buttons.findIndex((button) => button.matches(':focus'));
  const next = buttons[at + stepOf(event.key, buttons, grid)];
  if (next === undefined || at < 0 || next === buttons[at]) return;
  event.preventDefault();
  next.focus();
}

function stepOf(key: string, buttons: readonly HTMLElement[], grid: HTMLElement): number {
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
