/** The marks in messages: what they mean, that no letter is lost, that nothing else comes out, that hostile ones are quick. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findMentions } from '../../src/chat/mentions.js';
import { skeleton } from '../../src/chat/names.js';
import { formatReply } from '../../src/client/room/composer.js';
import {
  foldText,
  type MarkdownNode,
  type MarkdownNodes,
  parseMarkdown,
  plainText,
  safeHref,
} from '../../src/client/text/markdown.js';

const ANN = { id: 'a', name: 'Ann' };
const ANN_LEE = { id: 'l', name: 'Ann Lee' };

describe('marks', () => {
  it.each<[string, MarkdownNodes]>([
    ['plain', ['plain']],
    [
      'a **b** _c_ ~~d~~ `e`',
      [
        'a ',
        { kind: 'strong', of: ['b'] },
        ' ',
        { kind: 'em', of: ['c'] },
        ' ',
        { kind: 'del', of: ['d'] },
        ' ',
        { kind: 'code', text: 'e' },
      ],
    ],
    ['```js\nlet a = 1;\n```\nafter', [{ kind: 'block', text: 'let a = 1;', language: 'js' }, 'after']],
    ['> said\n> twice\n\nyes', [{ kind: 'quote', of: ['said\ntwice'] }, 'yes']],
    [
      '1. a\n3. b',
      [
        {
          kind: 'list',
          items: [
            { value: 1, of: ['a'] },
            { value: 3, of: ['b'] },
          ],
        },
      ],
    ],
    ['see https://x.org/a', ['see ', { kind: 'link', href: 'https://x.org/a', of: ['https://x.org/a'] }]],
    ['[here](https://x.org)', [{ kind: 'link', href: 'https://x.org/', of: ['here'] }]],
    ['#12 and a#1', [{ kind: 'ref', id: 12, text: '#12' }, ' and a#1']],
  ])('reads %j', (text, marks) => {
    expect(parseMarkdown(text)).toEqual(marks);
  });

  it('keeps line ends, and everything that it does not know', () => {
    for (const text of [
      'a\n\n\nb',
      '# head\n---\nx\n===',
      '| a | b |\n|---|---|',
      '<b>x</b> &amp; <img src=x>',
      '![i](http://x.org/i.png)',
      '    indented\n  more',
      '- [ ] to do',
    ])
      expect(plainText(parseMarkdown(text)).replace(/^ (?=\[)/, '- ')).toBe(text);
  });

  it.each([
    '[](http://evil.example)',
    '[ ](http://x.y)',
    '[\u200b\u3164\u2800](http://x.y)',
    '[` `](http://x.y)',
    '**\u200b**',
    '` `',
    '>',
    '```',
    '~~~\n~~~',
    '* ',
  ])('shows %j as it is written: nothing of it could be seen', (text) => {
    expect(parseMarkdown(text)).toEqual([text]);
  });

  it('takes the word behind a fence for the text when there is no other', () => {
    for (const text of ['```hello', '```hello\n```', '~~~hello\n\n\n~~~'])
      expect(parseMarkdown(text)).toEqual([{ kind: 'block', text: 'hello', language: '' }]);
    expect(parseMarkdown('```hello there')).toEqual([{ kind: 'block', text: 'hello there', language: '' }]);
    expect(parseMarkdown('a\n```')).toEqual(['a\n```']);
  });

  it('reads Chinese as it is written', () => {
    expect(parseMarkdown('**注意：**请看')).toEqual([{ kind: 'strong', of: ['注意：'] }, '请看']);
    expect(parseMarkdown('好的~ 明天见~')).toEqual(['好的~ 明天见~']);
    expect(plainText(parseMarkdown('看https://x.org/a。好'))).toBe('看https://x.org/a。好');
    expect(parseMarkdown('看#12吧')[1]).toMatchObject({ kind: 'ref', id: 12 });
  });

  it('leaves a shrug its arm and a path its strokes', () => {
    for (const text of ['¯\\_(ツ)_/¯', '\\\\server\\share', 'C:\\dir\\name'])
      expect(plainText(parseMarkdown(text))).toBe(text);
    expect(plainText(parseMarkdown('\\*no\\*'))).toBe('*no*');
  });

  it('finds those who are called, the longest name first, whatever is in it', () => {
    const odd = { id: 'o', name: 'A.*(b' };
    const marks = parseMarkdown('@Ann Lee, @ann, @A.*(b and @Bob', [ANN, ANN_LEE, odd]);
    expect(
      marks.flatMap((mark) => (typeof mark === 'object' && mark.kind === 'mention' ? [mark.user.id] : [])),
    ).toEqual(['l', 'a', 'o']);
  });

  it.each([
    '@小明你好',
    '你好@小明，@AnnLee 和 ＠Ann',
    '@민수야 안녕',
    '@ann\u00a0lee',
    'mail ann@ann.example @Anna @Ann',
  ])('draws each mention that the server finds: %j', (text) => {
    const people = [ANN, ANN_LEE, { id: 'x', name: '小明' }, { id: 'm', name: '민수' }];
    const ownerOf = (wanted: string) => {
      const user = people.find(({ name }) => skeleton(name) === wanted);
      return (
        user && {
          ...user,
          key: 1,
          ownsName: true,
          generation: 0,
          hasPosted: true,
          signedOut: false,
          lastSeen: 0,
        }
      );
    };
    const found = findMentions(text, { ownerOf }) ?? [];
    expect(found.length).toBeGreaterThan(0);
    const drawn = parseMarkdown(text, found).flatMap((one) =>
      typeof one === 'object' && one.kind === 'mention' ? [one.user] : [],
    );
    expect(drawn).toEqual(found);
  });

  it.each([
    'javascript:alert(1)',
    'JaVaScript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    '/r/lobby',
    '//evil.org',
    'file:///etc/passwd',
    'blob:https://x.org/1',
    'java\nscript:alert(1)',
    'http:',
  ])('leads not to %j', (href) => {
    expect(safeHref(href)).toBeUndefined();
    expect(linksOf(parseMarkdown(`[a](${href})`))).toEqual([]);
  });

  it('does not hide where a link leads behind another address', () => {
    expect(parseMarkdown('[https://bank.com](https://evil.org)')).toEqual([
      '[https://bank.com](https://evil.org)',
    ]);
    expect(parseMarkdown('[bank.com](https://evil.org)')).toEqual(['[bank.com](https://evil.org)']);
  });
});

describe('any text', () => {
  const bits = [
    '*',
    '**',
    '_',
    '~~',
    '`',
    '```',
    '\n',
    '> ',
    '- ',
    '1. ',
    '[',
    '](',
    ')',
    '<',
    '>',
    '#',
    '@',
    'http://x.org',
    'javascript:',
    '\\',
    ' ',
    'a',
    '上',
    '!',
    '|',
    '&lt;',
    '\u202e',
    ':',
  ];
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.array(fc.constantFrom(...bits), { maxLength: 40 }).map((list) => list.join('')),
  );

  it('can be seen', () => {
    const some = text.filter((written) => /[\p{L}\p{N}\p{P}\p{S}]/u.test(written));
    const letter = /[^\s\p{C}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}]/u;
    fc.assert(
      fc.property(some, (written) => letter.test(plainText(parseMarkdown(written, [ANN])))),
      { numRuns: 2_000 },
    );
  });

  it('loses no letter but the marks, and makes known nodes only', () => {
    fc.assert(
      fc.property(text, (written) => {
        const marks = parseMarkdown(written, [ANN]);
        check(marks);
        expect(lettersOf(shown(marks).join('')).length).toBeGreaterThanOrEqual(lettersOf(written).length);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Letters that are no mark in any grammar, and that no text is made of but what was written. */
