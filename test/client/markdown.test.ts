/** Messages as trees: what is recognised, what stays as written, where links lead, and that no text takes long. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { skeleton } from '../../src/chat/names.js';
import { findMentions } from '../../src/chat/rules.js';
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
const XIAOMING = { id: 'x', name: '小明' };
const MINSU = { id: 'm', name: '민수' };

/** A tree in one line: `(kind text)`, `<href|text>` for links. */
function shape(nodes: MarkdownNodes): string {
  return nodes
    .map((node) => {
      if (typeof node === 'string') return node;
      if (node.kind === 'link') return `<${node.href}|${shape(node.children)}>`;
      if (node.kind === 'list')
        return node.items.map(({ value = '•', children }) => `(${value} ${shape(children)})`).join('');
      return `(${node.kind} ${'children' in node ? shape(node.children) : node.text})`;
    })
    .join('');
}

describe('parseMarkdown', () => {
  it.each<[string, string]>([
    ['plain', 'plain'],
    ['a **b** _c_ ~~d~~ `e` *f*', 'a (strong b) (em c) (del d) (code e) (em f)'],
    ['***both*** **a _b_ c** _a **b**_', '(strong (em both)) (strong a (em b) c) (em a (strong b))'],
    ['`a` ``b`c`` `` ` ``', '(code a) (code b`c) (code `)'],
    ['```js\nlet a = 1;\n```\nafter', '(block let a = 1;)after'],
    ['before\n~~~\nx\n\ny\n~~~\n\nafter', 'before(block x\n\ny)after'],
    ['```js\nnever closed', '(block never closed)'],
    ['> said\n> twice\n\nyes', '(quote said\ntwice)yes'],
    ['> a\n> > b\n> c', '(quote a(quote b)c)'],
    ['> quoted\nmy answer', '(quote quoted)my answer'],
    ['1. a\n3. b', '(1 a)(3 b)'],
    ['- a\n- b\n  - c\n- d\nend', '(• a)(• b(• c))(• d)end'],
    ['text\n* a\n\n* b\n\ntext', 'text(• a)(• b)text'],
    ['#12 and a#1 (#2)', '(ref #12) and a#1 ((ref #2))'],
    ['__two words__', '(strong two words)'],
    ['**.NET** and _/etc/_ **src/**', '(strong .NET) and (em /etc/) (strong src/)'],
  ])('reads %j', (text, expected) => {
    expect(shape(parseMarkdown(text))).toBe(expected);
  });

  it('keeps the language of a code block', () => {
    expect(parseMarkdown('```js\na\n```')).toEqual([{ kind: 'block', text: 'a', language: 'js' }]);
  });

  it.each([
    'a\n\n\nb',
    '# head\n---\nx\n===',
    '| a | b |\n|---|---|',
    '<b>x</b> &amp; <img src=x>',
    '    indented\n  more',
    '* * *',
    '+1 to that',
  ])('leaves %j as written, because a chat does not need it', (text) => {
    expect(parseMarkdown(text)).toEqual([text]);
  });

  it.each([
    '^_^ hi ^_^',
    '(^_^)/ ok (^_^)',
    '*_*',
    '(*_*)',
    '(*^_^*)',
    '2*3*4',
    '100*100/400*56',
    'a*b + c*d',
    '2**3**4',
    '__init__',
    'snake_case_name',
    '/etc/_foo_/bar',
    '*.ts,*.js',
    '**/*.ts **/*.js',
    'src/*, lib/*',
    '>_<',
    '>.<',
    '>_>',
    '>:( no',
    '>>> print(1)',
    '¯\\_(ツ)_/¯',
    '\\\\server\\share',
    'C:\\dir\\name',
    '好的~ 明天见~',
  ])('loses no letter of %j', (text) => {
    expect(plainText(parseMarkdown(text))).toBe(text);
  });

  it('removes the backslash of an escaped delimiter', () => {
    expect(parseMarkdown('\\*no\\* \\`x\\`')).toEqual(['*no* `x`']);
  });

  it.each(['**\u200b**', '` `', '>', '```', '~~~\n~~~', '* ', 'a\n```'])(
    'shows %j as written, because nothing of it would be visible',
    (text) => {
      expect(parseMarkdown(text)).toEqual([text]);
    },
  );

  it('takes the text behind a fence for the code when there is no other', () => {
    for (const text of ['```hello', '```hello\n```', '~~~hello\n\n\n~~~'])
      expect(parseMarkdown(text)).toEqual([{ kind: 'block', text: 'hello', language: '' }]);
    expect(parseMarkdown('```hello there')).toEqual([{ kind: 'block', text: 'hello there', language: '' }]);
  });

  it.each([
    ['**注意：**请看', '(strong 注意：)请看'],
    ['**100%**的', '(strong 100%)的'],
    ['**Q:**什么', '(strong Q:)什么'],
    ['这是**重点**内容', '这是(strong 重点)内容'],
    ['看#12吧', '看(ref #12)吧'],
  ])('reads %j, as scripts without spaces are written', (text, expected) => {
    expect(shape(parseMarkdown(text))).toBe(expected);
  });
});

