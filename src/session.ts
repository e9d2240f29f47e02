/** Signs and verifies the `name` cookie, for HTTP and for upgrades. Contract: docs/protocol.md, "Identity". */
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import Keygrip from 'keygrip';
import { field, parseJsonObject } from './shared/parse.js';
import type { User } from './shared/protocol.js';

/** The user of a request. */
export interface Session {
  readonly user: User;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Whether the cookie should be signed again: it has an older key, or is over a day old. */
  readonly needsRefresh: boolean;
}

/** The stored user: their current name, and whether they have signed out, which ends this id for ever. */
export interface PersonLookup {
  person(id: string): { readonly name: string; readonly signedOut: boolean } | undefined;
}

export const SESSION_SECONDS = 30 * 24 * 3600;
const REFRESH_AFTER_SECONDS = 24 * 3600;
const MAX_COOKIE_LENGTH = 4096;
/** Cookies of one name that are looked at. Browsers send several when another host of the domain sets the same name. */
const MAX_SAME_NAME = 4;
const ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/; // new ids have 12; older cookies may have others
const BASE64_PATTERN = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Signs with the newest key and accepts all. `keys` are in order, newest first; `now` is in milliseconds. */
export class SessionCookie {
  readonly keys: Keygrip;
  /**
   * Names of the cookies that hold the session, the one that counts first. Cookies know no port, so the name with the
   * instance keeps two servers on one host apart; `name` alone is what other programs read.
   */
  readonly names: readonly string[];
  /** The same keys for our own check: Keygrip's draws random bytes and makes two more HMACs, at every upgrade. */
  readonly #secrets: readonly KeyObject[];
  readonly #people: PersonLookup;
  readonly #now: () => number;

  constructor(keys: readonly string[], people: PersonLookup, now: () => number, instance?: string) {
    this.keys = new Keygrip([...keys], 'sha256');
    this.names = instance === undefined ? ['name'] : [`name-${instance}`, 'name'];
    this.#secrets = keys.map((key) => createSecretKey(key, 'utf8'));
    this.#people = people;
    this.#now = now;
  }

  /** Returns the session of a Cookie header, or undefined when the cookie is missing, invalid or expired. Never throws. */
  verify(header: string | undefined): Session | undefined {
    if (header === undefined) return undefined;
    for (const name of this.names) {
      const session = this.#verifyNamed(header, name);
      if (session) return session;
    }
    return undefined;
  }

  /** Tries every cookie of this name with every signature, because a neighbour's may stand before ours. */
  #verifyNamed(header: string, name: string): Session | undefined {
    const signatures = cookieValues(header, `${name}.sig`);
    for (const value of signatures.length > 0 ? cookieValues(header, name) : []) {
      if (value.length > MAX_COOKIE_LENGTH) continue;
      for (const signature of signatures) {
        const key = this.#secrets.findIndex((secret) =>
          isValidSignature(secret, `${name}=${value}`, signature),
        );
        const session = key < 0 ? undefined : this.#parse(value, key > 0);
        const current = session && this.#withStoredName(session);
        if (current) return current;
      }
    }
    return undefined;
  }

  /** Returns the cookie's value for a session that begins now. */
  sign(user: User): string {
    const iat = Math.floor(this.#now() / 1000);
    return Buffer.from(JSON.stringify({ id: user.id, name: user.name, iat })).toString('base64');
  }

  /** Takes the name from the database, because the user may have changed it or signed out since the cookie was signed. */
  #withStoredName(session: Session): Session | undefined {
    const person = this.#people.person(session.user.id);
    if (!person) return session; // signed in after the backup that was restored
    if (person.signedOut) return undefined;
    return { ...session, user: { id: session.user.id, name: person.name } };
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
    const now = this.#now() / 1000;
    const age = now - iat;
    if (age > SESSION_SECONDS) return undefined;
    return {
      user: { id, name },
      // A signed time in the future means that our own clock was wrong. It makes no session longer.
      expiresAt: (Math.min(iat, now) + SESSION_SECONDS) * 1000,
      needsRefresh: oldKey || age < 0 || age > REFRESH_AFTER_SECONDS,
    };
  }
}

/** Compares with Keygrip's signature, in constant time. */
function isValidSignature(secret: KeyObject, text: string, signature: string): boolean {
  const expected = Buffer.from(createHmac('sha256', secret).update(text).digest('base64url'));
  const actual = Buffer.from(signature);
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** Returns a new public id: 12 random URL-safe characters. */
export function newId(): string {
  return randomBytes(9).toString('base64url');
}

/** Returns a new signing key: 32 random bytes. */
export function newKey(): string {
  return randomBytes(32).toString('base64url');
}

/** Returns a new name of a data folder, for its cookie: 8 URL-safe characters. */
export function newInstance(): string {
  return randomBytes(6).toString('base64url');
}

/** Returns the values of the cookies with this name. The package `cookies` needs a response, which an upgrade lacks. */
function cookieValues(header: string, name: string): string[] {
  const values: string[] = [];
  for (const part of header.split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) values.push(unquote(part.slice(at + 1).trim()));
    if (values.length === MAX_SAME_NAME) break;
  }
  return values;
}

function unquote(value: string): string {
  return value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}
