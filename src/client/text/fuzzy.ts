/**
 * Finding a name by some of its letters, in their order: "ktn" finds "kitchen". The better the letters stand together
 * and at the beginning of a word, the further up it comes. Pure.
 */
import { parseRoom } from '../../shared/parse.js';
import type { RoomEntry } from '../rooms/list.js';

export interface FuzzyMatch {
  readonly score: number;
  /** where in the name the letters are, as [from, to) */
  readonly hits: readonly (readonly [number, number])[];
}

/** undefined: it does not match. An empty query matches everything. */
export function fuzzyMatch(query: string, name: string): FuzzyMatch | undefined {
  const wanted = query.toLowerCase();
  const text = name.toLowerCase();
  const whole = text.indexOf(wanted);
  if (whole >= 0) return { score: 1_000 - whole * 10 - name.length, hits: singleHit(whole, wanted.length) };
  const places = matchPositions(wanted, text);
  if (!places) return undefined;
  const gaps = (places.at(-1) ?? 0) - (places[0] ?? 0) + 1 - places.length;
  return { score: 500 - gaps * 10 - (places[0] ?? 0) * 5 - name.length, hits: mergeHits(places) };
}

/** Each letter at the first place after the one before; where a word begins is preferred. */
function matchPositions(wanted: string, text: string): readonly number[] | undefined {
  const places: number[] = [];
  let from = 0;
  for (const letter of wanted) {
    const next = text.indexOf(letter, from);
    if (next < 0) return undefined;
    const after = nextWordStart(text, letter, next);
    const place = after !== undefined && canMatchRest(wanted, places.length, text, after) ? after : next;
    places.push(place);
    from = place + letter.length;
  }
  return places;
}

function nextWordStart(text: string, letter: string, from: number): number | undefined {
  for (let at = text.indexOf(letter, from); at >= 0; at = text.indexOf(letter, at + 1)) {
    if (at === 0 || /[-_]/.test(text[at - 1] ?? '')) return at;
  }
  return undefined;
}

/** The rest of the letters are still there after this place. */
function canMatchRest(wanted: string, done: number, text: string, place: number): boolean {
  let from = place;
  for (const letter of [...wanted].slice(done)) {
    const next = text.indexOf(letter, from);
    if (next < 0) return false;
    from = next + letter.length;
  }
  return true;
}

function singleHit(from: number, length: number): FuzzyMatch['hits'] {
  return length === 0 ? [] : [[from, from + length]];
}

function mergeHits(places: readonly number[]): FuzzyMatch['hits'] {
  const hits: [number, number][] = [];
  for (const place of places) {
    const last = hits.at(-1);
    if (last && last[1] === place) last[1] = place + 1;
    else hits.push([place, place + 1]);
  }
  return hits;
}

/** Where one may go by what was typed: the rooms that match, best first, then a new one of this name. Pure. */

export interface RoomSuggestion {
  readonly room: string;
  /** undefined: it would be made */
  readonly entry: RoomEntry | undefined;
  readonly hits: FuzzyMatch['hits'];
}

/** No more than these: who wants another one types on. */
const maxSuggestions = 50;

export function suggestRooms(
  query: string,
  list: readonly RoomEntry[],
  here: string,
): readonly RoomSuggestion[] {
  const typed = query.trim();
  const found = list
    .flatMap((entry) => {
      const match = fuzzyMatch(typed, entry.room);
      return match ? [{ entry, match, weight: match.score + roomBonus(entry, here, typed === '') }] : [];
    })
    .sort((a, b) => b.weight - a.weight)
    .slice(0, maxSuggestions)
    .map(({ entry, match }) => ({ room: entry.room, entry, hits: match.hits }));
  const made = roomNameOf(typed);
  const isNew = made !== undefined && !list.some(({ room }) => room === made);
  return isNew ? [...found, { room: made, entry: undefined, hits: [] }] : found;
}

/** What calls me first, then what is unread, then mine; where I am already comes last. A sort is stable: the list's order stays. */
function roomBonus(entry: RoomEntry, here: string, all: boolean): number {
  if (all)
    return entry.room === here
      ? -10_000
      : (entry.mentioned ? 4_000 : 0) + (entry.joined && entry.unread > 0 ? 2_000 : 0) + entry.room.length;
  return entry.joined ? 20 : 0;
}

/** Words with spaces between become one name. */
export function roomNameOf(typed: string): string | undefined {
  return parseRoom(typed.replace(/^#/, '').trim().replace(/\s+/gu, '-'));
}
