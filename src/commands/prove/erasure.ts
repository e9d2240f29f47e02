/** Deleted text leaves the files too, soon after: docs/protocol.md. It is looked for in all bytes of the folder. */
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TAIL_LENGTH, tailOf, tailsIn } from './text.js';

/** Milliseconds without any of it going before we call it staying; and between two looks. */
const PATIENCE = 15_000;
const PAUSE = 500;

interface Left {
  readonly count: number;
  /** where one of it is; '' when there is none */
  readonly evidence: string;
}

/** Resolves when none of these texts is left in the folder, or with what stays. */
export async function remains(folder: string, texts: Iterable<string>): Promise<string | undefined> {
  const tails = new Set(Array.from(texts, tailOf));
  let left = await leftIn(folder, tails);
  for (let end = performance.now() + PATIENCE; left.count > 0; ) {
    if (performance.now() > end) return left.evidence;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    const now = await leftIn(folder, tails);
    if (now.count < left.count) end = performance.now() + PATIENCE; // very many take their time
    left = now;
  }
  return undefined;
}

async function leftIn(folder: string, tails: ReadonlySet<string>): Promise<Left> {
  const left = new Map<string, string>();
  for (const name of readdirSync(folder))
    for await (const tail of tailsOf(join(folder, name))) if (tails.has(tail)) left.set(tail, name);
  const [first] = left;
  return { count: left.size, evidence: first ? `"…${first[0]}" was deleted, and is in ${first[1]}` : '' };
}

async function* tailsOf(file: string): AsyncGenerator<string> {
  let before = '';
  for await (const chunk of createReadStream(file, { encoding: 'latin1', highWaterMark: 1 << 20 })) {
    const bytes = before + String(chunk);
    yield* tailsIn(bytes);
    before = bytes.slice(1 - TAIL_LENGTH);
  }
}
