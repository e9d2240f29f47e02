/**
 * How fast the page is, in Chromium: `npm run measure` prints a table. It says something on a machine at rest only: the
 * server, the browser (which draws without a graphics processor) and who types and talks here share its cores.
 */
import { expect, it } from 'vitest';
import { hasTool } from './harness.js';
import { type Figure, figuresOfLong, figuresOfOpening, figuresOfTyping } from './speed/figures.js';

it('are taken', { timeout: 600_000 }, async () => {
  expect(hasTool('chromium')).toBe(true);
  const figures = [
    ...(await figuresOfTyping(200)),
    ...(await figuresOfOpening(5)),
    ...(await figuresOfLong(100_000, 3_000)),
  ];
  process.stdout.write(`\n${table(figures)}\n`);
});

function table(figures: readonly Figure[]): string {
  const head = ['| what | measured |', '|---|---|'];
  return [...head, ...figures.map(({ what, value }) => `| ${what} | ${value} |`)].join('\n');
}
