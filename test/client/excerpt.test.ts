/** Excerpts of search results. */
import { describe, expect, it } from 'vitest';
import { excerpt, searchTerms } from '../../src/client/text/excerpt.js';

const show = (text: string, ...terms: string[]) =>
  excerpt(text, terms)
    .map((piece) => (piece.found ? `[${piece.text}]` : piece.text))
    .join('');

describe('searchTerms', () => {
  it.each([
    ['tide table', ['tide', 'table']],
    ['"tide table" ropes', ['tide table', 'ropes']],
    ['“tide table”', ['tide table']],
    ['from:Ann in:harbour tide', ['tide']],
    ['from:"Bob Okonkwo" tide', ['tide']],
    ['上海', ['上海']],
    ['rop*', ['rop']],
    ['"open end', ['open end']],
    ['  ', []],
    ['from:Ann', []],
    ['before:2026-01-01 after:2025-01-01 has:link tide', ['tide']],
    ['tide -ebb -"low tide" -from:Ann', ['tide']],
    ['from:“Ann Lee” „tide table“', ['tide table']],
    ['from：「Ann Lee」 «tide table»', ['tide table']],
  ])('reads %s', (query, terms) => {
    expect(searchTerms(query)).toEqual(terms);
  });
});

describe('excerpt', () => {
  it('marks matches in any case', () => {
    expect(show('The Tide and the tide', 'tide')).toBe('The [Tide] and the [tide]');
    expect(show('我家在上海东边', '上海')).toBe('我家在[上海]东边');
    expect(show('a (b) c', '(b)')).toBe('a ([b]) c');
    expect(show('tide-table, tide\ntable', 'tide table')).toBe('[tide-table], [tide table]');
    expect(show('tides', 'tide', 'tides')).toBe('[tides]');
  });

  it.each([
    ['the café', 'cafe', 'the [café]'],
    ['a cafe\u0301!', 'café', 'a [cafe\u0301]!'],
    ['in Łódź', 'lodz', 'in [Łódź]'],
    ['die Straße', 'strasse', 'die [Straße]'],
    ['I don’t know', 'dont', 'I [don’t] know'],
    ['ﬁne', 'fine', '[ﬁne]'],
    ['ship, shipping, township', 'ship', '[ship], [ship]ping, township'],
    ['我要tea', 'tea', '我要[tea]'],
    ['ok 👍️', '👍', 'ok [👍️]'],
  ])('compares as the server does: %j', (text, term, expected) => {
    expect(show(text, term)).toBe(expected);
  });

  it.each([
    ['the **tide** is `high`', 'tide', 'the [tide] is high'],
    ['see [the table](https://tides.example)', 'table', 'see the [table]'],
    ['today:\n- ropes\n- lamps\n\nthen tea', 'then', 'today: ropes lamps [then] tea'],
    ['run\n```\ntides --now\n```\nfirst', 'first', 'run tides --now [first]'],
    ['> old words\nan answer', 'answer', 'old words an [answer]'],
    ['**bold** without a match', '', 'bold without a match'],
  ])('shows %j without delimiters', (text, term, expected) => {
    expect(show(text, ...[term].filter(Boolean))).toBe(expected);
  });

  it('shows what is behind a link when only that matches', () => {
    expect(show('see [the table](https://tides.example)', 'tides')).toBe(
      'see [the table](https://[tides].example)',
    );
  });

  it('begins near the first match, and has a limited length', () => {
    const long = `${'before '.repeat(100)}anchor${' after'.repeat(100)}`;
    const shown = show(long, 'anchor');
    expect(shown).toMatch(/^…before/);
    expect(shown).toContain('[anchor]');
    expect(shown).toMatch(/…$/);
    expect(shown.length).toBeLessThan(320);
  });

  it('is one line, and never contains half a character', () => {
    expect(show('one\n\ntwo', 'two')).toBe('one [two]');
    expect(show('🛟'.repeat(400), 'x').isWellFormed()).toBe(true);
    expect(show(`${'🛟'.repeat(400)} x ${'🛟'.repeat(400)}`, 'x').isWellFormed()).toBe(true);
  });

  it('is the beginning when there is nothing to mark', () => {
    expect(show('hello')).toBe('hello');
    expect(show('')).toBe('');
  });
});
