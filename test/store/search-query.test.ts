import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { databaseFile } from '../../src/store/database.js';
import { parseQuery, toExpression } from '../../src/store/search-query.js';
import Database from '../../src/store/sqlite.js';
import { ANN, BOB, IndexedLog } from './indexed-log.js';

const DAY_MS = 24 * 3600 * 1000;
const keys = { room: () => undefined, person: () => undefined };

function expressionOf(q: string): string | undefined {
  return toExpression(parseQuery(q), undefined, keys);
}

describe('the expression of a query', () => {
  it.each([
    ['', undefined],
    ['?! ""', undefined],
    ['-word', undefined],
    ['tea', '("tea" *)'],
    ['tea pot', '("tea" AND "pot" *)'],
    ['tea a', '("tea" AND "a")'],
    ['上海', '("上 海")'],
    ['tea-pot', '("tea pot" *)'],
    ['"tea pot"', '("tea pot")'],
    ['“tea pot” „mit zucker“', '("tea pot" AND "mit zucker")'],
    ['«tea pot» 「mit zucker」', '("tea pot" AND "mit zucker")'],
    ['from：ann', expressionOf('from:ann')],
    ['"tea pot', '("tea pot")'],
    ['tea "hot pot"', '("hot pot" AND "tea" *)'],
    ['tea tea', '("tea" AND "tea" *)'],
    ['pot -tea', '("pot" *) NOT ("tea")'],
    ['pot -"hot tea" -milk', '("pot" *) NOT ("hot tea" OR "milk")'],
    ['a -b c-d - e', '("a" AND "c d" AND "e") NOT ("b")'],
    ['--a b', '("b") NOT ("a")'],
    ['has:link', '(("\ue002"))'],
    ['has:cats', '("has cats" *)'],
    ['before:soon', '("before soon" *)'],
    ['before:2024-02-31', '("before 2024 02 31" *)'],
    ['after:2024-1-1', '("after 2024 1 1")'],
    ['"a b c d e f"', '("a b c d" AND "e f")'],
    ['ab-cd-ef-gh-ij', '("ab cd ef gh" AND "ij" *)'],
    ['x -"a b c d e"', '("x")'],
    ['foo:bar', '("foo bar" *)'],
  ])('%j is %j', (q, expression) => {
    expect(expressionOf(q)).toBe(expression);
  });

  it('takes days in UTC, the narrowest of several', () => {
    const { since, until } = parseQuery('after:2024-01-01 Before:2024-03-01 after:2024-02-01');
    expect(new Date(since).toISOString()).toBe('2024-02-01T00:00:00.000Z');
    expect(new Date(until).toISOString()).toBe('2024-03-01T00:00:00.000Z');
    expect(expressionOf('after:2024-01-01')).toBe('("\ue001")');
  });

  it('is one that FTS5 takes, whatever people type', { timeout: 60_000 }, () => {
    const log = new IndexedLog();
    log.say(['nothing else', '上海 has "quotes" (and) * more: 1,000']);
    log.index.follow(Infinity);
    const parts = [
      '"',
      '“',
      ' ',
      ' ',
      'OR',
      'NOT',
      'AND',
      'NEAR(',
      '*',
      '(',
      ')',
      ':',
      'from:',
      'in:',
      'has:link',
    ];
    const others = [
      'before:2024-01-01',
      'after:',
      '-',
      '海',
      'a',
      'else',
      '\0',
      '^',
      'ﬃ',
      '\u202e',
      '👩‍👧',
      'İ',
      "'",
      '{',
    ];
    const some = fc.array(fc.constantFrom(...parts, ...others), { maxLength: 40 });
    fc.assert(
      fc.property(some, (list) => {
        log.answer(list.join(''), { room: 'lobby' });
        log.answer(list.join(''));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a search', () => {
  it.each([
    ['strasse', 'die Hauptstraße 1, Straße'],
    ['lodz', 'in Łódź'],
    ['tromso', 'Tromsø'],
    ['ilik', 'ılık su'],
    ['coeur', 'cœur'],
    ['dont', "I don't"],
    ['don’t', 'I dont'],
    ['eau', "de l'eau"],
    ['dog', "the dog's bone"],
    ['1000000', 'about 1,000,000 of them'],
    ['1,000,000', '1000000'],
    ['need', 'needle1507'],
    ['qua', 'quarterly'],
    ['report', 'reports'],
    ['tea-pl', 'tea, please'],
    ['IPHONE手', 'iPhone手机'],
  ])('%j finds %j', (q, text) => {
    const log = new IndexedLog();
    log.say([text, 'something else']);
    expect(log.find(q)).toEqual([1]);
  });

  it.each([
    ['reports', 'report'],
    ['qua report', 'quarterly report'],
    ['"qua"', 'quarterly'],
    ['q', 'quarterly'],
    ['beta alpha -word', 'alpha beta word'],
    ['“beta alpha”', 'alpha beta'],
    ['"eau est"', "l'eau est"],
    ['"est eau"', "l'eau est"],
    ['phone手', 'iPhone手机'],
  ])('%j does not find %j', (q, text) => {
    const log = new IndexedLog();
    log.say(text);
    expect(log.find(q)).toEqual([]);
  });

  it('compares long phrases as a whole', () => {
    const log = new IndexedLog();
    log.say(['a b c d e f g h', 'e f g h a b c d', 'a b c d x e f g h', 'one two three four fivefold']);
    expect(log.find('"a b c d e f g h"')).toEqual([1]);
    expect(log.find('"b c d e f g"')).toEqual([1]);
    expect(log.find('a -"a b c d e f g h"')).toEqual([3, 2]);
    expect(log.find('one-two-three-four-five')).toEqual([4]);
    expect(log.find('two-three-four-one-five')).toEqual([]);
  });

  it('knows authors by the name that a message shows and by the name that they have now', () => {
    const log = new IndexedLog();
    const dora = log.rename({ id: 'dddddddddddd', name: 'Dora' }, 'Dora');
    log.say('first', { user: dora });
    const dorothy = log.rename(dora, "Dorothy O'Hara");
    log.say('second', { user: dorothy });
    const other = log.rename({ id: 'eeeeeeeeeeee', name: 'Dora' }, 'Dora');
    log.say('third', { user: other });
    expect(log.find('from:dora')).toEqual([3, 1]);
    expect(log.find('from:"Dorothy O\'Hara"')).toEqual([2, 1]);
    expect(log.find("from:“dorothy o'hara” first")).toEqual([1]);
    expect(log.find('from:@Dora third')).toEqual([3]);
    expect(log.find('second -from:dora')).toEqual([2]);
    expect(log.find('from:nobody')).toEqual([]);
    log.apply({ kind: 'sign-out', user: dorothy, generation: 0, link: undefined, at: 0 });
    expect(log.find('from:"dorothyo\'hara"')).toEqual([2, 1]); // the name stays reserved
  });

  it('knows rooms, links and days', () => {
    const log = new IndexedLog();
    const day = Date.UTC(2024, 1, 29);
    log.say('elsewhere', { room: 'garden', at: day - 1 });
    log.say('see https://example.org', { at: day });
    log.say('late', { at: day + DAY_MS - 1 });
    log.say('next day http://example.org', { at: day + DAY_MS, user: BOB });
    expect(log.find('has:link')).toEqual([3, 1]);
    expect(log.find('has:link -from:ann')).toEqual([3]);
    expect(log.find('-has:link in:#Lobby')).toEqual([2]);
    expect(log.find('in:garden')).toEqual(['garden 1']);
    expect(log.find('after:2024-02-29 before:2024-03-01')).toEqual([2, 1]);
    expect(log.find('after:2024-03-01')).toEqual([3]);
    expect(log.find('before:2024-02-29')).toEqual(['garden 1']);
    expect(log.find('before:2024-02-29', { room: 'lobby' })).toEqual([]);
    expect(log.find('late before:2024-03-01')).toEqual([2]);
    expect(log.find('after:2025-01-01')).toEqual([]);
    expect(log.find('in:nowhere')).toEqual([]);
    expect(log.find('late', { room: 'nowhere' })).toEqual([]);
  });

  it('takes each message by its own time when an older version let the clock go back', () => {
    const log = new IndexedLog({ partitionSize: 4 });
    const day = Date.UTC(2024, 0, 10);
    for (let n = 0; n < 20; n++) log.say('tick', { room: `room${n}`, at: day, user: ANN });
    const db = new Database(databaseFile(log.folder));
    db.exec(`UPDATE events SET at = at + (((seq - 1) * 7) % 5) * ${DAY_MS}`);
    db.close();
    const days = (q: string): number[] =>
      log.find(q).map((hit) => (Number(String(hit).match(/\d+/)?.[0]) * 7) % 5);
    expect(new Set(days('tick after:2024-01-11 before:2024-01-13'))).toEqual(new Set([1, 2]));
    expect(days('after:2024-01-11 before:2024-01-13')).toHaveLength(8);
  });
});
