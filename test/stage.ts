/**
 * A server with people, rooms and messages in it, and a Chromium to look at it: where the scenes (scenes.ts) are played
 * for the tests of accessibility and for the pictures.
 */
import type { Browser, BrowserContextOptions, Cookie, Page } from 'playwright-core';
import { openBrowser, watch } from './chromium.js';
import { Door, temporaryFolder, type Visitor } from './harness.js';
import { startServer } from './process.js';

export interface View {
  /** who looks; undefined: nobody has signed in */
  readonly as?: string | undefined;
  readonly path: string;
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  readonly language?: string;
  readonly options?: BrowserContextOptions;
}

export class Stage {
  readonly browser: Browser;
  readonly door: Door;
  readonly #people = new Map<string, Visitor>();

  constructor(browser: Browser, door: Door) {
    this.browser = browser;
    this.door = door;
  }

  async person(name: string): Promise<Visitor> {
    const known = this.#people.get(name);
    if (known) return known;
    const visitor = await this.door.signIn(name);
    this.#people.set(name, visitor);
    return visitor;
  }

  /** Puts something into a room's log; answers its number. */
  async post(name: string, room: string, posting: object): Promise<number> {
    const answer = await (await this.person(name)).post(
      `/api/rooms/${encodeURIComponent(room)}/messages`,
      posting,
    );
    if (!answer.ok) throw new Error(`${name} cannot post: ${answer.status} ${await answer.text()}`);
    return ((await answer.json()) as { id: number }).id;
  }

  says(name: string, room: string, data: string): Promise<number> {
    return this.post(name, room, { data });
  }

  /** Moves somebody's read mark. */
  async reads(name: string, room: string, id: number): Promise<void> {
    const headers = { cookie: (await this.person(name)).cookie, 'content-type': 'application/json' };
    const url = `${this.door.origin}/api/rooms/${encodeURIComponent(room)}/read`;
    const answer = await fetch(url, { method: 'PUT', headers, body: JSON.stringify({ id }) });
    if (!answer.ok) throw new Error(`${name} cannot read: ${answer.status}`);
  }

  /** A page of its own, as a person with this browser sees it. What it complains of fails the test. */
  async open({
    as,
    path,
    width = 1280,
    height = 800,
    dark,
    language = 'en-GB',
    options,
  }: View): Promise<Page> {
    const context = await this.browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
      locale: language,
      timezoneId: 'Europe/London',
      reducedMotion: 'reduce',
      ...options,
    });
    if (as !== undefined) await context.addCookies(cookies(await this.person(as), this.door.origin));
    const page = await context.newPage();
    watch(page);
    await page.goto(this.door.origin + path);
    return page;
  }
}

/** A person's cookies, for a browser. */
export function cookies({ cookie }: Visitor, url: string): Pick<Cookie, 'name' | 'value'>[] {
  return cookie.split('; ').map((pair) => {
    const at = pair.indexOf('=');
    return { name: pair.slice(0, at), value: pair.slice(at + 1), url };
  });
}

export async function openStage(): Promise<Stage> {
  const { port } = await startServer({ env: { DATA_DIR: temporaryFolder() } });
  return new Stage(await openBrowser(), new Door(port));
}
