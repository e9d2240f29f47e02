/**
 * The `name` cookie: made, signed and opened here, the same for HTTP and for the upgrade. Opening never throws: what is
 * not a cookie of ours, whole and in date, is nobody. Contract: docs/protocol.md, "Identity".
 */
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import Keygrip from 'keygrip';
import { field, parseObject } from './parse.js';
import type { User } from './protocol.js';

/** Who a request comes from. */
export interface Session {
  readonly user: User;
  /** when the session is over, in milliseconds since 1970 */
  readonly ends: number;
  /** worth signing anew: with an older key, or made over a day ago */
  readonly stale: boolean;
}

/** What is known of a person beside the cookie: their name today, and whether they signed out (for ever, under this id). */
export interface People {
  person(id: string): { readonly name: string; readonly signedOut: boolean } | undefined;
}

export const SESSION_SECONDS = 30 * 24 * 3600;
const REFRESH_SECONDS = 24 * 3600;
const FUTURE_SECONDS = 60;
const COOKIE_MAX = 4096;
const ID = /^[A-Za-z0-9_-]{1,64}$/; // ours have 12; the signature vouches for older shapes
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Opens and makes cookies with the given keys, newest first. `now` is in milliseconds. */
export class Identity {
  readonly keys: Keygrip;
  /** the same keys, to look at signatures: Keygrip's own look draws random bytes and makes two more HMACs, at every upgrade */
  readonly #secrets: readonly KeyObject[];
  readonly #people: People;
  readonly #now: () => number;

  constructor(keys: readonly string[], people: People, now: () => number) {
    this.keys = new Keygrip([...keys], 'sha256');
    this.#secrets = keys.map((key) => createSecretKey(key, 'utf8'));
    this.#people = people;
    this.#now = now;
  }

  /** The session that a Cookie header proves, or undefined. */
  open(header: string | undefined): Session | undefined {
    if (header === undefined) return undefined;
    const value = cookie(header, 'name');
    const signature = cookie(header, 'name.sig');
    if (value === undefined || signature === undefined || value.length > COOKIE_MAX) return undefined;
    const key = this.#secrets.findIndex((secret) => signs(secret, `name=${value}`, signature));
    const session = key < 0 ? undefined : this.#read(value, key > 0);
    return session && this.#known(session);
  }

  /** The cookie's value for a user, from now on. */
  seal(user: User): string {
    const iat = Math.floor(this.#now() / 1000);
    return Buffer.from(JSON.stringify({ id: user.id, name: user.name, iat })).toString('base64');
  }

  /** The signature proves that we made the cookie; the people's book may know better: renamed, or signed out. */
  #known(session: Session): Session | undefined {
    const person = this.#people.person(session.user.id);
    if (!person) return session; // ours, from before a restored backup
    if (person.signedOut) return undefined;
    const { user, ends, stale } = session;
    return { user: { id: user.id, name: person.name }, ends, stale };
  }

  #read(value: string, oldKey: boolean): Session | undefined {
    const fields = BASE64.test(value) ? parseObject(Buffer.from(value, 'base64').toString()) : undefined;
    if (!fields) return undefined;
    const [id, name, iat] = [field(fields, 'id'), field(fields, 'name'), field(fields, 'iat')];
    if (typeof id !== 'string' || !ID.test(id) || typeof name !== 'string' || name === '') return undefined;
    if (typeof iat !== 'number' || !Number.isFinite(iat)) return undefined;
    const age = this.#now() / 1000 - iat;
    if (age > SESSION_SECONDS || age < -FUTURE_SECONDS) return undefined;
    return {
      user: { id, name },
      ends: (iat + SESSION_SECONDS) * 1000,
      stale: oldKey || age > REFRESH_SECONDS,
    };
  }
}

/** Whether that is Keygrip's signature; in a time that does not tell how much of it is right. */
function signs(secret: KeyObject, text: string, signature: string): boolean {
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
function cookie(header: string, name: string): string | undefined {
  for (const part of header.split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return unquote(part.slice(at + 1).trim());
  }
  return undefined;
}

function unquote(value: string): string {
  return value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}
