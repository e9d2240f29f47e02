/** The emoji used last and the skin tone chosen, in this browser. Storage may be forbidden: then they are forgotten. */
const RECENT = 'oneport.emoji';
const TONE = 'oneport.tone';
const MOST = 24;
const FIRST: readonly string[] = ['👍', '❤️', '😂', '🎉', '😮', '👀'];

/** Last used first; filled up with what most people use. */
export function recentEmoji(): readonly string[] {
  return [...new Set([...read(RECENT).split(' ').filter(Boolean), ...FIRST])];
}

export function usedEmoji(emoji: string): void {
  const used = read(RECENT)
    .split(' ')
    .filter((one) => one !== '' && one !== emoji);
  write(RECENT, [emoji, ...used].slice(0, MOST).join(' '));
}

/** 0: none chosen; 1 to 5: light to dark. */
export function skinTone(): number {
  const tone = Number(read(TONE));
  return Number.isInteger(tone) && tone >= 0 && tone <= 5 ? tone : 0;
}

export function keepSkinTone(tone: number): void {
  write(TONE, String(tone));
}

function read(key: string): string {
  try {
    return localStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {}
}
