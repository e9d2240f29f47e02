/** Long messages are shown in part until somebody wants all of it. Pure. */
const LINES = 14;
const CHARACTERS = 1_200;
/** What is left of a long one: clearly less, or folding would not be worth it. */
const SHORT_LINES = 10;
const SHORT_CHARACTERS = 800;

/** The beginning of a long text; undefined when it is not long. */
export function folded(text: string): string | undefined {
  if (text.length <= CHARACTERS && lines(text) <= LINES) return undefined;
  const short = text.split('\n').slice(0, SHORT_LINES).join('\n');
  return short.length <= SHORT_CHARACTERS ? short : upTo(short, SHORT_CHARACTERS);
}

function lines(text: string): number {
  let count = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

/** At the end of a word when there is one, and never within a character. */
function upTo(text: string, most: number): string {
  const cut = text.slice(0, most);
  const word = cut.replace(/\s+\S{0,60}$/, '');
  return word.toWellFormed().replace(/\ufffd$/, '');
}
