/**
 * The names of people over time, and their read marks. Answers get lost, so each change has only an earliest and a latest
 * logical time, and each read mark a lowest and a highest number.
 */
import type { User } from '../shared/protocol.js';

/**
 * A name that a person has from a time in [takenAfter, takenBy] to a time in [leftAfter, leftBy]. After a sign-out the
 * name stays with the person, longer than any run takes.
 */
interface NameSpan {
  readonly userId: string;
  readonly name: string;
  readonly takenAfter: number;
  /** Infinity: not confirmed yet */
  takenBy: number;
  /** Infinity: the person keeps it */
  leftAfter: number;
  leftBy: number;
}

export class People {
  /** all names that were ever taken, the newest last */
  readonly names: string[] = [];
  readonly #byUser = new Map<string, NameSpan[]>();
  readonly #byName = new Map<string, NameSpan[]>();
  /** logical times at which sign-outs were confirmed */
  readonly #signedOutBy = new Map<string, number>();

  /** A sign-in that started at `takenAfter` was confirmed at `takenBy`. */
  signIn({ id, name }: User, takenAfter: number, takenBy: number): void {
    this.#add(id, name, takenAfter).takenBy = takenBy;
  }

  /** Notes that a person requests another name at this time. Returns a function to call with the time of the confirmation. */
  rename(userId: string, name: string, at: number): (confirmedAt: number) => void {
    const former = this.#byUser.get(userId)?.at(-1);
    if (former) former.leftAfter = at;
    const span = this.#add(userId, name, at);
    return (confirmedAt) => {
      if (former) former.leftBy = confirmedAt;
      span.takenBy = confirmedAt;
    };
  }

  /** A sign-out of this person was confirmed at this time. */
  signOut(userId: string, confirmedAt: number): void {
    this.#signedOutBy.set(userId, confirmedAt);
  }

  /** Returns the newest name of a person. */
  currentName(userId: string): string | undefined {
    return this.#byUser.get(userId)?.at(-1)?.name;
  }

  /** Returns true when the person may have acted under this name at some time in [from, to]. */
  mayAct({ id, name }: User, from: number, to: number): boolean {
    if ((this.#signedOutBy.get(id) ?? Number.POSITIVE_INFINITY) < from) return false;
    return (this.#byUser.get(id) ?? []).some((span) => span.name === name && isPossible(span, from, to));
  }

  /**
   * Returns what is wrong with the mentions of a text that names these people and was applied at a time in [from, to];
   * undefined when nothing is.
   */
  mentionProblem(
    names: readonly string[],
    mentions: readonly User[],
    from: number,
    to: number,
  ): string | undefined {
    const rest = [...mentions];
    const seen = new Set<string>();
    for (const name of names) {
      const spans = this.#byName.get(name) ?? [];
      const [next] = rest;
      const owner = spans.find((span) => span.userId === next?.id && isPossible(span, from, to));
      if (owner && next?.name === name) seen.add(rest.shift()?.id ?? '');
      else if (spans.some((span) => isCertain(span, from, to) && !seen.has(span.userId)))
        return `@${name} is not in its mentions`;
    }
    return rest[0] && `it mentions ${rest[0].name} (${rest[0].id})`;
  }

  #add(userId: string, name: string, takenAfter: number): NameSpan {
    const never = Number.POSITIVE_INFINITY;
    const span = { userId, name, takenAfter, takenBy: never, leftAfter: never, leftBy: never };
    this.names.push(name);
    push(this.#byUser, userId, span);
    push(this.#byName, name, span);
    return span;
  }
}

function isPossible({ takenAfter, leftBy }: NameSpan, from: number, to: number): boolean {
  return takenAfter <= to && leftBy >= from;
}

function isCertain({ takenBy, leftAfter }: NameSpan, from: number, to: number): boolean {
  return takenBy <= from && leftAfter > to;
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/** Bounds of each person's read mark in each room. A mark never goes back. */
export class ReadMarks {
  readonly #confirmed = new Map<string, number>();
  readonly #requested = new Map<string, number>();

  /** The mark may move up to `id` from now on. */
  request(userId: string, room: string, id: number): void {
    raise(this.#requested, `${userId} ${room}`, id);
  }

  /** The mark is at least at `id`. */
  confirm(userId: string, room: string, id: number): void {
    raise(this.#confirmed, `${userId} ${room}`, id);
  }

  min(userId: string, room: string): number {
    return this.#confirmed.get(`${userId} ${room}`) ?? 0;
  }

  max(userId: string, room: string): number {
    return this.#requested.get(`${userId} ${room}`) ?? 0;
  }
}

function raise(map: Map<string, number>, key: string, value: number): void {
  map.set(key, Math.max(value, map.get(key) ?? 0));
}
