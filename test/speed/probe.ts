/** What a browser itself says of its speed: Event Timing, long tasks, frames, its heap. */
import type { CDPSession, Page } from 'playwright-core';

export interface Spread {
  readonly p50: number;
  readonly p95: number;
  readonly longest: number;
  readonly count: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
  return { p50: at(0.5), p95: at(0.95), longest: at(1), count: sorted.length };
}

/** What the page has noted by now (`watchSpeed`). Milliseconds. */
export interface Noted {
  /** of each interaction (a key, a click) that took 16 ms or more: from the event to the frame that shows it */
  readonly interactions: readonly number[];
  /** of each keydown, the same with finer numbers: to the end of the frame's work in the page */
  readonly keys: readonly number[];
  /** tasks of over 50 ms */
  readonly tasks: readonly { readonly start: number; readonly duration: number }[];
}

declare global {
  interface Window {
    noted: {
      interactions: Map<number, number>;
      keys: number[];
      tasks: { start: number; duration: number }[];
    };
    frameTimes: number[] | undefined;
  }
}

/**
 * Makes the window as large as the page in it. Else a part of the page is beyond the window: what changes there is never
 * shown, so by Event Timing a letter in it waits until something else moves.
 */
export async function fitWindow(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const { windowId } = await session.send('Browser.getWindowForTarget');
  const { width, height } = page.viewportSize() ?? { width: 1280, height: 720 };
  await session.send('Browser.setWindowBounds', {
    windowId,
    bounds: { width: width + 100, height: height + 200 },
  });
}

/** Notes from now on. */
export async function watchSpeed(page: Page): Promise<void> {
  await page.evaluate(note);
}

/** Runs in the page. Interactions: web.dev/inp; the longest event of each counts. */
function note(): void {
  const noted: Window['noted'] = { interactions: new Map(), keys: [], tasks: [] };
  window.noted = noted;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as PerformanceEventTiming[]) {
      if (entry.interactionId === 0) continue;
      const before = noted.interactions.get(entry.interactionId) ?? 0;
      noted.interactions.set(entry.interactionId, Math.max(before, entry.duration));
    }
  }).observe({ type: 'event', durationThreshold: 16 } as PerformanceObserverInit);
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) noted.tasks.push({ start: startTime, duration });
  }).observe({ type: 'longtask' });
  const { port1, port2 } = new MessageChannel();
  const pressed: number[] = [];
  port1.onmessage = () => {
    for (const at of pressed.splice(0)) noted.keys.push(performance.now() - at);
  };
  addEventListener(
    'keydown',
    ({ timeStamp }) => {
      pressed.push(timeStamp);
      if (pressed.length === 1) requestAnimationFrame(() => port2.postMessage(undefined));
    },
    true,
  );
}

export function noted(page: Page): Promise<Noted> {
  return page.evaluate(() => ({
    interactions: [...window.noted.interactions.values()],
    keys: window.noted.keys,
    tasks: window.noted.tasks,
  }));
}

/** The time between the page's frames while something is done. */
export async function framesWhile(page: Page, work: () => Promise<unknown>): Promise<readonly number[]> {
  await page.evaluate(() => {
    const frames: number[] = [];
    window.frameTimes = frames;
    let before = performance.now();
    const next = () => {
      if (window.frameTimes !== frames) return;
      const now = performance.now();
      frames.push(now - before);
      before = now;
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
  await work();
  return page.evaluate(() => {
    const frames = window.frameTimes ?? [];
    window.frameTimes = undefined;
    return frames;
  });
}

/** Seconds that the page's main thread has been at work. */
export async function busySeconds(session: CDPSession): Promise<number> {
  return metric(session, 'TaskDuration');
}

/** Bytes of its heap, once what is not needed has gone. */
export async function heapBytes(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  return metric(session, 'JSHeapUsedSize');
}

async function metric(session: CDPSession, name: string): Promise<number> {
  await session.send('Performance.enable');
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find((one) => one.name === name)?.value ?? NaN;
}
