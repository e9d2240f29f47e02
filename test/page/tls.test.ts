/** The page over TLS, with Node alone. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasChromium, openBrowser, say, shows, signInByForm } from '../chromium.js';
import { hasTool, temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';

describe.runIf(hasChromium && hasTool('openssl'))('the page over TLS', { timeout: 60_000 }, () => {
  it('signs in with a Secure cookie, writes by wss, and goes on over a new certificate', async () => {
    const folder = temporaryFolder();
    const [TLS_CERT, TLS_KEY] = [join(folder, 'fullchain.pem'), join(folder, 'privkey.pem')];
    const make = () =>
      spawnSync('openssl', [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost'],
        ...['-keyout', TLS_KEY, '-out', TLS_CERT],
      ]);
    make();
    const server = await startServer({ env: { DATA_DIR: temporaryFolder(), TLS_CERT, TLS_KEY } });
    const context = await (await openBrowser()).newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await signInByForm(page, `https://127.0.0.1:${server.port}`, 'Ann');
    await say(page, 'one');
    await shows(page, ['1 one']);
    const session = (await context.cookies()).filter(({ name }) => name.startsWith('name'));
    expect(session.length).toBeGreaterThan(1);
    for (const cookie of session) expect(cookie).toMatchObject({ secure: true, httpOnly: true });
    await page.evaluate(() => Object.assign(window, { same: true }));
    make();
    server.child.kill('SIGHUP');
    await expect.poll(server.errors).toContain('reloaded the certificate');
    await say(page, 'two');
    await shows(page, ['1 one', '2 two']);
    expect(await page.locator('.dot.live').count()).toBe(1);
    await page.reload(); // a new connection, with the new certificate
    await shows(page, ['1 one', '2 two']);
  });
});
