/** Errors are a page for a browser's navigation, in its language, and JSON for everything else. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import Koa from 'koa';
import pino from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readConfig } from '../../src/config.js';
import { ErrorPage, errorHandler } from '../../src/http/errors.js';
import { Telemetry } from '../../src/telemetry.js';
import { type Env, startChat } from '../harness.js';

/** What Chromium sends when somebody follows a link. */
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8';

async function ask(path: string, headers: Env, init: RequestInit = {}) {
  const { origin } = await startChat();
  const answer = await fetch(origin + path, { headers, redirect: 'manual', ...init });
  const [type] = (answer.headers.get('content-type') ?? '').split(';');
  return { answer, type, text: await answer.text() };
}

describe('an error', () => {
  it.each([
    ['/nothing', 404, 'Page not found'],
    ['/r/bad%20room', 404, 'That isn’t a valid room name.'],
    ['/r/%zz', 404, 'That isn’t a valid room name.'],
  ])('is a page when a browser navigates to %s', async (path, status, says) => {
    const { answer, type, text } = await ask(path, { accept: BROWSER, 'accept-language': 'en' });
    expect([answer.status, type]).toEqual([status, 'text/html']);
    expect(text).toContain(`<h1>${says}</h1>`);
    expect(text).toContain('<a class="enter" href="/">Back to the chat</a>');
    expect(text).not.toMatch(/\{\{|<script|style=/);
    expect(answer.headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(answer.headers.get('vary')).toMatch(/^Accept, Accept-Language, Cookie/);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('is in the chosen language, else in the browser’s', async () => {
    const chosen = await ask('/nothing', { accept: BROWSER, 'accept-language': 'en', cookie: 'lang=zh-CN' });
    expect(chosen.text).toContain('<html lang="zh-CN">');
    expect(chosen.text).toContain('页面不存在');
    expect((await ask('/nothing', { accept: BROWSER, 'accept-language': 'zh-TW' })).text).toContain(
      '错误 404',
    );
  });

  it('is a page after a refused form', async () => {
    const headers = {
      accept: BROWSER,
      origin: 'http://evil.example',
      'content-type': 'application/x-www-form-urlencoded',
    };
    const { answer, type } = await ask('/signin', headers, { method: 'POST', body: 'name=Ann' });
    expect([answer.status, type]).toEqual([403, 'text/html']);
  });

  it('of the server is a page that reveals nothing about it', async () => {
    const app = new Koa();
    const page = new ErrorPage(fileURLToPath(new URL('../../public', import.meta.url)), readConfig({}).site);
    const logger = pino({ level: 'silent' });
    const telemetry = new Telemetry(logger, Date.now);
    app.use(errorHandler({ logger, telemetry, onError: () => {} }, page)).use(() => {
      throw new Error('secret');
    });
    const server = app.listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { accept: BROWSER } });
    const text = await answer.text();
    expect([answer.status, answer.headers.get('content-type')]).toEqual([500, 'text/html; charset=utf-8']);
    expect(text).toContain('Error 500');
    expect(text).not.toContain('secret');
  });

  it.each([
    ['/nothing', '*/*', 404, 'not_found'],
    ['/nothing', 'application/json', 404, 'not_found'],
    ['/r/bad%20room', 'application/json, text/html;q=0.5', 404, 'invalid_room'],
    ['/api/me', BROWSER, 401, 'not_signed_in'],
    ['/api/nothing', BROWSER, 404, 'not_found'],
  ])('at %s is JSON for Accept: %s', async (path, accept, status, code) => {
    const { answer, type, text } = await ask(path, { accept });
    expect([answer.status, type]).toEqual([status, 'application/json']);
    expect(JSON.parse(text)).toMatchObject({ error: { code } });
  });
});
