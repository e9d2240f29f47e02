/**
 * A Chromium with nothing of a driver in its pages, over its own protocol (chromedevtools.github.io/devtools-protocol): a
 * driver runs scripts in a page while it opens, and has the stack of each request noted, which on a slow processor is
 * a fifth of what would be measured.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { CHROMIUM, FLAGS } from '../chromium.js';
import { temporaryFolder } from '../harness.js';

type Answer = Readonly<Record<string, unknown>>;

const START_MS = 20_000;

export class BareBrowser {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #asked = 0;

  static async open(): Promise<BareBrowser> {
    const profile = `--user-data-dir=${temporaryFolder()}`;
    const child = spawn(CHROMIUM, [...FLAGS, profile, '--remote-debugging-port=0'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    onTestFinished(async () => {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    });
    const address = await new Promise<string>((resolve, reject) => {
      let said = '';
      setTimeout(() => reject(new Error(`Chromium did not start: ${said}`)), START_MS).unref();
      child.stderr.on('data', (bytes) => {
        said += String(bytes);
        const found = /ws:\/\/\S+/.exec(said)?.[0];
        if (found) resolve(found);
      });
    });
    const socket = new WebSocket(address);
    await once(socket, 'open');
    return new BareBrowser(socket);
  }

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('close', () => {
      for (const answer of this.#waiting.values()) answer({ error: 'Chromium is gone' });
    });
    socket.on('message', (data) => {
      const { id, result, error } = JSON.parse(String(data)) as {
        id: number;
        result?: Answer;
        error?: Answer;
      };
      this.#waiting.get(id)?.(result ?? { error });
      this.#waiting.delete(id);
    });
  }

  /** Asks the browser, or a page of it. @throws when it refuses */
  async ask(method: string, params: object = {}, sessionId?: string): Promise<Answer> {
    const id = ++this.#asked;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    const answer = await new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    if (answer['error']) throw new Error(`${method}: ${JSON.stringify(answer['error'])}`);
    return answer;
  }

  /** A context of its own, with these cookies: nothing of another one's is known in it. */
  async context(cookies: readonly object[]): Promise<string> {
    const { browserContextId } = await this.ask('Target.createBrowserContext');
    await this.ask('Storage.setCookies', { cookies, browserContextId });
    return String(browserContextId);
  }

  async page(
    browserContextId: string,
    { width, height }: { width: number; height: number },
  ): Promise<BarePage> {
    const { targetId } = await this.ask('Target.createTarget', {
      url: 'about:blank',
      newWindow: true,
      browserContextId,
      width,
      height,
    });
    const { sessionId } = await this.ask('Target.attachToTarget', { targetId, flatten: true });
    return new BarePage(this, String(targetId), String(sessionId));
  }
}

export class BarePage {
  readonly #browser: BareBrowser;
  readonly #target: string;
  readonly #session: string;

  constructor(browser: BareBrowser, target: string, session: string) {
    this.#browser = browser;
    this.#target = target;
    this.#session = session;
  }

  ask(method: string, params: object = {}): Promise<Answer> {
    return this.#browser.ask(method, params, this.#session);
  }

  /** What a function that closes over nothing returns there (of JSON). */
  async run<T>(work: () => T | Promise<T>): Promise<T> {
    const { result, exceptionDetails } = await this.ask('Runtime.evaluate', {
      expression: `(${work})()`,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(`in the page: ${JSON.stringify(exceptionDetails)}`);
    return (result as { readonly value: T }).value;
  }

  async close(): Promise<void> {
    await this.#browser.ask('Target.closeTarget', { targetId: this.#target });
  }
}
