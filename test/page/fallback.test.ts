/** The page behind a proxy that blocks WebSocket. */
import { describe, expect, it } from 'vitest';
import { hasChromium, openBrowser, say, shows, signInByForm } from '../chromium.js';
import { BLOCKED, BUFFER, Nginx, OPEN, type Rules } from '../connect/nginx.js';
import { hasTool, temporaryFolder } from '../harness.js';
import { freePort, startServer } from '../process.js';
import { eventually, openDialog, says, visitor } from './people.js';

/** Ann's page behind nginx, and Bob, who is in the room without it. */
async function start(rules: Rules) {
  const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
  const bob = await visitor(server, 'Bob');
  await bob.enters('lobby');
  const nginx = new Nginx(await freePort(), server.port);
  await nginx.start(rules);
  const page = await (await (await openBrowser()).newContext()).newPage();
  await signInByForm(page, nginx.door.origin, 'Ann');
  return { nginx, page, bob };
}

describe.runIf(hasChromium && hasTool('nginx'))(
  'behind a proxy that blocks WebSocket',
  { timeout: 60_000 },
  () => {
    it('the page goes on over a stream, says so in the settings, and remembers it', async () => {
      const { nginx, page, bob } = await start(OPEN);
      await says(bob, 'lobby', 'one');
      await shows(page, ['1 one']);
      nginx.change(BLOCKED);
      await eventually(() => page.evaluate(() => localStorage.getItem('oneport.transport'))).toMatch(
        /^stream /,
      );
      await says(bob, 'lobby', 'two');
      await say(page, 'three');
      await shows(page, ['1 one', '2 two', '3 three']);
      await page.goto('about:blank'); // until here it may have tried again
      let sockets = 0;
      page.on('websocket', () => sockets++);
      await page.goto(`${nginx.door.origin}/r/lobby`);
      await page.locator('.dot.live').waitFor();
      expect(sockets).toBe(0); // some seconds later it tries again
      await says(bob, 'lobby', 'four');
      await shows(page, ['1 one', '2 two', '3 three', '4 four']);
      await openDialog(page, 'Settings');
      await page.getByText('Event stream, because WebSocket is blocked here.').waitFor();
    });

    it('the page polls when the proxy holds streams back too', async () => {
      const { page, bob } = await start({ ...BLOCKED, rest: BUFFER });
      await says(bob, 'lobby', 'one');
      await say(page, 'two');
      await shows(page, ['1 one', '2 two']);
      const people = page.getByRole('complementary', { name: 'People' });
      await eventually(() => people.textContent()).toMatch(/2.*Ann.*and 1 more/s);
      await openDialog(page, 'Settings');
      await page.getByText('Long polling').waitFor();
      await says(bob, 'lobby', 'three');
      await eventually(() => page.locator('[data-id="3"]').count()).toBe(1);
    });
  },
);
