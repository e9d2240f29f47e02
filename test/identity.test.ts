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
  it('opens what was sealed', () => {
    expect(identity.verify(sealed({ ...ANN, iat }))).toMatchObject({ user: ANN, needsRefresh: false });
    const value = identity.sign(ANN);
    expect(JSON.parse(Buffer.from(value, 'base64').toString())).toEqual({ ...ANN, iat });
    expect(newId()).toMatch(/^[\w-]{12}$/);
    expect(Buffer.byteLength(newKey())).toBeGreaterThanOrEqual(32);
  });
  it('signed with an older key is accepted, and to be made anew', () => {
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
    { id: 7, name: 'x', iat },
    '{"__proto__":{"id":"a","name":"b","iat":1}}',
  ])('over %j is nobody, with a valid signature', (payload) =>
    expect(identity.verify(sealed(payload))).toBeUndefined(),
  );
  it('is valid for 30 days', () => {
    const at = (seconds: number) => identity.verify(sealed({ ...ANN, iat: iat + seconds }));
    expect(at(-30 * 86_400 + 5)?.expiresAt).toBe(NOW + 5000);
    expect(at(-30 * 86_400 - 5)).toBeUndefined();
  });
  it('survives a clock that was ahead, is signed anew, and lives no longer for it', () => {
    const session = identity.verify(sealed({ ...ANN, iat: iat + 40 * 86_400 }));
    expect(session).toEqual({ user: ANN, expiresAt: NOW + 30 * 86_400_000, needsRefresh: true });
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
    const value = mine.sign(ANN);
    const signature = new Keygrip([KEY], 'sha256').sign(`name-instance=${value}`);
    const own = `name-instance=${value}; name-instance.sig=${signature}`;
    expect(mine.verify(`${other}; ${own}`)?.user).toEqual(ANN);
    expect(mine.verify(other)?.user.name).toBe('Bob');
    expect(mine.verify(own.replaceAll('name-instance', 'name-another'))).toBeUndefined();
  });
  it('forged is nobody', () => {
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
  it('of who signed out is nobody; of who was renamed has the new name', () => {
    const people = { person: (id: string) => ({ name: 'Anna', signedOut: id !== ANN.id }) };
    const knowing = new SessionCookie([KEY], people, () => NOW);
    expect(knowing.verify(sealed({ ...ANN, iat }))?.user).toEqual({ id: ANN.id, name: 'Anna' });
    expect(knowing.verify(sealed({ ...ANN, id: 'bbbbbbbbbbbb', iat }))).toBeUndefined();
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
