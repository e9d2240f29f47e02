import { describe, expect, it } from 'vitest';
import { parseUpgradeUrl } from '../../src/realtime/upgrade.js';
import { startChat } from '../harness.js';

function placeOf(query: string) {
  const target = parseUpgradeUrl(`/ws/lobby${query}`);
  if (typeof target === 'string') throw new Error(target);
  return target.resume;
}

describe('what an upgrade path asks for', () => {
  it.each([
    ['', undefined],
    ['?after=', undefined],
    ['?after=-1', undefined],
    ['?after=abc', undefined],
    ['?after=1.5', undefined],
    ['?after=1e3', undefined],
    ['?after=0', 0],
    ['?after=17', 17],
    ['?after=00000000000000000017', 17],
    ['?after=9007199254740991', Number.MAX_SAFE_INTEGER],
    ['?after=9007199254740993', Number.MAX_SAFE_INTEGER],
    [`?after=${'9'.repeat(400)}`, Number.MAX_SAFE_INTEGER],
  ])('%j is after %j', (query, after) => expect(placeOf(query).after).toBe(after));

  it('is at most a page of history, 50 messages when it does not say', () => {
    expect(['', '?history=0', '?history=7'].map((query) => placeOf(query).history)).toEqual([50, 0, 7]);
    expect(['?history=501', `?history=${'9'.repeat(20)}`].map((query) => placeOf(query).history)).toEqual([
      500, 500,
    ]);
  });
});

it('a number beyond what can be counted is not in this log, as any beyond the last', async () => {
  const chat = await startChat();
  const ann = await chat.signIn('Ann');
  await (await ann.enters('lobby')).leaves();
  for (const after of ['1', '9007199254740991', '9007199254740993', '9'.repeat(30)]) {
    const room = await ann.enters('lobby', { query: `?after=${after}` });
    expect(room.frames[0]).toMatchObject({ type: 'hello', complete: false });
  }
});
