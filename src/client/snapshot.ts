/** What the page was delivered with, out of its HTML (src/http/snapshot.ts). A page that was kept has none. */
import { parseJsonObject } from '../shared/parse.js';
import type { Address } from './address.js';
import { parseSnapshot, type Snapshot } from './state/answers.js';

/** Undefined when it is of somebody else or another room. What was said does not stay in the page's source. */
export function snapshotOf(user: string, { room }: Address): Snapshot | undefined {
  const element = document.getElementById('snapshot');
  const snapshot = parseSnapshot(parseJsonObject(element?.textContent ?? ''));
  element?.remove();
  return snapshot?.user.id === user && snapshot.room === room ? snapshot : undefined;
}
