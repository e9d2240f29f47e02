/** Signs and verifies the `name` cookie, for HTTP and for upgrades. Contract: docs/protocol.md, "Identity". */
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import Keygrip from 'keygrip';
import { field, parseJsonObject } from './shared/parse.js';
import type { User } from './shared/protocol.js';

/** The user of a request. */
export interface Session {
  readonly user: User;
  /** The person's count of sign-outs when the cookie was signed. */
  readonly generation: number;
  /** False when somebody else took their name while they were away. */
  readonly ownsName: boolean;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Whether the cookie should be signed again: it has an older key, or is over a day old. */
  readonly needsRefresh: boolean;
}

/** The stored data of a person that a cookie is checked against. */
interface PersonLookup {
  person(id: string): StoredPerson | undefined;
}

interface StoredPerson {
  readonly name: string;
  readonly ownsName: boolean;
  readonly signedOut: boolean;
  readonly generation: number;
}

export const sessionSeconds = 30 * 24 * 3600;
const refreshAfterSeconds = 24 * 3600;
const maxCookieLength = 4096;
/** Cookies of one name that are checked. Browsers send several when another host of the domain sets the same name. */
const maxCookiesOfOneName = 4;
const idPattern = /^[A-Za-z0-9_-]{1,64}$/; // new ids have 12; older cookies may have others
const base64Pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Signs with the newest key and accepts all. `keys` are in order, newest first; `now` is in milliseconds. */
export class SessionCookie {
  keys: Keygrip;
  /**
   * Names of the cookies that hold the session, the one that counts first. Cookies know no port, so the name with the
   * instance keeps two servers on one host apart; `name` alone is what other programs read.
   */
  names: readonly string[];
  /** The same keys for our own check, because Keygrip's draws random bytes and computes two more HMACs at every upgrade. */
  #secrets: readonly KeyObject[];
  readonly #people: PersonLookup;
  readonly #now: () => number;

  constructor(keys: readonly string[], people: PersonLookup, now: () => number, instance?: string) {
    this.keys = new Keygrip([...keys], 'sha256');
    this.names = instance === undefined ? ['name'] : [`name-${instance}`, 'name'];
    this.#secrets = keys.map((key) => createSecretKey(key, 'utf8'));
    this.#people = people;
    this.#now = now;
  }

  /** Takes over the keys and the instance of the nodes that this one has joined. */
  replace(keys: readonly string[], instance: string): void {
    ({ keys: this.keys, names: this.names } = new SessionCookie(keys, this.#people, this.#now, instance));
    this.#secrets = keys.map((key) => createSecretKey(key, 'utf8'));
  }

  /**
   * Returns the session of a Cookie header, or undefined when the cookie is missing, invalid or expired, or its owner must
   * take another name first. Never throws.
   */
  verify(header: string | undefined): Session | undefined {
    const session = this.identify(header);
    return session?.ownsName ? session : undefined;
  }

  /** Like `verify`, but also returns sessions of people who lost their name. */
  identify(header: string | undefined): Session | undefined {
    if (header === undefined) return undefined;
    for (const signed of this.#verifySignatures(header)) {
      const session = this.#toSession(signed);
      if (session) return session;
    }
    return undefined;
  }

  #toSession(signed: SignedSession): Session | undefined {
    const now = this.#now() / 1000;
    const age = now - signed.iat;
    const stored = age > sessionSeconds ? undefined : this.#storedUser(signed);
    if (!stored) return undefined;
    // A signed time in the future means that our clock was wrong. It does not extend the session.
    const expiresAt = (Math.min(signed.iat, now) + sessionSeconds) * 1000;
    const needsRefresh = signed.hasOldKey || age < 0 || age > refreshAfterSeconds;
    return { ...stored, generation: signed.generation, expiresAt, needsRefresh };
  }

  /**
   * Returns the contents of the cookies that one of our keys signed, of the first name that has any. Tries every cookie of a
   * name with every signature, because those of a neighbouring host may come first. The result depends only on the header.
   */
  #verifySignatures(header: string): readonly SignedSession[] {
    for (const name of this.names) {
      const signatures = cookieValues(header, `${name}.sig`);
      const values = cookieValues(header, name).filter(({ length }) => length <= maxCookieLength);
      const signed = values.flatMap((value) =>
        signatures.flatMap((signature) => this.#verifySignature(name, value, signature) ?? []),
      );
      if (signed.length > 0) return signed;
    }
    return [];
  }

  #verifySignature(name: string, value: string, signature: string): SignedSession | undefined {
    const key = this.#secrets.findIndex((secret) => isValidSignature(secret, `${name}=${value}`, signature));
    return key < 0 ? undefined : parseSession(value, key > 0);
  }

  /** Whether no sign-out has ended the session. */
  isCurrent({ user, generation }: Pick<Session, 'user' | 'generation'>): boolean {
    const person = this.#people.person(user.id);
    return !person || (!person.signedOut && generation >= person.generation);
  }

  /** When a session that begins now expires, in milliseconds since 1970. */
  nextExpiry(): number {
    return (Math.floor(this.#now() / 1000) + sessionSeconds) * 1000;
  }

  /** Returns the cookie's value for a session that begins now. */
  sign({ id, name }: User, generation: number): string {
    const iat = Math.floor(this.#now() / 1000);
    const fields = generation === 0 ? { id, name, iat } : { id, name, iat, gen: generation };
    return Buffer.from(JSON.stringify(fields)).toString('base64');
  }

  /**
   * Returns the name in the database, because the user may have changed it since the cookie was signed. The database lacks a
   * person who signed in after the backup that was restored.
   */
  #storedUser(signed: SignedSession): Pick<Session, 'user' | 'ownsName'> | undefined {
    const person = this.#people.person(signed.user.id);
    if (!person) return { user: signed.user, ownsName: true };
    if (!this.isCurrent(signed)) return undefined;
    return { user: { id: signed.user.id, name: person.name }, ownsName: person.ownsName };
  }
}

/** The contents of a cookie, before the checks of its time and its user. */
interface SignedSession {
  readonly user: User;
  /** When it was signed, in seconds since 1970. */
  readonly iat: number;
  readonly generation: number;
  readonly hasOldKey: boolean;
}

function parseSession(value: string, hasOldKey: boolean): SignedSession | undefined {
  const fields = base64Pattern.test(value)
    ? parseJsonObject(Buffer.from(value, 'base64').toString())
    : undefined;
  if (!fields) return undefined;
  const [id, name, iat] = [field(fields, 'id'), field(fields, 'name'), field(fields, 'iat')];
  if (typeof id !== 'string' || !idPattern.test(id) || typeof name !== 'string' || name === '')
    return undefined;
  if (typeof iat !== 'number' || !Number.isFinite(iat)) return undefined;
  const generation = field(fields, 'gen') ?? 0;
  if (typeof generation !== 'number' || !Number.isSafeInteger(generation)) return undefined;
  return { user: { id, name }, iat, generation, hasOldKey };
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

/** Returns a salt for the hash of an event's content: 16 random bytes in hex. */
export function newSalt(): string {
  if (saltPoolAt >= saltPool.length) {
    saltPool = randomBytes(saltPoolBytes).toString('hex');
    saltPoolAt = 0;
  }
  saltPoolAt += 32;
  return saltPool.slice(saltPoolAt - 32, saltPoolAt);
}

/** Made at once, because one call of the generator costs as much as hashing a message. */
const saltPoolBytes = 16 * 1024;
let saltPool = '';
let saltPoolAt = 0;

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
    if (values.length === maxCookiesOfOneName) break;
  }
  return values;
}

function unquote(value: string): string {
  return value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}
