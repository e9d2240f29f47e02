/**
 * Whether the server has a newer page than this one. It is a hint, never a forced reload: what is open here goes on
 * working, but for parts that are loaded when used and that a deploy took away.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import * as api from './api.js';

/** Put in by build.js: the same as in version.json. */
declare const VERSION: string | undefined;
export const mine = typeof VERSION === 'undefined' ? undefined : VERSION;

const state = signal(false);
export const newer: ReadonlySignal<boolean> = state;

/** To be called when that may have changed, and when a part of the page could not be loaded. */
export async function checkVersion(): Promise<void> {
  if (state.peek() || mine === undefined) return;
  const now = await api.version();
  if (now !== undefined && now !== mine) state.value = true;
}
