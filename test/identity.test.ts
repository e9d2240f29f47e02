import fc from 'fast-check';
import Keygrip from 'keygrip';
import { describe, expect, it } from 'vitest';
import { newId, newKey, SessionCookie } from '../src/session.js';

const NOW = 1_800_000_000_000;
const KEY = 'k'.repeat(40);
const OLD = 'o'.repeat(40);
const ANN = { id: 'aaaaaaaaaaaa', name: 'Ann' };
const nobody = { person: () => undefined };
const identity = new SessionCookie([KEY, OLD], nobody, () => NOW);

function sealed(payload: unknown, key = KEY): string {
  const value = Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)).toString(
    'base64',
  );
  return `name=${value}; name.sig=${new Keygrip([key], 'sha256').sign(`name=${value}`)}`;
}

const iat = NOW / 1000;

describe('the cookie', () => {
  it('verifies what it signed', () => {
    expect(identity.verify(sealed({ ...ANN, iat }))).toMatchObject({ user: ANN, needsRefresh: false });
    const fields = (value: string): unknown => JSON.parse(Buffer.from(value, 'base64').toString());
    expect(fields(identity.sign(ANN, 0))).toEqual({ ...ANN, iat });
    expect(fields(identity.sign(ANN, 3))).toEqual({ ...ANN, iat, gen: 3 });
    expect(identity.verify(sealed({ ...ANN, iat, gen: 3 }))).toMatchObject({ generation: 3 });
    expect(newId()).toMatch(/^[\w-]{12}$/);
    expect(Buffer.byteLength(newKey())).toBeGreaterThanOrEqual(32);
  });
  it('is accepted with an older key, and signed anew', () => {
    expect(identity.verify(sealed({ ...ANN, iat }, OLD))).toMatchObject({ needsRefresh: true });
  });
  it.each([
    null,
    1,
    [],
    {},
    '',
    'x',
    { ...ANN },
    { ...ANN, iat: 'x' },
    { ...ANN, name: {} },
    { ...ANN, iat, gen: '1' },
    { ...ANN, iat, gen: 1.5 },
    { id: 7, name: 'x', iat },
    '{"__proto__":{"id":"a","name":"b","iat":1}}',
  ])('over %j is no session, even with a valid signature', (payload) =>
    expect(identity.verify(sealed(payload))).toBeUndefined(),
  );
  it('is valid for 30 days', () => {
    const at = (seconds: number) => identity.verify(sealed({ ...ANN, iat: iat + seconds }));
    expect(at(-30 * 86_400 + 5)?.expiresAt).toBe(NOW + 5000);
    expect(at(-30 * 86_400 - 5)).toBeUndefined();
  });
  it('survives a clock that was ahead, is signed anew, and lives no longer for it', () => {
    const session = identity.verify(sealed({ ...ANN, iat: iat + 40 * 86_400 }));
    expect(session).toMatchObject({ user: ANN, expiresAt: NOW + 30 * 86_400_000, needsRefresh: true });
  });
  it('is found among cookies of the same name that others set', () => {
    const good = sealed({ ...ANN, iat });
    for (const header of [`name=x; ${good}`, `name=x; name.sig=y; ${good}`, `${good}; name=x`])
      expect(identity.verify(header)?.user).toEqual(ANN);
    const four = Array.from({ length: 4 }, (_, n) => `name=${n}`).join('; ');
    expect(identity.verify(`${four}; ${good}`)).toBeUndefined();
  });
  it('of this instance counts before the shared one', () => {
    const mine = new SessionCookie([KEY], nobody, () => NOW, 'instance');
    const other = sealed({ id: 'bbbbbbbbbbbb', name: 'Bob', iat });
    const value = mine.sign(ANN, 0);
    const signature = new Keygrip([KEY], 'sha256').sign(`name-instance=${value}`);
    const own = `name-instance=${value}; name-instance.sig=${signature}`;
    expect(mine.verify(`${other}; ${own}`)?.user).toEqual(ANN);
    expect(mine.verify(other)?.user.name).toBe('Bob');
    expect(mine.verify(own.replaceAll('name-instance', 'name-another'))).toBeUndefined();
  });
  it('is no session when it is forged', () => {
    const good = sealed({ ...ANN, iat });
    const [value = ''] = good.split(';');
    for (const header of [
      value,
      `${value}; name.sig=`,
      `${value}; name.sig=short`,
      sealed({ ...ANN, iat }, 'x'.repeat(40)),
      good.replace('name=', 'name=e'),
      undefined,
      '',
    ])
      expect(identity.verify(header)).toBeUndefined();
  });
  it('is no session after a sign-out, and has the new name after a rename', () => {
    const stored = { name: 'Anna', ownsName: true, generation: 0 };
    const people = { person: (id: string) => ({ ...stored, signedOut: id !== ANN.id }) };
    const knowing = new SessionCookie([KEY], people, () => NOW);
    expect(knowing.verify(sealed({ ...ANN, iat }))?.user).toEqual({ id: ANN.id, name: 'Anna' });
    expect(knowing.verify(sealed({ ...ANN, id: 'bbbbbbbbbbbb', iat }))).toBeUndefined();
  });
  it('that was verified before still expires, is renewed, and ends with a sign-out or another name', () => {
    let now = NOW;
    let person = { name: 'Ann', ownsName: true, signedOut: false, generation: 0 };
    const remembering = new SessionCookie([KEY, OLD], { person: () => person }, () => now);
    const [header, old] = [sealed({ ...ANN, iat }), sealed({ ...ANN, iat }, OLD)];
    expect(remembering.verify(header)).toEqual({
      user: ANN,
      generation: 0,
      ownsName: true,
      expiresAt: NOW + 30 * 86_400_000,
      needsRefresh: false,
    });
    for (let n = 0; n < 2; n++)
      expect(remembering.verify(old)).toMatchObject({ user: ANN, needsRefresh: true });
    person = { ...person, name: 'Anna' };
    expect(remembering.verify(header)?.user).toEqual({ id: ANN.id, name: 'Anna' });
    now = NOW + 86_401_000;
    expect(remembering.verify(header)).toMatchObject({ needsRefresh: true });
    now = NOW + 30 * 86_400_000 + 5000;
    expect(remembering.verify(header)).toBeUndefined();
    now = NOW;
    expect(remembering.verify(header)).toBeDefined();
    person = { ...person, signedOut: true };
    expect(remembering.verify(header)).toBeUndefined();
    expect(new SessionCookie([KEY], nobody, () => now).verify(old)).toBeUndefined();
  });
  it('is worthless after a later sign-out, but not after a restored backup', () => {
    const stored = { name: 'Ann', ownsName: true, signedOut: false, generation: 2 };
    const knowing = new SessionCookie([KEY], { person: () => stored }, () => NOW);
    const generations = [undefined, 1, 2, 3].map(
      (gen) => knowing.verify(sealed({ ...ANN, iat, gen }))?.generation,
    );
    expect(generations).toEqual([undefined, undefined, 2, 3]);
  });
  it('identifies a user who lost the name, but is no session', () => {
    const stored = { name: 'Ann', ownsName: false, signedOut: false, generation: 0 };
    const knowing = new SessionCookie([KEY], { person: () => stored }, () => NOW);
    const header = sealed({ ...ANN, iat });
    expect([knowing.verify(header), knowing.identify(header)?.user]).toEqual([undefined, ANN]);
  });
  it('never throws', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 300 }),
        (text) => identity.verify(text) === undefined,
      ),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (payload) => {
        expect(identity.verify(sealed(payload.toWellFormed()))).toBeUndefined();
      }),
    );
  });
});