describe('a mention', () => {
  const mentioned = (text: string, ...users: readonly { id: string; name: string }[]) =>
    parseMarkdown(text, users).flatMap((node) =>
      typeof node === 'object' && node.kind === 'mention' ? [`${node.user.id}:${node.text}`] : [],
    );

  it('is the longest name, whatever is in it', () => {
    const odd = { id: 'o', name: 'A.*(b' };
    expect(mentioned('@Ann Lee, @ann, @A.*(b and @Bob', ANN, ANN_LEE, odd)).toEqual([
      'l:@Ann Lee',
      'a:@ann',
      'o:@A.*(b',
    ]);
  });

  it('ends anywhere in a script without spaces, and at the end of a word in others', () => {
    expect(mentioned('@小明你好 @민수야 你好@小明', XIAOMING, MINSU)).toEqual([
      'x:@小明',
      'm:@민수',
      'x:@小明',
    ]);
    expect(mentioned('@Annabel mail@Ann', ANN)).toEqual([]);
  });

  it('may leave out the spaces of the name, and use a full-width @', () => {
    expect(mentioned('@AnnLee ＠Ann', ANN, ANN_LEE)).toEqual(['l:@AnnLee', 'a:＠Ann']);
  });

  it('is each one that the server finds', () => {
    const people = [ANN, ANN_LEE, XIAOMING, MINSU];
    const ownerOf = (wanted: string) => {
      const user = people.find(({ name }) => skeleton(name) === wanted);
      return (
        user && {
          ...{ ...user, key: 1, ownsName: true, signedOut: false },
          ...{ generation: 0, hasPosted: true, lastSeen: 0 },
        }
      );
    };
    for (const text of [
      '@小明你好',
      '你好@小明，@AnnLee 和 ＠Ann',
      '@민수야 안녕',
      '@ann\u00a0lee',
      'mail ann@ann.example @Anna @Ann',
      '`@Ann` \\@Ann https://h.test/@Ann @Ann Lee',
      '> @Ann\n@小明',
      '[@Ann](https://h.test) [@Ann](https://h.test "@小明")@AnnLee',
      '![@Ann](https://h.test/i.png) @小明 [@Ann h.test](https://x.test)',
      '[[@Ann]](https://h.test) [@Ann](/r/lobby) [@小明][1]',
      '\\[@Ann](https://h.test) [@小明\\](https://h.test)',
    ]) {
      const found = findMentions(text, { ownerOf }) ?? [];
      expect([text, mentioned(text, ...found)]).toEqual([
        text,
        found.map(({ id }) => expect.stringMatching(`^${id}:`)),
      ]);
    }
  });

  it('loses the backslash that makes it text', () => {
    expect(parseMarkdown('\\@Ann', [ANN])).toEqual(['@Ann']);
  });

  it('stays text in code, in links and in images, also when the text mentions the same person elsewhere', () => {
    expect(mentioned('`@Ann` [@Ann](http://x.org)', ANN)).toEqual([]);
    expect(mentioned('![@Ann](http://x.org/i.png) [@Ann bank.com](http://x.org "@Ann") @ann', ANN)).toEqual([
      'a:@ann',
    ]);
  });
});

/** The URL with each of these behind it. */
function followedBy(url: string, ...afters: readonly string[]): readonly [string, string][] {
  return afters.map((after) => [`${url}${after}`, url]);
}

