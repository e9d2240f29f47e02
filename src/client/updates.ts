/**
 * Whether the server has a newer page than this one. It is a hint, never a forced reload: what is open here goes on
 * working, but for parts that are loaded when used and that a deploy took away.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import { type Address, parseAddress } from './address.js';
import * as api from './api.js';

/** Put in by build.js: the same as in version.json. */
declare const VERSION: string | undefined;
export const pageVersion = typeof VERSION === 'undefined' ? undefined : VERSION;

const updateState = signal(false);
export const updateAvailable: ReadonlySignal<boolean> = updateState;

/** To be called when that may have changed, and when a part of the page could not be loaded. */
export async function checkVersion(): Promise<void> {
  if (updateState.peek() || pageVersion === undefined) return;
  const now = await api.latestVersion();
  if (now !== undefined && now !== pageVersion) updateState.value = true;
}

/** Starts the service worker (src/worker/sw.ts), and hears where a notification's click leads. */

const workerUrl = '/sw.js';

/** Just what is used of Trusted Types, which not all browsers (nor TypeScript) know. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): {
    createScriptURL(url: string): string;
  };
}

/** Registers it once the page has time. Browsers without, or pages over plain http, do without. */
export function startServiceWorker(go: (address: Address) => void): void {
  if (!('serviceWorker' in navigator)) return;
  const { serviceWorker } = navigator;
  serviceWorker.addEventListener('message', ({ data }) => {
    const path: unknown = data?.go;
    const address = typeof path === 'string' ? parseAddress(new URL(path, location.href)) : undefined;
    if (address) go(address);
  });
  const start = () => void registerWorker(serviceWorker).catch(() => {}); // forbidden by the browser: then not offline
  if (document.readyState === 'complete') start();
  else addEventListener('load', start, { once: true });
}

/** A worker that waits for the pages of an older version to go may come at once, when this page is of its own. */
async function registerWorker(serviceWorker: ServiceWorkerContainer): Promise<void> {
  const registration = await serviceWorker.register(trustedScriptUrl(workerUrl), { scope: '/' });
  const offer = () => registration.waiting?.postMessage({ takeOver: pageVersion });
  const follow = () => registration.installing?.addEventListener('statechange', offer);
  registration.addEventListener('updatefound', follow);
  follow(); // one may be on its way already
  offer();
  await registration.update(); // browsers look by themselves too, but take their time
}

/** The policy lets one address pass, whatever this page may be talked into. */
function trustedScriptUrl(url: string): string {
  const types: TrustedTypes | undefined = Reflect.get(globalThis, 'trustedTypes');
  const policy = types?.createPolicy('oneport', {
    createScriptURL: (asked) => {
      if (asked === workerUrl) return asked;
      throw new TypeError('no such script');
    },
  });
  return policy?.createScriptURL(url) ?? url;
}

/** Takes the page that was kept for this person away: who opens it next is somebody else. */
export async function deleteCachedPage(): Promise<void> {
  try {
    const registration = await navigator.serviceWorker?.getRegistration();
    const workers = [registration?.installing, registration?.waiting, registration?.active];
    for (const worker of workers) worker?.postMessage({ forget: true }); // it may be about to keep one
    for (const name of await caches.keys()) await (await caches.open(name)).delete('/page');
  } catch {}
}
