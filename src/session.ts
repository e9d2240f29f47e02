/**
 * The `name` cookie: made, signed and opened here, the same for HTTP and for the upgrade. Opening never throws: what is
 * not a cookie of ours, whole and in date, is nobody. Contract: docs/protocol.md, "Identity".
 */
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import Keygrip from 'keygrip';
import { field, parseJsonObject } from './shared/parse.js';
import type { User } from './shared/protocol.js';

/** Who a request comes from. */
export interface Session {
  readonly user: User;
  /** count of the person's sign-outs when the cookie was made */
  readonly generation: number;
  /** false: somebody else took their name while they were away */
  readonly ownsName: boolean;
  /** when the session is over, in milliseconds since 1970 */
  readonly expiresAt: number;
  /** worth signing anew: with an older key, or made over a day ago */
  readonly needsRefresh: boolean;
}

/** What the store knows of a person beside the cookie. */
export interface PersonLookup {
  person(id: string): StoredPerson | undefined;
}

interface StoredPerson {
  readonly name: string;
  readonly ownsName: boolean;
  readonly signedOut: boolean;
  readonly generation: number;
}

export const SESSION_SECONDS = 30 * 24 * 3600;
const REFRESH_AFTER_SECONDS = 24 * 3600;
const CLOCK_SKEW_SECONDS = 60;
const MAX_COOKIE_LENGTH = 4096;
const ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/; // ours have 12; the signature vouches for older shapes
const BASE64_PATTERN = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Opens and makes cookies with the given keys, newest first. `now` is in milliseconds. */
export class SessionCookie {
  readonly keys: Keygrip;
  /** the same keys, to look at signatures: Keygrip's own look draws random bytes and makes two more HMACs, at every upgrade */
  readonly #secrets: readonly KeyObject[];
  readonly #people: PersonLookup;
  readonly #now: () => number;

  constructor(keys: readonly string[], people: PersonLookup, now: () => number) {
    this.keys = new Keygrip([...keys], 'sha256');
    this.#secrets = keys.map((key) => createSecretKey(key, 'utf8'));
    this.#people = people;
    this.#now = now;
  }

  /** The session that a Cookie header proves; undefined also for somebody who must take another name first. */
  verify(header: string | undefined): Session | undefined {
    const session = this.identify(header);
    return session?.ownsName ? session : undefined;
  }

  /** The same with those who lost their name. */
  identify(header: string | undefined): Session | undefined {
    if (header === undefined) return undefined;
    const value = cookieValue(header, 'name');
    const signature = cookieValue(header, 'name.sig');
    if (value === undefined || signature === undefined || value.length > MAX_COOKIE_LENGTH) return undefined;
    const key = this.#secrets.findIndex((secret) => isValidSignature(secret, `name=${value}`, signature));
    const session = key < 0 ? undefined : this.#parse(value, key > 0);
    return session && this.#withStoredPerson(session);
  }

  /** Whether a session has not been ended since it began. */
  isCurrent({ user, generation }: Pick<Session, 'user' | 'generation'>): boolean {
    const person = this.#people.person(user.id);
    return !person || (!person.signedOut && generation >= person.generation);
  }

  /** The cookie's value for a person, from now on. */
  sign({ id, name }: User, generation: number): string {
    const iat = Math.floor(this.#now() / 1000);
    const fields = generation === 0 ? { id, name, iat } : { id, name, iat, gen: generation };
    return Buffer.from(JSON.stringify(fields)).toString('base64');
  }

  /** The signature proves that we made the cookie; the store may know better: renamed, or signed out. */
  #withStoredPerson(session: Session): Session | undefined {
    const person = this.#people.person(session.user.id);
    if (!person) return session; // restored from a backup that is older than the cookie
    if (!this.isCurrent(session)) return undefined;
    const { user, generation, expiresAt, needsRefresh } = session;
    const { name, ownsName } = person;
    return { user: { id: user.id, name }, generation, ownsName, expiresAt, needsRefresh };
  }

  #parse(value: string, oldKey: boolean): Session | undefined {
    const fields = BASE64_PATTERN.test(value)
      ? parseJsonObject(Buffer.from(value, 'base64').toString())
      : undefined;
    if (!fields) return undefined;
    const [id, name, iat] = [field(fields, 'id'), field(fields, 'name'), field(fields, 'iat')];
    if (typeof id !== 'string' || !ID_PATTERN.test(id) || typeof name !== 'string' || name === '')
      return undefined;
    if (typeof iat !== 'number' || !Number.isFinite(iat)) return undefined;
    const generation = field(fields, 'gen') ?? 0;
    if (typeof generation !== 'number' || !Number.isSafeInteger(generation)) return undefined;
    const age = this.#now() / 1000 - iat;
    if (age > SESSION_SECONDS || age < -CLOCK_SKEW_SECONDS) return undefined;
    return {
      user: { id, name },
      generation,
      ownsName: true,
      expiresAt: (iat + SESSION_SECONDS) * 1000,
      needsRefresh: oldKey || age > REFRESH_AFTER_SECONDS,
    };
  }
}

/** Whether that is Keygrip's signature; in a time that does not tell how much of it is right. */
function isValidSignature(secret: KeyObject, text: string, signature: string): boolean {
  const ours = Buffer.from(createHmac('sha256', secret).update(text).digest('base64url'));
  const theirs = Buffer.from(signature);
  return ours.length === theirs.length && timingSafeEqual(ours, theirs);
}

/** A new public id: 12 random URL-safe characters. */
export function newId(): string {
  return randomBytes(9).toString('base64url');
}

/** A key for a first start: 32 random bytes. */
export function newKey(): string {
  return randomBytes(32).toString('base64url');
}

/** The value of the first cookie of that name. Written here because an upgrade has no response to hand to `cookies`. */
function cookieValue(header: string, name: string): string | undefined {
  for (const part of header.split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return unquote(part.slice(at + 1).trim());
  }
  return undefined;
}

function unquote(value: string): string {
  return value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}
