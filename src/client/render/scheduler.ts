/**
 * Schedules renderings of new events so that typing stays fast. Renderings do not overlap. After an expensive
 * one the page pauses for `restFactor` times its duration. While the user types, renderings follow the paint
 * of a keystroke.
 */
import { options } from 'preact';

/** Pause after a rendering, as a multiple of its duration; at most `maxRestMs`. */
const restFactor = 8;
const maxRestMs = 500;
/** A rendering that fits into a frame needs no pause. */
const cheapRenderMs = 8;

let renderQueue: (() => void)[] = [];
let rendering = false;
let restUntil = 0;

export function schedule(callback: () => void): void {
  renderQueue.push(callback);
  if (renderQueue.length === 1 && !rendering) scheduleNext();
}

function scheduleNext(): void {
  const wait = restUntil - performance.now();
  if (wait <= 0) scheduleFrame(renderQueued);
  else setTimeout(() => afterInput(renderQueued), wait);
}

/** The rendering happens in the next frame; only after it the duration is known. */
function renderQueued(): void {
  const callbacks = renderQueue;
  renderQueue = [];
  rendering = true;
  scheduleFrame(() => {
    const startedAt = performance.now();
    afterFrame(() => {
      const durationMs = performance.now() - startedAt;
      restUntil =
        durationMs > cheapRenderMs ? performance.now() + Math.min(restFactor * durationMs, maxRestMs) : 0;
      rendering = false;
      if (renderQueue.length > 0) scheduleNext();
    });
  });
  for (const callback of callbacks) callback();
}

/** The user counts as typing until this long after the last input. */
const typingIdleMs = 400;
/** Longest wait for the next keystroke. */
const nextInputTimeoutMs = 250;

let lastInputAt = -Infinity;
let queuedCall: (() => void) | undefined;

addEventListener(
  'input',
  () => {
    lastInputAt = performance.now();
    if (queuedCall) requestAnimationFrame(() => afterFrame(runQueuedCall));
  },
  { capture: true, passive: true },
);

/** Calls back at once, or after the next keystroke has been painted while the user is typing. */
function afterInput(callback: () => void): void {
  queuedCall = callback;
  if (performance.now() - lastInputAt > typingIdleMs) runQueuedCall();
  else setTimeout(() => queuedCall === callback && runQueuedCall(), nextInputTimeoutMs);
}

function runQueuedCall(): void {
  const callback = queuedCall;
  queuedCall = undefined;
  callback?.();
}

/** Hidden tabs get no animation frames, so a timer replaces them. */
export function scheduleFrame(callback: () => void): void {
  if (isPageVisible()) requestAnimationFrame(callback);
  else setTimeout(callback, 250);
}

/** Call before a frame; a message event arrives after it has been painted. */
function afterFrame(callback: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    callback();
  };
  port2.postMessage(undefined);
}

/** Calls back once, after the first paint or after a second. */
export function afterFirstPaint(callback: () => void): void {
  let isWaiting = true;
  const run = () => {
    if (isWaiting) callback();
    isWaiting = false;
  };
  scheduleFrame(() => afterFrame(run));
  setTimeout(run, 1_000);
}

/** Calls back when what was updated before has been rendered. */
export function afterRender(callback: () => void): void {
  scheduleFrame(() => scheduleFrame(callback));
}

/** Renders what the update changes before it returns. */
export function renderNow(update: () => void): void {
  const { debounceRendering } = options;
  let render = () => {};
  options.debounceRendering = (callback) => {
    render = callback;
  };
  update();
  if (debounceRendering) options.debounceRendering = debounceRendering;
  render();
}

export function isPageVisible(): boolean {
  return document.visibilityState === 'visible';
}

/** User Timing marks: `writable` when the composer accepts input, `history` when messages show. */
type Milestone = 'writable' | 'history';

const reachedMilestones = new Set<Milestone>();

/** Sets the mark the first time only. */
export function markMilestone(milestone: Milestone): void {
  if (reachedMilestones.has(milestone)) return;
  reachedMilestones.add(milestone);
  performance.mark(milestone);
}