function lettersOf(text: string): string {
  return [...text].filter((char) => /\p{Script=Han}/u.test(char)).join('');
}

/** All that can be seen: texts, addresses, names of languages. */
function shown(marks: MarkdownNodes): readonly string[] {
  const hidden = linksOf(marks).map((href) =>
    decodeURIComponent(href.replaceAll(/%(?![0-9A-F]{2})/g, '%25')),
  );
  return [plainText(marks), ...hidden];
}

function check(marks: MarkdownNodes): void {
  for (const mark of marks) {
    if (typeof mark === 'string') continue;
    expect(['strong', 'em', 'del', 'code', 'block', 'link', 'quote', 'list', 'mention', 'ref']).toContain(
      mark.kind,
    );
    if (mark.kind === 'link') expect(mark.href).toMatch(/^(https?:\/\/|mailto:)/);
    for (const inner of within(mark)) check(inner);
  }
}

function within(mark: Exclude<MarkdownNode, string>): readonly MarkdownNodes[] {
  if (mark.kind === 'list') return mark.items.map(({ of }) => of);
  return 'of' in mark ? [mark.of] : [];
}

function linksOf(marks: MarkdownNodes): readonly string[] {
  return marks.flatMap((mark) =>
    typeof mark === 'string'
      ? []
      : [...(mark.kind === 'link' ? [mark.href] : []), ...within(mark).flatMap(linksOf)],
  );
}

