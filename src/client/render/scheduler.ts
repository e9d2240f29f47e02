/**
 * When what has arrived is shown. A page that draws as fast as messages come has no time left for the one who writes.
 * What must stay true: one drawing at a time; after each the page rests so long that the greater part of the time is
 * theirs, in a calm room not at all; and while somebody types, it draws in the pause after a letter was shown.
 */
/** Rest after a drawing, in times of what it took; and milliseconds, after which one would think that nothing comes. */
const restFactor = 8;
const maxRestMs = 500;
/** A drawing that fits easily into a frame needs no rest. */
const cheapRenderMs = 8;

let renderQueue: (() => void)[] = [];
let rendering = false;
let restUntil = 0;

export function schedule(show: () => void): void {
  renderQueue.push(show);
  if (renderQueue.length === 1 && !rendering) scheduleNext();
}

function scheduleNext(): void {
  const wait = restUntil - performance.now();
  if (wait <= 0) scheduleFrame(renderQueued);
  else setTimeout(() => afterInput(renderQueued), wait);
}

/** The drawing itself follows in the next frame: only then it is known what it took. */
function renderQueued(): void {
  const shows = renderQueue;
  renderQueue = [];
  rendering = true;
  scheduleFrame(() => {
    const from = performance.now();
    afterFrame(() => {
      const took = performance.now() - from;
      restUntil = took > cheapRenderMs ? performance.now() + Math.min(restFactor * took, maxRestMs) : 0;
      rendering = false;
      if (renderQueue.length > 0) scheduleNext();
    });
  });
  for (const show of shows) show();
}

/** Whether somebody types: letters are shown before anything else. */

/** Hands that have rested so long do not type now. */
const typingIdleMs = 400;
/** The next letter is not waited for any longer. */
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

/** Calls back at once, or while somebody types when the next letter has been shown: after it there is a pause. */
export function afterInput(call: () => void): void {
  queuedCall = call;
  if (performance.now() - lastInputAt > typingIdleMs) runQueuedCall();
  else setTimeout(() => queuedCall === call && runQueuedCall(), nextInputTimeoutMs);
}

function runQueuedCall(): void {
  const call = queuedCall;
  queuedCall = undefined;
  call?.();
}

/** When the page draws. One that nobody looks at is not drawn by the browser: there it is done now and then. */
export function scheduleFrame(show: () => void): void {
  if (isPageVisible()) requestAnimationFrame(show);
  else setTimeout(show, 250);
}

/** Called before a drawing, it calls back when that is out: a message to oneself comes after the frame. */
export function afterFrame(then: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    then();
  };
  port2.postMessage(undefined);
}

/** Calls back once, when something has been drawn; or soon after, where nobody looks and nothing is. */
export function afterFirstPaint(then: () => void): void {
  let waits = true;
  const go = () => {
    if (waits) then();
    waits = false;
  };
  scheduleFrame(() => afterFrame(go));
  setTimeout(go, 1_000);
}

export function isPageVisible(): boolean {
  return document.visibilityState === 'visible';
}

/** Moments of an opening, for who measures it (User Timing): one can write; there is something to read. */
export type Milestone = 'writable' | 'history';

const reachedMilestones = new Set<Milestone>();

/** Notes the moment, the first time. */
export function markMilestone(milestone: Milestone): void {
  if (reachedMilestones.has(milestone)) return;
  reachedMilestones.add(milestone);
  performance.mark(milestone);
}