describe('a URL in running text', () => {
  it.each<[string, string]>([
    ['«https://example.com»', 'https://example.com'],
    ['‹https://example.com›', 'https://example.com'],
    ['[https://example.com]', 'https://example.com'],
    ...followedBy(
      'https://example.com',
      '’s',
      '—great',
      ',',
      '.',
      '…',
      '،',
      '।',
      '·',
      '✓',
      '👍',
      '|x',
      '^',
      '=',
    ),
    ...followedBy('https://example.com', '\u200e', '에서', 'です', '你好'),
    ...followedBy(
      'https://x.org/a',
      ']',
      '}',
      '»',
      '’',
      '…',
      '—',
      '–',
      '؟',
      '،',
      '।',
      '|',
      '。好',
      '”',
      '!',
      '.',
    ),
    ['(https://x.org/a)', 'https://x.org/a'],
    ['（https://x.org/a）', 'https://x.org/a'],
    ['http://a.example/\u202egpj.exe', 'http://a.example/'],
    ['看https://x.org/a。好', 'https://x.org/a'],
  ])('ends in %j where the sentence goes on', (text, url) => {
    expect(linksOf(parseMarkdown(text))).toEqual([new URL(url).href]);
    expect(plainText(parseMarkdown(text))).toBe(text);
  });

  it.each([
    'https://例え.jp/',
    'http://пример.рф/x',
    'https://中国.cn',
    'https://한국.kr',
    'http://ñandu.cl',
    'https://é.fr',
    'https://münchen.de/a',
    'http://[::1]:3000/',
    'http://localhost:3000/r/lobby#1',
    'http://192.168.1.1/x?a=b&c={d}',
    'https://ja.wikipedia.org/wiki/佐々木',
    'https://ja.wikipedia.org/wiki/代々木〇〜（x）',
    'https://en.wikipedia.org/wiki/A_(b)',
  ])('is linked whole: %s', (url) => {
    expect(linksOf(parseMarkdown(`${url} x`))).toEqual([new URL(url).href]);
  });

  it('may begin with www. or be an address of mail', () => {
    expect(shape(parseMarkdown('WWW.example.com/a, ann@example.com'))).toBe(
      '<http://www.example.com/a|WWW.example.com/a>, <mailto:ann@example.com|ann@example.com>',
    );
  });

  it('needs a host', () => {
    for (const text of ['http://', 'https://上', 'www.', 'a@b', 'xhttp://x.org'])
      expect(linksOf(parseMarkdown(text))).toEqual([]);
  });
});

