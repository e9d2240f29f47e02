/** axe on every screen and state of scenes.ts, and the focus, in Chromium. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium } from './chromium.js';
import { SCENES, showScene } from './scenes.js';
import { ROOMS, seed } from './seed.js';
import { openStage } from './stage.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Finding {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** What axe finds on a page, one line for each place. */
async function faultsOf(page: Page): Promise<string[]> {
  const found = await page.evaluate(async (source) => {
    new Function(source)(); // the page's policy is bypassed for this (bypassCSP)
    const { axe } = globalThis as unknown as {
      axe: { run: (root: Node, options: object) => Promise<{ violations: Finding[] }> };
    };
    const shown = document.querySelector('dialog[open]') ?? document; // other scenes show what is behind it
    return (await axe.run(shown, { resultTypes: ['violations'] })).violations;
  }, axe);
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
  );
}

const names = new Set(SCENES.map(({ name }) => name));

/**
 * Whether a scene is another one in another language, or in a width between those of the desk and the phone. Left out to save
 * time, unless it is dark. `ONLY=` looks at every scene, `ONLY=talk` at those that begin so.
 */
function isVariant(name: string): boolean {
  const other = name.replace(/-(chinese|middle|small|wide|tablet)$/, '');
  return other !== name && !name.includes('dark') && names.has(other);
}

describe.runIf(hasChromium)('axe', () => {
  it('finds nothing on any screen', { timeout: 600_000 }, async () => {
    const stage = await openStage();
    await seed(stage);
    const bob = await stage.person('Bob Okonkwo');
    await bob.enters(ROOMS.talk);
    const only = process.env['ONLY'];
    const rest = SCENES.filter(({ name }) => (only === undefined ? !isVariant(name) : name.startsWith(only)));
    const look = async (): Promise<void> => {
      for (let scene = rest.shift(); scene; scene = rest.shift()) {
        const view = { ...scene.view, options: { bypassCSP: true, ...scene.view.options } };
        try {
          const page = await showScene({ ...scene, view }, stage);
          expect.soft(await faultsOf(page), scene.name).toEqual([]);
          await page.context().close();
        } catch (error) {
          expect.soft(error, scene.name).toBeUndefined();
        }
      }
    };
    await Promise.all([look(), look(), look()]);
  });

  it('finds a fault that is there', { timeout: 60_000 }, async () => {
    const stage = await openStage();
    const page = await stage.open({ path: '/signin', options: { bypassCSP: true } });
    await page.locator('label').evaluate((label) => label.remove());
    expect((await faultsOf(page)).join()).toContain('label:');
  });
});
