/**
 * What people read. A language is one file beside this one, named by its tag; English is the one that all others are
 * held to, and what is shown until another one has come.
 */
import type { words } from './en.js';

/** A text, or one made of what it speaks of (numbers, names). */
type Widened<T> = T extends string
  ? string
  : T extends (...args: infer A) => string
    ? (...args: A) => string
    : { readonly [K in keyof T]: Widened<T[K]> };

export type Words = Widened<typeof words>;
