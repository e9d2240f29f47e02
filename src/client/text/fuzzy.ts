/**
 * Matches room names by letters in order: "ktn" finds "kitchen". Contiguous letters and beginnings of words
 * score higher.
 */
import { parseRoom } from '../../shared/parse.js';
import { LIMITS, type RoomSummary } from '../../shared/protocol.js';

interface FuzzyMatch {
  readonly score: number;
  /** matched ranges [from, to) */
  readonly hits: readonly (readonly [number, number])[];
}

/** Undefined without a match. An empty query matches everything. */
export function fuzzyMatch(query: string, name: string): FuzzyMatch | undefined {
  const normalized = query.toLowerCase();
  const text = name.toLowerCase();
  const index = text.indexOf(normalized);
  if (index >= 0)
    return { score: 1_000 - index * 10 - name.length, hits: singleHit(index, normalized.length) };
  const positions = matchPositions(normalized, text);
  if (!positions) return undefined;
  const gaps = (positions.at(-1) ?? 0) - (positions[0] ?? 0) + 1 - positions.length;
  return { score: 500 - gaps * 10 - (positions[0] ?? 0) * 5 - name.length, hits: mergeHits(positions) };
}

/** Takes the next occurrence of each letter, preferring beginnings of words. */
function matchPositions(normalized: string, text: string): readonly number[] | undefined {
  const positions: number[] = [];
  let from = 0;
  for (const letter of normalized) {
    const next = text.indexOf(letter, from);
    if (next < 0) return undefined;
    const after = nextWordStart(text, letter, next);
    const position =
      after !== undefined && canMatchRest(normalized, positions.length, text, after) ? after : next;
    positions.push(position);
    from = position + letter.length;
  }
  return positions;
}

function nextWordStart(text: string, letter: string, from: number): number | undefined {
  for (let at = text.indexOf(letter, from); at >= 0; at = text.indexOf(letter, at + 1)) {
    if (at === 0 || /[-_]/.test(text[at - 1] ?? '')) return at;
  }
  return undefined;
}

function canMatchRest(normalized: string, done: number, text: string, position: number): boolean {
  let from = position;
  for (const letter of [...normalized].slice(done)) {
    const next = text.indexOf(letter, from);
    if (next < 0) return false;
    from = next + letter.length;
  }
  return true;
}

function singleHit(from: number, length: number): FuzzyMatch['hits'] {
  return length === 0 ? [] : [[from, from + length]];
}

function mergeHits(positions: readonly number[]): FuzzyMatch['hits'] {
  const hits: [number, number][] = [];
  for (const position of positions) {
    const last = hits.at(-1);
    if (last && last[1] === position) last[1] = position + 1;
    else hits.push([position, position + 1]);
  }
  return hits;
}

export interface RoomSuggestion {
  readonly room: string;
  /** undefined: would be created */
  readonly entry: RoomSummary | undefined;
  readonly hits: FuzzyMatch['hits'];
}

const maxSuggestions = 50;

export function suggestRooms(
  query: string,
  list: readonly RoomSummary[],
  current: string,
): readonly RoomSuggestion[] {
  const trimmed = query.trim();
  const matches = list
    .flatMap((entry) => {
      const match = fuzzyMatch(trimmed, entry.room);
      return match ? [{ entry, match, weight: match.score + roomBonus(entry, current, trimmed === '') }] : [];
    })
    .sort((a, b) => b.weight - a.weight)
    .slice(0, maxSuggestions)
    .map(({ entry, match }) => ({ room: entry.room, entry, hits: match.hits }));
  const newRoom = roomNameOf(trimmed);
  const isNew = newRoom !== undefined && !list.some(({ room }) => room === newRoom);
  return isNew ? [...matches, { room: newRoom, entry: undefined, hits: [] }] : matches;
}

/** For an empty query: mentions, unread, others, the current room last. Sorting is stable. */
function roomBonus(entry: RoomSummary, current: string, isEmptyQuery: boolean): number {
  if (isEmptyQuery)
    return entry.room === current
      ? -10_000
      : (entry.mentions > 0 ? 4_000 : 0) + (entry.unread > 0 ? 2_000 : 0) + entry.room.length;
  return entry.joined ? 20 : 0;
}

/**
 * Makes "kitchen-talk" of "Kitchen Talk!". Leaves out what draws nothing, such as the joiners of Persian and Sinhala, which
 * no room may have. Undefined when nothing is left.
 */
export function roomNameOf(text: string): string | undefined {
  const name = text
    .normalize('NFKC')
    .replace(/['’]|\p{Default_Ignorable_Code_Point}/gu, '')
    .replace(/[^\p{L}\p{N}\p{M}_-]+|-{2,}/gu, '-');
  const cut = [...name.replace(/^-+/, '')].slice(0, LIMITS.roomNameLength).join('');
  return parseRoom(cut.replace(/-+$/, ''));
}