describe('hostile texts of 4,000 characters', () => {
  const bits = [
    '>',
    '> ',
    '*',
    '**',
    '*a ',
    'a*',
    'x*_x',
    '***a',
    '_a_',
    '`',
    '`a``',
    '[',
    '](',
    '[a](',
    '![',
    '- ',
    '\n- ',
    '1. ',
    '- > ',
    '\\',
    '<',
    '<a',
    '<!--',
    '\n#',
    '\n>',
    '|a',
    '[a]: b\n',
    'http://',
    'http://a(',
    'www.',
    'a@b',
    '~~a',
    '```\n',
    '**上。',
    '#1 ',
    '@',
    '>\n- ',
  ];
  it.each(bits)('reads %j over and over without growing tired', (bit) => {
    const written = bit.repeat(4000 / bit.length);
    parseMarkdown(written);
    const from = process.cpuUsage();
    const marks = parseMarkdown(written);
    const { user } = process.cpuUsage(from);
    check(marks);
    // Some milliseconds on a machine at rest; what grows with the square takes seconds.
    expect(user / 1000).toBeLessThan(300);
  });
});

describe('a reply', () => {
  const message = {
    id: 12,
    type: 'chat',
    user: ANN,
    data: 'one **two**\n> older\n\n```\nthree',
    at: 0,
  } as const;

  it('is plain text that others can read', () => {
    expect(formatReply(message, 'yes')).toBe('> Ann, #12: one **two**\n> three\n\nyes');
  });

  it('is read as what it is', () => {
    expect(parseMarkdown(formatReply(message, 'yes'))).toEqual([
      {
        kind: 'quote',
        from: { name: 'Ann', id: 12 },
        of: ['one ', { kind: 'strong', of: ['two'] }, '\nthree'],
      },
      'yes',
    ]);
  });

  it('to what was deleted names it all the same', () => {
    expect(parseMarkdown(formatReply({ ...message, data: '' }, 'yes'))).toEqual([
      { kind: 'quote', from: { name: 'Ann', id: 12 }, of: [] },
      'yes',
    ]);
  });

  it('of a long one takes the beginning', () => {
    const long = formatReply({ ...message, data: 'word '.repeat(500) }, 'yes');
    expect(long.length).toBeLessThan(230);
    expect(long).toMatch(/…\n\nyes$/);
  });
});

describe('folding', () => {
  it('leaves short ones, and shortens long ones to what is clearly less', () => {
    expect(foldText('a\n'.repeat(13))).toBeUndefined();
    expect(foldText('a\n'.repeat(20))?.split('\n').length).toBe(10);
    expect(foldText('W'.repeat(1200))).toBeUndefined();
    expect(foldText('😀'.repeat(700))?.isWellFormed()).toBe(true);
    expect(foldText('W'.repeat(4000))?.length).toBeLessThanOrEqual(800);
  });
});
