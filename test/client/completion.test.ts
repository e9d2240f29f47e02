/** Completion at the caret. */
import { describe, expect, it } from 'vitest';
import {
  applyCompletion,
  completionAt,
  isExactMatch,
  rankCandidates,
} from '../../src/client/text/completion.js';

/** The caret is at the `|`. */
function at(text: string): string | undefined {
  const caret = text.indexOf('|');
  const begun = completionAt(text.replace('|', ''), caret);
  return begun && `${begun.kind} ${begun.query} ${begun.from}`;
}

describe('completionAt', () => {
  it.each([
    ['@|', 'person  0'],
    ['@an|', 'person an 0'],
    ['hi @An|', 'person An 3'],
    ['hi @Ann L|', 'person Ann L 3'],
    ['上海@安|', 'person 安 2'],
    ['(@a|', 'person a 1'],
    ['me@example|', undefined],
    ['@ann |x', 'person ann  0'],
    ['@Maria de la C|', 'person Maria de la C 0'],
    ['@a b c d e f g|', undefined],
    ['你好＠安|', 'person 安 2'],
    ['a@example ＠|', 'person  10'],
    [':th|', 'emoji th 0'],
    [':t|', undefined],
    ['so :+1|', 'emoji +1 3'],
    [':笑|', 'emoji 笑 0'],
    ['at 10:30|', undefined],
    ['http://x|', undefined],
    ['a:bc|', undefined],
    ['@Ann hello :thu|', 'emoji thu 11'],
    ['|@an', undefined],
  ])('finds in %j the query %j', (text, begun) => {
    expect(at(text)).toBe(begun);
  });
});

describe('completion', () => {
  it('inserts the choice with exactly one space after it', () => {
    const text = 'hi @an, you';
    expect(applyCompletion(text, { kind: 'person', query: 'an', from: 3, to: 6 }, '@Ann')).toEqual({
      text: 'hi @Ann , you',
      caret: 8,
    });
    expect(applyCompletion('@an you', { kind: 'person', query: 'an', from: 0, to: 3 }, '@Ann')).toEqual({
      text: '@Ann you',
      caret: 5,
    });
  });

  it('offers present users first, each once, by any word of the name', () => {
    const user = (name: string) => ({ id: name, name });
    const here = [user('Bob Ann'), user('Ann')];
    expect(
      rankCandidates('an', here, [user('Ann'), user('Andy'), user('Carl')]).map(({ name }) => name),
    ).toEqual(['Ann', 'Andy', 'Bob Ann']);
  });

  it('offers a name from any of its words on', () => {
    const maria = { id: 'm', name: 'Maria de la Cruz' };
    for (const query of ['maria de la c', 'de la', 'la cr', 'cruz'])
      expect([query, rankCandidates(query, [maria], [])]).toEqual([query, [maria]]);
    expect(rankCandidates('ria', [maria], [])).toEqual([]);
  });

  it('ranks an exact name before names that begin with it', () => {
    const here = [
      { id: '1', name: 'Bobby' },
      { id: '2', name: 'Bob' },
    ];
    expect(rankCandidates('bob', here, []).map(({ name }) => name)).toEqual(['Bob', 'Bobby']);
    expect([
      isExactMatch('bob', 'Bob'),
      isExactMatch('Zo\u0301e', 'Zóe'),
      isExactMatch('Bob', 'Bobby'),
    ]).toEqual([true, true, false]);
  });
});
