/** What a language has: a file beside this one, named by its tag. All are held to English, which is shown until another has come. */
import type { words } from './en.js';

/** A text, or one made of what it speaks of (numbers, names). */
type Widened<T> = T extends string
  ? string
  : T extends (...args: infer A) => string
    ? (...args: A) => string
    : { readonly [K in keyof T]: Widened<T[K]> };

export type Words = Widened<typeof words>;
