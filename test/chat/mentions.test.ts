import { describe, expect, it } from 'vitest';
import { skeleton } from '../../src/chat/names.js';
import { findMentions } from '../../src/chat/rules.js';
import type { Person } from '../../src/chat/types.js';
import { cpuMs } from '../harness.js';

function peopleOf(...names: string[]) {
  let looks = 0;
  const known = new Map(names.map((name) => [skeleton(name), name]));
  return {
    ownerOf(wanted: string): Person | undefined {
      looks++;
      const name = known.get(wanted);
      return name === undefined
        ? undefined
        : {
            key: 1,
            id: name,
            name,
            ownsName: true,
            generation: 0,
            hasPosted: true,
            signedOut: false,
            lastSeen: 0,
          };
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

describe('a text mentions', () => {
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
    ['＠Ann', ['Ann']], // as a Chinese or Japanese keyboard types it
    ['@王伟你好＠Ann', ['王伟', 'Ann']],
    ['`@Ann` and ``@Ann ` @Борис``', []],
    ['`a` @Ann `b`', ['Ann']],
    ['a ` @Ann', ['Ann']], // the span has no end
    ['\\`@Ann`', ['Ann']],
    ['`a\n@Ann`', []],
    ['`a\n\n@Ann`', ['Ann']], // a span ends with its paragraph
    ['```\n@Ann\n```\n@Борис', ['Борис']],
    ['~~~js\n@Ann\n```\n~~~~\n@Борис', ['Борис']],
    ['```\n@Ann', []],
    ['> Bob, #1: hey @Ann\nI ask @Борис', ['Борис']],
    ['  > > @Ann', []],
    ['>', []],
    ['>_< @Ann', ['Ann']],
    ['>:( @Ann', ['Ann']],
    ['\\@Ann', []],
    ['\\\\@Ann', ['Ann']],
    ['https://social.example/@Ann and www.example.org/@Ann', []],
    ['见https://a.example/@Ann。@Ann', ['Ann']],
    ['see/@Ann', ['Ann']],
    ['[@Ann](https://x.example) and [ask **@Ann**](<http://x.example/a_(b)> "@Ann")', []],
    ['[mail @Ann](mailto:ann@x.example)@Борис', ['Борис']],
    ['[a](https://x.example/@Ann)@Борис, [@Ann](https://x.example)', ['Борис']],
    ['![@Ann](https://x.example/i.png) @Борис', ['Борис']],
    ['[[@Ann]](https://x.example) [[@Ann](https://x.example)', []],
    ['[a\n@Ann](https://x.example)', []],
    ['[a\n\n@Ann](https://x.example)', ['Ann']],
    ['[@Ann\\] b](https://x.example)', []],
    ['\\[@Ann](https://x.example)', ['Ann']],
    ['[@Ann\\](https://x.example)', ['Ann']],
    ['[@Ann](/r/lobby) [@Борис] (https://x.example)', ['Ann', 'Борис']], // no links in a chat
    ['[@Ann][1]\n\n[1]: https://x.example', ['Ann']],
    ['`[`@Ann](https://x.example)', ['Ann']],
    ['`[@Ann](https://x.example)` [`@Ann`](https://x.example)', []],
    ['<https://x.example/@Ann>@Борис', ['Борис']],
    ['@nobody at all', []],
  ])('%j: %j', (text, names) => expect(called(text)).toEqual(names));

  it('at most 20 people, with a bounded number of lookups', () => {
    const many = Array.from({ length: 30 }, (_, n) => `Person${String.fromCharCode(97 + n)}`);
    expect(findMentions(many.map((name) => `@${name}`).join(' '), peopleOf(...many))).toHaveLength(20);
    const nobody = peopleOf();
    expect(findMentions('@王'.repeat(2000), nobody)).toBeUndefined();
    expect(nobody.looks).toBeLessThanOrEqual(40 * 32);
  });

  it('takes time linear in its length', () => {
    const parts = ['`', '` ', '\\`', '@', '> @', 'a://', '\\', '``` \n'];
    const links = [
      '[',
      '\\[',
      '[\\',
      '[]',
      '[[]',
      '[a](',
      '[a](http://b ',
      '[a](http://b “',
      '[](http://b(c)',
    ];
    const worst = [
      ...[...parts, ...links].map((part) => part.repeat(4000 / part.length)),
      `[${'[]'.repeat(2000)}`,
      `[a](http://${'(b)'.repeat(1000)}`,
      `[a](http://b${' '.repeat(3980)}`,
    ];
    const used = cpuMs(() => worst.forEach((text) => void findMentions(`${text}@`, peopleOf())));
    expect(used).toBeLessThan(500);
  });
});
