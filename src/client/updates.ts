/**
 * Detects a newer version of the page. The page only suggests a reload, because an open page keeps working
 * except for parts that load later.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import { type Address, parseAddress } from './address.js';
import * as api from './api.js';
import { basePath, publicPath } from './site.js';

/** Defined by build.js, equal to version.json. */
declare const VERSION: string | undefined;
const pageVersion = typeof VERSION === 'undefined' ? undefined : VERSION;

const updateState = signal(false);
export const updateAvailable: ReadonlySignal<boolean> = updateState;

/** Call when a deployment is likely, and when a chunk failed to load. */
export async function checkVersion(): Promise<void> {
  if (updateState.peek() || pageVersion === undefined) return;
  const latest = await api.latestVersion();
  if (latest !== undefined && latest !== pageVersion) updateState.value = true;
}

/** Registers the service worker (src/worker/sw.ts) and handles clicks on notifications. */

const workerUrl = publicPath('/sw.js');

/** The part of the Trusted Types API that is used here. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string };
}

/** Does nothing where service workers are unavailable, such as over plain http. */
export function startServiceWorker(navigate: (address: Address) => void): void {
  if (!('serviceWorker' in navigator)) return;
  const { serviceWorker } = navigator;
  serviceWorker.addEventListener('message', ({ data }) => {
    const path: unknown = data?.go;
    const address = typeof path === 'string' ? parseAddress(new URL(path, location.href)) : undefined;
    if (address) navigate(address);
  });
  const start = () => void registerWorker(serviceWorker).catch(() => {}); // forbidden by the browser
  if (document.readyState === 'complete') start();
  else addEventListener('load', start, { once: true });
}

/** A waiting worker of this page's version may take over at once. */
async function registerWorker(serviceWorker: ServiceWorkerContainer): Promise<void> {
  const registration = await serviceWorker.register(trustedScriptUrl(workerUrl), { scope: basePath });
  const offer = () => registration.waiting?.postMessage({ takeOver: pageVersion });
  const follow = () => registration.installing?.addEventListener('statechange', offer);
  registration.addEventListener('updatefound', follow);
  follow(); // one may be installing already
  offer();
  await registration.update(); // browsers check by themselves, but late
}

/** Allows one URL only. */
function trustedScriptUrl(url: string): string {
  const trustedTypes: TrustedTypes | undefined = Reflect.get(globalThis, 'trustedTypes');
  const policy = trustedTypes?.createPolicy('oneport', {
    createScriptURL: (requested) => {
      if (requested === workerUrl) return requested;
      throw new TypeError('no such script');
    },
  });
  return policy?.createScriptURL(url) ?? url;
}

/** Removes the cached page, because the next person at this browser may be someone else. */
export async function deleteCachedPage(): Promise<void> {
  try {
    const registration = await navigator.serviceWorker?.getRegistration();
    const workers = [registration?.installing, registration?.waiting, registration?.active];
    for (const worker of workers) worker?.postMessage({ forget: true }); // it may be about to cache one
    for (const name of await caches.keys()) await (await caches.open(name)).delete(publicPath('/page'));
  } catch {}
}
