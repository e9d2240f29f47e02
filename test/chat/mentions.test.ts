import { describe, expect, it } from 'vitest';
import { findMentions } from '../../src/chat/mentions.js';
import { skeleton } from '../../src/chat/names.js';
import type { Person } from '../../src/chat/types.js';

function peopleOf(...names: string[]) {
  let looks = 0;
  const known = new Map(names.map((name) => [skeleton(name), name]));
  return {
    ownerOf(wanted: string): Person | undefined {
      looks++;
      const name = known.get(wanted);
      return name === undefined ? undefined : { key: 1, id: name, name, signedOut: false, lastSeen: 0 };
    },
    get looks() {
      return looks;
    },
  };
}

const PEOPLE = peopleOf('Ann', 'Ann Lee', 'Anna-Maria', 'Борис', '王伟', '王', 'O’Neill', 'Zoë 🦊', 'नीता');

function called(text: string): string[] {
  return (findMentions(text, PEOPLE) ?? []).map(({ name }) => name);
}

describe('a text calls', () => {
  it.each([
    ['hi @Ann', ['Ann']],
    ['@ann, @ANN and (@Ann)!', ['Ann']],
    ['@Ann Lee is not @Ann', ['Ann Lee', 'Ann']],
    ['@ann leeward', ['Ann']],
    ['@AnnLee, @Ann  Lee or @ann\u00a0lee', ['Ann Lee']],
    ['@An n and @Z oë 🦊', []], // spaces that the name has not
    ['@Anna', []],
    ['@anna-maria’s', ['Anna-Maria']],
    ['ann@ann.example', []],
    ['@борис: да', ['Борис']],
    ['你好@王伟你好', ['王伟']],
    ['@王小姐', ['王']],
    ['@O’Neill @zoë 🦊?', ['O’Neill', 'Zoë 🦊']],
    ['@नीता जी', ['नीता']],
    ['@\nAnn', []],
    ['@ Ann', []],
    ['@Аnn', ['Ann']], // a Cyrillic А looks the same: it can be nobody else
    ['@', []],
    ['@@Ann', ['Ann']],
    ['@nobody at all', []],
  ])('%j: %j', (text, names) => expect(called(text)).toEqual(names));

  it('at most 20, and looks for no more than can be', () => {
    const many = Array.from({ length: 30 }, (_, n) => `Person${String.fromCharCode(97 + n)}`);
    expect(findMentions(many.map((name) => `@${name}`).join(' '), peopleOf(...many))).toHaveLength(20);
    const nobody = peopleOf();
    expect(findMentions('@王'.repeat(2000), nobody)).toBeUndefined();
    expect(nobody.looks).toBeLessThanOrEqual(40 * 32);
  });
});
