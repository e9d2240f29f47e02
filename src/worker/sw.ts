/**
 * The service worker: the page opens without the network, and never in an old version when there is one. What must stay
 * true: a page that came from the network is shown before a kept one; files with a hash in their name are never asked
 * for twice; each version keeps its own files, and they go with the last page of that version.
 */
export type {}; // a module: `self` below is its own

declare const self: ServiceWorkerGlobalScope;
/** Put in by build.js: of this build, and the paths of all its files. */
declare const VERSION: string;
declare const SHELL: readonly string[];

const PREFIX = 'oneport ';
const CACHE = PREFIX + VERSION;
/** The page of a room: without its snapshot it is the same for all rooms of one person. */
const PAGE = '/page';
/** A network that takes longer for the page is as good as none, when there is a kept one. */
const PATIENCE_MS = 5_000;
/** A page that was just closed is counted for a while, on a busy machine for some seconds. */
const LOOKS = 30;
const LOOK_MS = 1_000;

self.addEventListener('install', (event) => event.waitUntil(install()));
self.addEventListener('activate', (event) => event.waitUntil(activate()));
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  if (request.mode === 'navigate') {
    if (url.pathname === '/' || url.pathname.startsWith('/r/')) event.respondWith(page(event));
  } else if (url.pathname.startsWith('/js/')) event.respondWith(file(request));
  else if (SHELL.includes(url.pathname)) event.respondWith(picture(request));
});
/** A page of this version, alone here: it need not wait until the old worker's last page is gone. */
self.addEventListener('message', (event) => {
  if (event.data?.takeOver === VERSION) event.waitUntil(takeOver());
  if (event.data?.forget === true) event.waitUntil(forget());
});
self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(lead(event.notification.data));
});

async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll(SHELL.map((path) => new Request(path, { cache: 'no-cache' })));
  const forPerson = person;
  const answer = await fetch('/r/lobby', { redirect: 'manual', cache: 'no-cache' }).catch(() => undefined);
  if (answer?.ok) await keep(cache, answer, forPerson);
}

/** How often somebody has signed out while this worker ran: a page that was asked for before is not kept after it. */
let person = 0;

async function keep(cache: Cache, answer: Response, forPerson: number): Promise<void> {
  const headers = new Headers(answer.headers);
  for (const name of ['content-length', 'content-encoding']) headers.delete(name); // of what came, not of what is kept
  const html = emptied(await answer.text());
  if (html !== undefined && forPerson === person) await cache.put(PAGE, new Response(html, { headers }));
  if (forPerson !== person) await cache.delete(PAGE); // signed out while it was written
}

/** Without the snapshot (src/http/snapshot.ts), which is of one room and one moment, with texts that may be deleted since. */
function emptied(html: string): string | undefined {
  const [before, after, ...more] = html.split(
    /(?<=<script type="application\/json" id="snapshot">)[^<]*(?=<)/,
  );
  return after === undefined || more.length > 0 ? undefined : before + after;
}

async function forget(): Promise<void> {
  person++;
  await (await caches.open(CACHE)).delete(PAGE);
}

async function activate(): Promise<void> {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function takeOver(): Promise<void> {
  for (let look = 0; look < LOOKS; look++) {
    const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
    if (pages.length <= 1) return self.skipWaiting();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** From the network; the kept one when there is none, or what is there is broken. */
async function page(event: FetchEvent): Promise<Response> {
  const forPerson = person;
  const asked = fetch(event.request);
  asked.catch(() => {}); // it may fail while what is kept is looked for
  const cache = await caches.open(CACHE);
  const kept = await cache.match(PAGE);
  const answer = await (kept ? inTime(asked) : asked).catch((error: unknown) => {
    if (kept) return kept;
    throw error;
  });
  if (answer.status >= 500 && kept) return kept;
  if (answer !== kept && answer.ok && !answer.redirected)
    event.waitUntil(keep(cache, answer.clone(), forPerson));
  return answer;
}

function inTime(answer: Promise<Response>): Promise<Response> {
  return new Promise((resolve, reject) => {
    answer.then(resolve, reject);
    setTimeout(() => reject(new Error('too slow')), PATIENCE_MS);
  });
}

/** The name says which one it is: what was kept is right for ever. */
async function file(request: Request): Promise<Response> {
  const kept = await caches.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await (await caches.open(CACHE)).put(request, answer.clone());
  return answer;
}

async function picture(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(request)) ?? Response.error();
  }
}

/** To the message that a notification told of, in a page that is open if there is one. */
async function lead(path: unknown): Promise<void> {
  if (typeof path !== 'string') return;
  const [open] = await self.clients.matchAll({ type: 'window' });
  if (open) {
    open.postMessage({ go: path });
    await open.focus();
  } else await self.clients.openWindow(path);
}
