/** Nothing of this person stays in this browser: they leave it, or somebody else has come. */
import { burnDrafts } from './draft.js';
import { keepMe } from './me.js';
import { shelf } from './shelf.js';
import type { Keep } from './state/keep.js';
import { forgetPage } from './worker.js';

/** All but letters: those are for a sweep to burn. */
export async function burn(user: string, keep: Keep): Promise<void> {
  keepMe(undefined);
  burnDrafts(shelf, user);
  await Promise.all([keep.burn(), forgetPage()]);
}
