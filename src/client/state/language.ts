/** Which language to speak: the one that was chosen, else the first that the browser's owner reads and we have. */

/** `setting`: a tag, or `system`. `has`: the tags there are, the one to fall back to first. */
export function chosenLanguage(setting: string, reads: readonly string[], has: readonly string[]): string {
  for (const tag of setting === 'system' ? reads : [setting, ...reads]) {
    const found = closest(tag, has);
    if (found !== undefined) return found;
  }
  return has[0] ?? 'en';
}

/** `zh-Hans-SG` is served by `zh-CN`: the script decides, then the language. */
function closest(tag: string, has: readonly string[]): string | undefined {
  const locale = localeOf(tag);
  if (!locale) return undefined;
  const same = has.find((one) => one.toLowerCase() === tag.toLowerCase());
  return same ?? has.find((one) => alike(localeOf(one), locale));
}

function alike(a: Intl.Locale | undefined, b: Intl.Locale): boolean {
  return a?.language === b.language && a.script === b.script;
}

function localeOf(tag: string): Intl.Locale | undefined {
  try {
    return new Intl.Locale(tag).maximize();
  } catch {
    return undefined; // not a tag
  }
}
