/** Whether somebody types: letters are shown before anything else. */
import { afterFrame } from './draw.js';

/** Hands that have rested so long do not type now. */
const TYPING_MS = 400;
/** The next letter is not waited for any longer. */
const NEXT_MS = 250;

let typedAt = -Infinity;
let then: (() => void) | undefined;

addEventListener(
  'input',
  () => {
    typedAt = performance.now();
    if (then) requestAnimationFrame(() => afterFrame(go));
  },
  { capture: true, passive: true },
);

/** Calls back at once, or while somebody types when the next letter has been shown: after it there is a pause. */
export function afterLetter(call: () => void): void {
  then = call;
  if (performance.now() - typedAt > TYPING_MS) go();
  else setTimeout(() => then === call && go(), NEXT_MS);
}

function go(): void {
  const call = then;
  then = undefined;
  call?.();
}
