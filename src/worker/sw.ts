/**
 * The service worker: opens the page offline. Invariants:
 * - A page from the network has priority over the cached one.
 * - Files with a hash in their name are fetched once.
 * - Each version has its own cache, which is deleted after the last page of that version.
 */
export type {}; // makes this a module, so that `self` can be redeclared

declare const self: ServiceWorkerGlobalScope;
/** Defined by build.js: this build's version and files. */
declare const VERSION: string;
declare const SHELL: readonly string[];

/** BASE_PATH of the server. */
const basePath = new URL('.', location.href).pathname;
/** Another chat at another path of the origin has caches of its own. */
const cachePrefix = basePath === '/' ? 'oneport ' : `oneport ${basePath} `;
const cacheName = cachePrefix + VERSION;
/** Cache key of the page. Without its snapshot it is the same for all of a user's rooms. */
const pageKey = `${basePath}page`;
const shell = SHELL.map((path) => basePath + path.slice(1));
/** After this time the cached page is used, if there is one. */
const networkTimeoutMs = 5_000;
/** A closed page counts as a client for a few seconds on a busy machine. */
const maxClientChecks = 30;
const clientCheckMs = 1_000;

self.addEventListener('install', (event) => {
  event.waitUntil(install());
  leaveToNetwork(event);
});
self.addEventListener('activate', (event) => event.waitUntil(activate()));
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  if (request.mode === 'navigate') {
    if (url.pathname === basePath || url.pathname.startsWith(`${basePath}r/`))
      event.respondWith(respondWithPage(event));
  } else if (url.pathname.startsWith(`${basePath}js/`)) event.respondWith(respondWithFile(request));
  else if (shell.includes(url.pathname)) event.respondWith(respondFromNetwork(request));
});
/** The only page of this version: the new worker need not wait for the old one's pages. */
self.addEventListener('message', (event) => {
  if (event.data?.takeOver === VERSION && event.source instanceof Client)
    event.waitUntil(takeOver(event.source));
  if (event.data?.forget === true) event.waitUntil(deletePage());
});
self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(openMessage(event.notification.data));
});

interface RoutedInstallEvent {
  readonly addRoutes?: (routes: readonly object[]) => Promise<void>;
}

/** What the worker does not answer must not wait for it: a page that closes could not send its last requests. */
function leaveToNetwork(event: ExtendableEvent & RoutedInstallEvent): void {
  const isNoGet = { not: { requestMethod: 'GET' } };
  event.waitUntil(
    event.addRoutes?.([{ condition: isNoGet, source: 'network' }]).catch(() => {}) ?? Promise.resolve(),
  );
}

async function install(): Promise<void> {
  const cache = await caches.open(cacheName);
  await cache.addAll(shell.map((path) => new Request(path, { cache: 'no-cache' })));
  const atSignout = signoutCount;
  const response = await fetch(`${basePath}r/lobby`, { redirect: 'manual', cache: 'no-cache' }).catch(
    () => undefined,
  );
  if (response?.ok) await cachePage(cache, response, atSignout);
}

/** Counts sign-outs, so that a page requested before one is not cached after it. */
let signoutCount = 0;

async function cachePage(cache: Cache, response: Response, atSignout: number): Promise<void> {
  const headers = new Headers(response.headers);
  for (const name of ['content-length', 'content-encoding']) headers.delete(name); // they describe the original bytes
  const html = withoutSnapshot(await response.text());
  if (html !== undefined && atSignout === signoutCount)
    await cache.put(pageKey, new Response(html, { headers }));
  if (atSignout !== signoutCount) await cache.delete(pageKey); // signed out meanwhile
}

/** Removes the snapshot, which belongs to one room and moment and may contain deleted text. */
function withoutSnapshot(html: string): string | undefined {
  const [before, after, ...more] = html.split(
    /(?<=<script type="application\/json" id="snapshot">)[^<]*(?=<)/,
  );
  return after === undefined || more.length > 0 ? undefined : before + after;
}

async function deletePage(): Promise<void> {
  signoutCount++;
  await (await caches.open(cacheName)).delete(pageKey);
}

async function activate(): Promise<void> {
  const old = (await caches.keys()).filter((name) => isOurs(name) && name !== cacheName);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

function isOurs(name: string): boolean {
  return name.startsWith(cachePrefix) && !name.slice(cachePrefix.length).includes(' ');
}

/** Replaces the old worker once `page`, which has this version, is the only open page. */
async function takeOver(page: Client): Promise<void> {
  for (let check = 0; check < maxClientChecks; check++) {
    const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
    if (pages.every(({ id }) => id === page.id)) return self.skipWaiting();
    await new Promise((resolve) => setTimeout(resolve, clientCheckMs));
  }
}

/** Returns the page from the network, or from the cache when the network or the server fails. */
async function respondWithPage(event: FetchEvent): Promise<Response> {
  const atSignout = signoutCount;
  const fetched = fetch(event.request);
  fetched.catch(() => {}); // it may fail before it is awaited
  const cache = await caches.open(cacheName);
  const cached = await cache.match(pageKey);
  const response = await (cached ? withinTimeout(fetched) : fetched).catch((error: unknown) => {
    if (cached) return cached;
    throw error;
  });
  if (response.status >= 500 && cached) return cached;
  if (response !== cached && response.ok && !response.redirected)
    event.waitUntil(cachePage(cache, response.clone(), atSignout));
  return response;
}

function withinTimeout(response: Promise<Response>): Promise<Response> {
  return new Promise((resolve, reject) => {
    response.then(resolve, reject);
    setTimeout(() => reject(new Error('timeout')), networkTimeoutMs);
  });
}

/** Hashed names never change their content. */
async function respondWithFile(request: Request): Promise<Response> {
  const cached = await caches.match(request);
  if (cached) return cached;
  const response = await fetch(request);
  if (response.ok) await (await caches.open(cacheName)).put(request, response.clone());
  return response;
}

async function respondFromNetwork(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(request)) ?? Response.error();
  }
}

/** Opens a notification's message, in an open page if there is one. */
async function openMessage(path: unknown): Promise<void> {
  if (typeof path !== 'string') return;
  const [page] = await self.clients.matchAll({ type: 'window' });
  if (page) {
    page.postMessage({ go: path });
    await page.focus();
  } else await self.clients.openWindow(path);
}
