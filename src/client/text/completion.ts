/** Finds what can be completed before the caret: a user's name after @, or an emoji after a colon. */
import type { User } from '../../shared/protocol.js';

export interface CompletionQuery {
  readonly kind: 'person' | 'emoji';
  /** text after the marker */
  readonly query: string;
  /** positions of the marker and of the caret */
  readonly from: number;
  readonly to: number;
}

/** Names are not searched for further back. */
const maxLookbackChars = 64;
/** Names may contain spaces. Excludes mail addresses, times and `a:b`. */
const personPattern = /(?:^|[^A-Za-z0-9_@./])[@＠]((?:[^\s@＠]+ ){0,5}[^\s@＠]*)$/u;
const emojiPattern =
  /(?:^|[^A-Za-z0-9_:/])[:]((?:[A-Za-z0-9+][\w+-]+|[\p{L}\p{N}_+-]*[^\p{ASCII}\s][\p{L}\p{N}_+-]*))$/u;

export function completionAt(text: string, caret: number): CompletionQuery | undefined {
  const before = text.slice(Math.max(0, caret - maxLookbackChars), caret);
  const emoji = emojiPattern.exec(before)?.[1];
  if (emoji !== undefined) return toQuery('emoji', emoji, caret);
  const person = personPattern.exec(before)?.[1];
  return person === undefined ? undefined : toQuery('person', person, caret);
}

function toQuery(kind: CompletionQuery['kind'], query: string, caret: number): CompletionQuery {
  return { kind, query, from: caret - query.length - 1, to: caret };
}

/** Inserts the choice, followed by exactly one space. */
export function applyCompletion(
  text: string,
  { from, to }: CompletionQuery,
  choice: string,
): { readonly text: string; readonly caret: number } {
  const after = text.slice(to);
  const inserted = `${text.slice(0, from)}${choice}${/^\s/.test(after) ? '' : ' '}`;
  return { text: inserted + after, caret: inserted.length + (/^\s/.test(after) ? 1 : 0) };
}

const maxCandidates = 8;

/** Users whose name starts with the query, from its first word or a later one; present users first. */
export function rankCandidates(
  query: string,
  present: readonly User[],
  others: readonly User[],
): readonly User[] {
  const normalized = normalizeName(query);
  const usersById = new Map([...present, ...others].map((user) => [user.id, user]));
  const ranked = [...usersById.values()]
    .map((user) => ({ user, rank: rankOf(normalizeName(user.name), normalized) }))
    .filter(({ rank }) => rank < noMatchRank);
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, maxCandidates)
    .map(({ user }) => user);
}
const noMatchRank = 3;

function rankOf(name: string, normalized: string): number {
  if (name === normalized) return 0;
  if (name.startsWith(normalized)) return 1;
  return name.split(/(?<=[\s_.-])/).some((_, n, words) => words.slice(n).join('').startsWith(normalized))
    ? 2
    : noMatchRank;
}

export function isExactMatch(query: string, name: string): boolean {
  return normalizeName(query) === normalizeName(name);
}

/**
 * Approximates the server's comparison. Does not fold look-alikes, because the inserted name must be the one
 * that was typed.
 */
function normalizeName(name: string): string {
  return name.normalize('NFC').toLowerCase();
}
