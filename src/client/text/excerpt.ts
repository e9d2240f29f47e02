/** Cuts an excerpt around the matches of a search. */
export interface ExcerptPart {
  readonly text: string;
  readonly found: boolean;
}

/** In code points, before and after the first match. */
const charsBefore = 60;
const charsAfter = 240;

/** The words and phrases of a query, without filters. */
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
  const flatText = text.replace(/\s+/gu, ' ');
  const match = terms.length === 0 ? null : termsPattern(terms).exec(flatText);
  const start = match ? excerptStart(flatText, match.index) : 0;
  const part = [...flatText.slice(start)].slice(0, charsBefore + charsAfter).join('');
  const parts = terms.length === 0 ? [{ text: part, found: false }] : splitMatches(part, termsPattern(terms));
  return [
    ...(start > 0 ? [{ text: '…', found: false }] : []),
    ...parts,
    ...(start + part.length < flatText.length ? [{ text: '…', found: false }] : []),
  ];
}

/** Longest first, so that a term inside another does not split it. */
function termsPattern(terms: readonly string[]): RegExp {
  const parts = [...terms].sort((a, b) => b.length - a.length).map((term) => escapeTerm(term));
  return new RegExp(parts.join('|'), 'giu');
}

function escapeTerm(term: string): string {
  return term.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&').replace(/\s+/gu, '\\s+');
}

/** Starts at the beginning of a word if there is one near. */
function excerptStart(text: string, index: number): number {
  const before = [...text.slice(0, index)];
  if (before.length <= charsBefore) return 0;
  const preceding = before.slice(-charsBefore).join('');
  const space = preceding.indexOf(' ');
  return index - preceding.length + (space >= 0 && space < charsBefore / 2 ? space + 1 : 0);
}

function splitMatches(text: string, pattern: RegExp): readonly ExcerptPart[] {
  const parts: ExcerptPart[] = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index), found: false });
    parts.push({ text: match[0], found: true });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), found: false });
  return parts;
}
