/** Starts the service worker (src/worker/sw.ts), and hears where a notification's click leads. */
import { type Address, addressOf } from './address.js';
import { mine } from './version.js';

const URL_OF_WORKER = '/sw.js';

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
export function startWorker(go: (address: Address) => void): void {
  if (!('serviceWorker' in navigator)) return;
  const { serviceWorker } = navigator;
  serviceWorker.addEventListener('message', ({ data }) => {
    const path: unknown = data?.go;
    const address = typeof path === 'string' ? addressOf(new URL(path, location.href)) : undefined;
    if (address) go(address);
  });
  const start = () => void register(serviceWorker).catch(() => {}); // forbidden by the browser: then not offline
  if (document.readyState === 'complete') start();
  else addEventListener('load', start, { once: true });
}

/** A worker that waits for the pages of an older version to go may come at once, when this page is of its own. */
async function register(serviceWorker: ServiceWorkerContainer): Promise<void> {
  const registration = await serviceWorker.register(trusted(URL_OF_WORKER), { scope: '/' });
  const offer = () => registration.waiting?.postMessage({ takeOver: mine });
  const follow = () => registration.installing?.addEventListener('statechange', offer);
  registration.addEventListener('updatefound', follow);
  follow(); // one may be on its way already
  offer();
  await registration.update(); // browsers look by themselves too, but take their time
}

/** The policy lets one address pass, whatever this page may be talked into. */
function trusted(url: string): string {
  const types: TrustedTypes | undefined = Reflect.get(globalThis, 'trustedTypes');
  const policy = types?.createPolicy('oneport', {
    createScriptURL: (asked) => {
      if (asked === URL_OF_WORKER) return asked;
      throw new TypeError('no such script');
    },
  });
  return policy?.createScriptURL(url) ?? url;
}

/** Takes the page that was kept for this person away: who opens it next is somebody else. */
export async function forgetPage(): Promise<void> {
  try {
    const registration = await navigator.serviceWorker?.getRegistration();
    const workers = [registration?.installing, registration?.waiting, registration?.active];
    for (const worker of workers) worker?.postMessage({ forget: true }); // it may be about to keep one
    for (const name of await caches.keys()) await (await caches.open(name)).delete('/page');
  } catch {}
}
