/** What the operator has set, as the server writes it into the HTML (public/index.html). */
import { DEFAULT_ROOM } from '../shared/protocol.js';

const { site, room } = typeof document === 'undefined' ? {} : document.documentElement.dataset;

export const siteName = site ?? 'Oneport';
/** The room that the address `/` opens. */
export const defaultRoom = room ?? DEFAULT_ROOM;
