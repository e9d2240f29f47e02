/** Which language to speak to somebody, and how it writes counts. Shared by the server and the page; imports nothing. */
/** `setting`: a tag, or `system`. `has`: the tags there are, the one to fall back to first. */
export function negotiateLanguage(setting: string, reads: readonly string[], has: readonly string[]): string {
  for (const tag of setting === 'system' ? reads : [setting, ...reads]) {
    const found = closestTag(tag, has);
    if (found !== undefined) return found;
  }
  return has[0] ?? 'en';
}

/** `zh-Hans-SG` is served by `zh-CN`: the script decides, then the language. */
function closestTag(tag: string, has: readonly string[]): string | undefined {
  const [only, another] = has.filter((one) => primarySubtag(one) === primarySubtag(tag));
  if (only !== undefined && another === undefined && languageTagPattern.test(tag)) return only;
  const locale = parseLocale(tag);
  if (!locale) return undefined;
  const same = has.find((one) => one.toLowerCase() === tag.toLowerCase());
  const near = (alike: (one: Intl.Locale) => boolean) =>
    has.find((one) => {
      const other = parseLocale(one);
      return other !== undefined && alike(other);
    });
  return (
    same ??
    near(({ language, script }) => language === locale.language && script === locale.script) ??
    near(({ language }) => language === locale.language)
  );
}

/** Then nothing of a script need be known, which takes longer to find out than drawing a screen of messages. */
const languageTagPattern = /^[a-z]{2,3}(?:-[a-z0-9]{2,8})*$/i;

function primarySubtag(tag: string): string | undefined {
  return tag.split('-', 1)[0]?.toLowerCase();
}

function parseLocale(tag: string): Intl.Locale | undefined {
  try {
    return new Intl.Locale(tag).maximize();
  } catch {
    return undefined; // not a tag
  }
}

/** The languages of an Accept-Language header (RFC 9110, 12.5.4), best first. */
export function acceptedLanguages(header: string): readonly string[] {
  return header
    .split(',', 32)
    .map((range) => {
      const [tag = '', ...rest] = range.split(';').map((part) => part.trim());
      const q = rest.find((part) => part.startsWith('q='))?.slice(2);
      return { tag, weight: q === undefined ? 1 : Number(q) };
    })
    .filter(({ tag, weight }) => tag !== '' && tag !== '*' && weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ tag }) => tag);
}

/**
 * Formats counts with the digits 0 to 9 and the language's separators: 2,000. Creates the Intl.NumberFormat with the first
 * count over 999, because that takes 25 ms, and 100 ms on a phone: longer than drawing the page.
 */
export function countFormatter(language: string): (count: number) => string {
  let format: Intl.NumberFormat | undefined;
  return (count) => {
    if (Number.isInteger(count) && count >= 0 && count < 1000) return String(count);
    format ??= new Intl.NumberFormat(language);
    return format.format(count);
  };
}

/** Isolates a user's text inside a sentence (U+2068 … U+2069), so that its writing direction cannot reorder the rest. */
export function isolate(text: string): string {
  return `\u2068${text}\u2069`;
}