describe('a link', () => {
  it.each([
    ['[here](https://x.org)', '<https://x.org/|here>'],
    ['[Node.js](https://nodejs.org)', '<https://nodejs.org/|Node.js>'],
    ['[https://x.org](https://x.org)', '<https://x.org/|https://x.org>'],
    ['[https://x](https://x)', '<https://x/|https://x>'],
    ['[google.com](https://www.google.com/a)', '<https://www.google.com/a|google.com>'],
    ['[docs](https://x.org "t")', '<https://x.org/|docs>'],
    ['[a **b** [c]](https://x.org/d_(e))', '<https://x.org/d_(e)|a (strong b) [c]>'],
    ['[#1](http://x.org)', '<http://x.org/|#1>'],
    ['<https://x.org>', '<https://x.org/|https://x.org>'],
    ['[ann@x.org](mailto:ann@x.org)', '<mailto:ann@x.org|ann@x.org>'],
  ])('is read from %j', (text, expected) => {
    expect(shape(parseMarkdown(text, [ANN]))).toBe(expected);
  });

  it.each([
    'https://bank.com',
    'google.com',
    'google.com:443',
    '**google.com**',
    '`google.com`',
    'google.com?x',
    'google.com#x',
    'bank.com.',
    'bank.com,',
    '192.168.1.1',
    'google․com',
    'google。com',
    'google.\u200bcom',
    'localhost:3000',
    'localhost',
    'bank:8443/login',
    '[::1]',
    'README.md',
    '',
    ' ',
    '\u200b\u3164\u2800',
  ])('labelled %j does not hide another address: the address is what one clicks', (label) => {
    const nodes = parseMarkdown(`[${label}](http://evil.example/a)`);
    const links = nodes.filter((node) => typeof node === 'object' && node.kind === 'link');
    expect(links.at(-1)).toEqual({
      kind: 'link',
      href: 'http://evil.example/a',
      children: ['http://evil.example/a'],
    });
  });

  it('of an image is its address', () => {
    expect(shape(parseMarkdown('![i](http://x.org/i.png)'))).toBe(
      '![i](<http://x.org/i.png|http://x.org/i.png>)',
    );
  });

  it.each([
    'javascript:alert(1)',
    'JaVaScript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    '/r/lobby',
    '//evil.org',
    'file:///etc/passwd',
    'java\nscript:alert(1)',
    'http:',
  ])('never leads to %j', (href) => {
    expect(safeHref(href)).toBeUndefined();
    expect(linksOf(parseMarkdown(`[a](${href})`))).toEqual([]);
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
  ];
  const moreBits = ['http://x.org', 'javascript:', '\\', ' ', 'a', '上', '!', '|', '&lt;', '\u202e', ':'];
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.array(fc.constantFrom(...bits, ...moreBits), { maxLength: 40 }).map((list) => list.join('')),
  );

  it('stays visible', () => {
    const some = text.filter((written) => /[\p{L}\p{N}\p{P}\p{S}]/u.test(written));
    const letter = /[^\s\p{C}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}]/u;
    fc.assert(
      fc.property(some, (written) => letter.test(plainText(parseMarkdown(written, [ANN])))),
      { numRuns: 2_000 },
    );
  });

  it('loses only delimiters and becomes known nodes only', () => {
    fc.assert(
      fc.property(text, (written) => {
        const nodes = parseMarkdown(written, [ANN]);
        check(nodes);
        expect(lettersOf(shown(nodes).join('')).length).toBeGreaterThanOrEqual(lettersOf(written).length);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Letters that are no delimiter, and that appear in a text only as written. */
function lettersOf(text: string): string {
  return [...text].filter((char) => /\p{Script=Han}/u.test(char)).join('');
}

/** All that can be seen: texts and addresses. */
function shown(nodes: MarkdownNodes): readonly string[] {
  const hidden = linksOf(nodes).map((href) =>
    decodeURIComponent(href.replaceAll(/%(?![0-9A-F]{2})/g, '%25')),
  );
  return [plainText(nodes), ...hidden];
}

function check(nodes: MarkdownNodes): void {
  const kinds = ['strong', 'em', 'del', 'code', 'block', 'link', 'quote', 'list', 'mention', 'ref'];
  for (const node of nodes) {
    if (typeof node === 'string') continue;
    expect(kinds).toContain(node.kind);
    if (node.kind === 'link') expect(node.href).toMatch(/^(https?:\/\/|mailto:)/);
    for (const inner of within(node)) check(inner);
  }
}

function within(node: Exclude<MarkdownNode, string>): readonly MarkdownNodes[] {
  if (node.kind === 'list') return node.items.map(({ children }) => children);
  return 'children' in node ? [node.children] : [];
}

function linksOf(nodes: MarkdownNodes): readonly string[] {
  return nodes.flatMap((node) =>
    typeof node === 'string'
      ? []
      : [...(node.kind === 'link' ? [node.href] : []), ...within(node).flatMap(linksOf)],
  );
}

describe('a hostile text of 4,000 characters', () => {
  it.each([
    ...['>', '> ', '*', '**', '*a ', 'a*', 'x*_x', '***a', '_a_', '`', '`a``', '[', '](', '[a](', '![', '- '],
    ...['\n- ', '1. ', '- > ', '\\', '<', '<a', '<!--', '\n#', '\n>', '\n> a\n', '|a', '[a]: b\n', 'http://'],
    ...[
      'http://a(',
      'http://a.b/(',
      'www.',
      'a@b',
      'a.',
      'a-@',
      '~~a',
      '```\n',
      '**上。',
      '#1 ',
      '@',
      '>\n- ',
    ],
    ...['[[a]](http://x.org) ', 'x ', '\n  ', '\n- a\n  b'],
  ])('of %j takes little time', (bit) => {
    const written = bit.repeat(4000 / bit.length);
    parseMarkdown(written, [ANN]);
    const from = process.cpuUsage();
    const nodes = parseMarkdown(written, [ANN]);
    const { user } = process.cpuUsage(from);
    check(nodes);
    // Some milliseconds on a machine at rest; what grows with the square takes seconds.
    expect(user / 1000).toBeLessThan(300);
  });
});

/** Before replies were a field of the message, they began with a quote in this form. */
describe('a quote of a numbered message', () => {
  it('names its author and number', () => {
    expect(parseMarkdown('> Ann, #12: one **two**\n> three\n\nyes')).toEqual([
      {
        kind: 'quote',
        from: { name: 'Ann', id: 12 },
        children: ['one ', { kind: 'strong', children: ['two'] }, '\nthree'],
      },
      'yes',
    ]);
  });

  it('may be empty', () => {
    expect(parseMarkdown('> Ann, #12: \n\nyes')).toEqual([
      { kind: 'quote', from: { name: 'Ann', id: 12 }, children: [] },
      'yes',
    ]);
  });
});

describe('foldText', () => {
  it('leaves short texts, and shortens long ones clearly', () => {
    expect(foldText('a\n'.repeat(13))).toBeUndefined();
    expect(foldText('a\n'.repeat(20))?.split('\n').length).toBe(10);
    expect(foldText('W'.repeat(1200))).toBeUndefined();
    expect(foldText('😀'.repeat(700))?.isWellFormed()).toBe(true);
    expect(foldText('W'.repeat(4000))?.length).toBeLessThanOrEqual(800);
  });
});
