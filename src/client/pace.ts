/**
 * When what has arrived is shown. A page that draws as fast as messages come has no time left for the one who writes:
 * after each drawing it rests as long as leaves the greater part of the time to them. In a calm room that is nothing.
 */
import { beforeDrawing } from './draw.js';

/** Rest after a drawing, in times of what it took. */
const REST = 8;
/** A drawing that fits easily into a frame needs no rest. */
const EASY_MS = 8;

let restUntil = 0;

export function atEase(show: () => void): void {
  const wait = restUntil - performance.now();
  if (wait <= 0) beforeDrawing(() => drawn(show));
  else setTimeout(() => beforeDrawing(() => drawn(show)), wait);
}

/** The drawing follows in the next frame; a message to oneself comes when that frame is out. */
function drawn(show: () => void): void {
  requestAnimationFrame(() => {
    const from = performance.now();
    afterFrame(() => {
      const took = performance.now() - from;
      restUntil = took > EASY_MS ? performance.now() + REST * took : 0;
    });
  });
  show();
}

function afterFrame(then: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    then();
  };
  port2.postMessage(undefined);
}
