/** What is being written before the caret that can be completed: a person's name after @, an emoji's after a colon. Pure. */
import type { User } from '../../shared/protocol.js';

export interface CompletionQuery {
  readonly kind: 'person' | 'emoji';
  /** what was written of it, without the mark */
  readonly query: string;
  /** where the mark stands, and where the caret does */
  readonly from: number;
  readonly to: number;
}

/** A name has at most so many characters that are looked back for. */
const maxLookbackChars = 64;
/** Names may have several words. Not in an address of mail, not in a time, nor in `a:b`. */
const personPattern = /(?:^|[^A-Za-z0-9_@./])@((?:[^\s@]+ ){0,2}[^\s@]*)$/u;
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

/** The text with the choice in it, and where the caret goes. One space follows, never two. */
export function applyCompletion(
  text: string,
  { from, to }: CompletionQuery,
  choice: string,
): { readonly text: string; readonly caret: number } {
  const rest = text.slice(to);
  const put = `${text.slice(0, from)}${choice}${/^\s/.test(rest) ? '' : ' '}`;
  return { text: put + rest, caret: put.length + (/^\s/.test(rest) ? 1 : 0) };
}

const maxCandidates = 8;

/** Those whose name is it or begins so, or a word of it; who is here first. Nobody twice. */
export function rankCandidates(
  query: string,
  here: readonly User[],
  others: readonly User[],
): readonly User[] {
  const wanted = normalizeName(query);
  const known = new Map([...here, ...others].map((user) => [user.id, user]));
  const ranked = [...known.values()]
    .map((user) => ({ user, rank: rankOf(normalizeName(user.name), wanted) }))
    .filter(({ rank }) => rank < noMatchRank);
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, maxCandidates)
    .map(({ user }) => user);
}
const noMatchRank = 3;

function rankOf(name: string, wanted: string): number {
  if (name === wanted) return 0;
  if (name.startsWith(wanted)) return 1;
  return name.split(/[\s_.-]/).some((word) => word.startsWith(wanted)) ? 2 : noMatchRank;
}

/** It is written in full: nothing is left to be completed. */
export function isExactMatch(query: string, name: string): boolean {
  return normalizeName(query) === normalizeName(name);
}

/** Almost as the server compares names: of two that only look alike one would be written, the other meant. */
function normalizeName(name: string): string {
  return name.normalize('NFC').toLowerCase();
}
