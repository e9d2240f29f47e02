/** A part of a message around the words that were found, cut into what was found and what not. Pure. */
export interface ExcerptPart {
  readonly text: string;
  readonly found: boolean;
}

/** Code points before and after the first word that was found. */
const charsBefore = 60;
const charsAfter = 240;

/** The words of a query that stand in texts: without `from:`, `in:` and quotes. */
export function searchTerms(query: string): readonly string[] {
  const terms: string[] = [];
  for (const [, filter, phrase, word] of query.matchAll(
    /((?:from|in):)?(?:["“”]([^"“”]*)["“”]?|([^\s"“”]+))/giu,
  )) {
    const term = (phrase ?? word ?? '').trim().replace(/\*$/, '');
    if (!filter && term !== '') terms.push(term);
  }
  return terms;
}

export function excerpt(text: string, terms: readonly string[]): readonly ExcerptPart[] {
  const flat = text.replace(/\s+/gu, ' ');
  const found = terms.length === 0 ? null : termsPattern(terms).exec(flat);
  const start = found ? excerptStart(flat, found.index) : 0;
  const part = [...flat.slice(start)].slice(0, charsBefore + charsAfter).join('');
  const pieces =
    terms.length === 0 ? [{ text: part, found: false }] : splitMatches(part, termsPattern(terms));
  return [
    ...(start > 0 ? [{ text: '…', found: false }] : []),
    ...pieces,
    ...(start + part.length < flat.length ? [{ text: '…', found: false }] : []),
  ];
}

/** The longest first, so that a word within another does not cut it. */
function termsPattern(terms: readonly string[]): RegExp {
  const parts = [...terms].sort((a, b) => b.length - a.length).map((term) => escapeTerm(term));
  return new RegExp(parts.join('|'), 'giu');
}

function escapeTerm(term: string): string {
  return term.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&').replace(/\s+/gu, '\\s+');
}

/** BEFORE code points to the left, at the beginning of a word if there is one near. */
function excerptStart(text: string, index: number): number {
  const before = [...text.slice(0, index)];
  if (before.length <= charsBefore) return 0;
  const near = before.slice(-charsBefore).join('');
  const space = near.indexOf(' ');
  return index - near.length + (space >= 0 && space < charsBefore / 2 ? space + 1 : 0);
}

function splitMatches(text: string, pattern: RegExp): readonly ExcerptPart[] {
  const pieces: ExcerptPart[] = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > from) pieces.push({ text: text.slice(from, match.index), found: false });
    pieces.push({ text: match[0], found: true });
    from = match.index + match[0].length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from), found: false });
  return pieces;
}
