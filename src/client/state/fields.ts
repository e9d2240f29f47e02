/** Reading fields of JSON that a server sent: the value when it is what it should be, else undefined. */
import { field } from '../../shared/parse.js';

export type Fields = Readonly<Record<string, unknown>>;

export function text(fields: Fields, name: string): string | undefined {
  const value = field(fields, name);
  return typeof value === 'string' ? value : undefined;
}

/** A whole number from 0 on. */
export function number(fields: Fields, name: string): number | undefined {
  const value = field(fields, name);
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** Every entry parsed, or undefined when it is no list or one of them makes no sense. */
export function list<T>(
  fields: Fields,
  name: string,
  parse: (value: unknown) => T | undefined,
): T[] | undefined {
  return parsedList(field(fields, name), parse);
}

export function parsedList<T>(value: unknown, parse: (value: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const parsed = value.map(parse).filter((entry) => entry !== undefined);
  return parsed.length === value.length ? parsed : undefined;
}

/** `{name: value}` when there is a value, to be spread: an optional field is there or it is not. */
export function optional<K extends string, V>(name: K, value: V | undefined): { readonly [k in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [k in K]?: V }; // a computed key widens to string
}
