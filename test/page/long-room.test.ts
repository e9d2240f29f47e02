/** A room of ten thousand messages, in Chromium. How fast it is, `npm run measure` tells. */
import { describe, expect, it } from 'vitest';
import { hasChromium } from '../chromium.js';
import { figuresOfLong } from '../speed/figures.js';

describe.runIf(hasChromium)('a long room', { timeout: 180_000 }, () => {
  it('has few rows in the page and little in memory, wherever the user goes', async () => {
    const figures = await figuresOfLong(10_000, 900);
    process.stdout.write(`${figures.map(({ what, value }) => `${what}: ${value}`).join('\n')}\n`);
    const of = (part: string) => figures.find(({ what }) => what.includes(part))?.figure ?? Number.NaN;
    for (const what of ['messages: rows', 'down: rows', 'PageUp: rows'])
      expect(of(what), what).toBeLessThan(200);
    expect(of('heap')).toBeLessThan(60);
  });
});
