/**
 * Finding a name by some of its letters, in their order: "ktn" finds "kitchen". The better the letters stand together
 * and at the beginning of a word, the further up it comes. Pure.
 */
export interface Match {
  readonly score: number;
  /** where in the name the letters are, as [from, to) */
  readonly hits: readonly (readonly [number, number])[];
}

/** undefined: it does not match. An empty query matches everything. */
export function fuzzy(query: string, name: string): Match | undefined {
  const wanted = query.toLowerCase();
  const text = name.toLowerCase();
  const whole = text.indexOf(wanted);
  if (whole >= 0) return { score: 1_000 - whole * 10 - name.length, hits: hit(whole, wanted.length) };
  const places = placesOf(wanted, text);
  if (!places) return undefined;
  const gaps = (places.at(-1) ?? 0) - (places[0] ?? 0) + 1 - places.length;
  return { score: 500 - gaps * 10 - (places[0] ?? 0) * 5 - name.length, hits: joined(places) };
}

/** Each letter at the first place after the one before; where a word begins is preferred. */
function placesOf(wanted: string, text: string): readonly number[] | undefined {
  const places: number[] = [];
  let from = 0;
  for (const letter of wanted) {
    const next = text.indexOf(letter, from);
    if (next < 0) return undefined;
    const after = wordStart(text, letter, next);
    const place = after !== undefined && canEnd(wanted, places.length, text, after) ? after : next;
    places.push(place);
    from = place + letter.length;
  }
  return places;
}

function wordStart(text: string, letter: string, from: number): number | undefined {
  for (let at = text.indexOf(letter, from); at >= 0; at = text.indexOf(letter, at + 1)) {
    if (at === 0 || /[-_]/.test(text[at - 1] ?? '')) return at;
  }
  return undefined;
}

/** The rest of the letters are still there after this place. */
function canEnd(wanted: string, done: number, text: string, place: number): boolean {
  let from = place;
  for (const letter of [...wanted].slice(done)) {
    const next = text.indexOf(letter, from);
    if (next < 0) return false;
    from = next + letter.length;
  }
  return true;
}

function hit(from: number, length: number): Match['hits'] {
  return length === 0 ? [] : [[from, from + length]];
}

function joined(places: readonly number[]): Match['hits'] {
  const hits: [number, number][] = [];
  for (const place of places) {
    const last = hits.at(-1);
    if (last && last[1] === place) last[1] = place + 1;
    else hits.push([place, place + 1]);
  }
  return hits;
}
