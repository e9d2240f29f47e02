/**
 * When what has arrived is shown. A page that draws as fast as messages come has no time left for the one who writes.
 * What must stay true: one drawing at a time; after each the page rests so long that the greater part of the time is
 * theirs, in a calm room not at all; and while somebody types, it draws in the pause after a letter was shown.
 */
import { afterFrame, beforeDrawing } from './draw.js';
import { afterLetter } from './hands.js';

/** Rest after a drawing, in times of what it took; and milliseconds, after which one would think that nothing comes. */
const REST = 8;
const REST_MOST_MS = 500;
/** A drawing that fits easily into a frame needs no rest. */
const EASY_MS = 8;

let waiting: (() => void)[] = [];
let drawing = false;
let restUntil = 0;

export function atEase(show: () => void): void {
  waiting.push(show);
  if (waiting.length === 1 && !drawing) rest();
}

function rest(): void {
  const wait = restUntil - performance.now();
  if (wait <= 0) beforeDrawing(draw);
  else setTimeout(() => afterLetter(draw), wait);
}

/** The drawing itself follows in the next frame: only then it is known what it took. */
function draw(): void {
  const shows = waiting;
  waiting = [];
  drawing = true;
  beforeDrawing(() => {
    const from = performance.now();
    afterFrame(() => {
      const took = performance.now() - from;
      restUntil = took > EASY_MS ? performance.now() + Math.min(REST * took, REST_MOST_MS) : 0;
      drawing = false;
      if (waiting.length > 0) rest();
    });
  });
  for (const show of shows) show();
}
