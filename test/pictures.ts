/**
 * Pictures of every screen and state (scenes.ts), for people to look at: `npm run screenshots`. They go to
 * test/screenshots, which git does not keep; the picture of the README is put together from some of them.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { hasTool } from './harness.js';
import { SCENES, showScene } from './scenes.js';
import { ROOMS, seed } from './seed.js';
import { openStage, type Stage } from './stage.js';

const folder = fileURLToPath(new URL('./screenshots', import.meta.url));
const picture = fileURLToPath(new URL('../docs/page.png', import.meta.url));
const only = process.env['ONLY'];

it('are taken', { timeout: 900_000 }, async () => {
  expect(hasTool('chromium')).toBe(true);
  mkdirSync(folder, { recursive: true });
  const stage = await openStage();
  await seed(stage);
  await populate(stage);
  const rest = SCENES.filter(({ name }) => !only || name.startsWith(only));
  const take = async (): Promise<void> => {
    for (let scene = rest.shift(); scene; scene = rest.shift()) {
      try {
        const page = await showScene(scene, stage);
        await page.screenshot({ path: join(folder, `${scene.name}.png`) });
        await page.context().close();
      } catch (error) {
        expect.soft(error, scene.name).toBeUndefined();
      }
    }
  };
  await Promise.all([take(), take(), take()]);
  if (!only) await compose(stage);
});

/** Some are here, besides whoever looks. */
async function populate(stage: Stage): Promise<void> {
  for (const name of ['Bob Okonkwo', '林美', 'Noor']) await (await stage.person(name)).enters(ROOMS.talk);
  await (await stage.person('Bob Okonkwo')).enters(ROOMS.busy);
}

/** The page, light, dark and on a phone, on one sheet. */
async function compose(stage: Stage): Promise<void> {
  const url = (name: string) =>
    `data:image/png;base64,${readFileSync(join(folder, `${name}.png`)).toString('base64')}`;
  // a little smaller, so that the README loads quickly
  const context = await stage.browser.newContext({
    viewport: { width: 1300, height: 860 },
    deviceScaleFactor: 0.92,
  });
  const page = await context.newPage();
  await page.setContent(`<style>
    body { margin: 0; height: 860px; background: #cfdfdb; position: relative; overflow: hidden }
    img { position: absolute; border-radius: 12px; box-shadow: 0 2px 4px #0002, 0 16px 40px #0003 }
    </style>
    <img src="${url('talk')}" style="left: 30px; top: 30px; width: 940px">
    <img src="${url('talk-dark')}" style="left: 250px; top: 300px; width: 850px">
    <img src="${url('talk-phone-chinese')}" style="left: 985px; top: 60px; width: 285px; border-radius: 24px">`);
  await page.screenshot({ path: picture });
  await context.close();
}
