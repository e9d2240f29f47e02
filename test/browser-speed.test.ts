/**
 * The measurements of `npm run measure`, smaller. Other tests run at the same time, so no duration is held to
 * its goal here.
 */
import { describe, expect, it } from 'vitest';
import { hasChromium } from './chromium.js';
import { type Figure, figuresOfLong, figuresOfOpening, figuresOfTyping } from './speed/figures.js';

const say = (figures: readonly Figure[]) => {
  process.stdout.write(`${figures.map(({ what, value }) => `${what}: ${value}`).join('\n')}\n`);
  return (part: string) => figures.find(({ what }) => what.includes(part))?.figure ?? Number.NaN;
};

describe.runIf(hasChromium)('the page', { timeout: 180_000 }, () => {
  it('leaves time to type while a thousand messages a second arrive', async () => {
    const of = say(await figuresOfTyping(60));
    expect(of('arriving')).toBeLessThan(1_500);
  });

  it('is usable soon on a slow processor, the first time and later', async () => {
    const of = say(await figuresOfOpening(1));
    expect(of('first visit: the history')).toBeLessThan(30_000);
    expect(of('later visit: the history')).toBeLessThan(30_000);
  });

  it('renders few rows of a long room, wherever the user goes', async () => {
    const of = say(await figuresOfLong(10_000, 900));
    for (const what of ['scrolled up', 'scrolled down', 'PageUp'])
      expect(of(`${what}`), what).toBeLessThan(2_000);
    for (const what of ['messages: rows', 'down: rows', 'PageUp: rows'])
      expect(of(what), what).toBeLessThan(200);
    expect(of('heap')).toBeLessThan(60);
  });
});
