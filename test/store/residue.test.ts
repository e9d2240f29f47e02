/** SQLite leaves copies of a row's neighbours in a page whose rows grow; the schema must not let that happen to texts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { applyBatch } from '../../src/chat/rules.js';
import type { Command, MessageCommand } from '../../src/chat/types.js';
import { Store } from '../../src/store/store.js';
import { temporaryFolder } from '../harness.js';

const user = { id: 'annannannann', name: 'Ann' };
const common = { room: 'lobby', user, at: 0, salt: '0f'.repeat(16) };
/** A word that only this message has. */
const wordOf = (id: number): string => `w${String(id).padStart(6, '0')}zq`;

/** Park and Miller's generator: the same sequence in every run. */
function createRandom(): (limit: number) => number {
  let state = 1;
  return (limit) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
}

it('keeps no text of a deleted message while others are edited and reacted to', () => {
  const folder = temporaryFolder();
  const store = new Store(folder);
  const random = createRandom();
  const messages: number[] = [];
  const [reacted, deleted] = [new Set<number>(), new Set<number>()];
  const batch: Command[] = [];
  let last = 0;
  const textOf = (id: number): string =>
    Array(1 + random(20))
      .fill(wordOf(id))
      .join(' ');
  const change = (type: 'edit' | 'delete' | 'react', target: number, data: string): void => {
    batch.push({ kind: 'change', ...common, type, target, data });
    last++;
  };
  for (let n = 0; n < 12_000; n++) {
    const id = ++last;
    const message: MessageCommand = { kind: 'message', ...common, data: textOf(id) };
    batch.push(message);
    messages.push(id);
    const target = messages[messages.length - 1 - random(Math.min(200, messages.length))] ?? id;
    if (!deleted.has(target)) {
      if (!reacted.has(target) && random(10) < 3) {
        change('react', target, '👍');
        reacted.add(target);
      }
      if (random(10) < 1) change('edit', target, textOf(target));
      if (random(10) < 1) {
        change('delete', target, '');
        deleted.add(target);
      }
    }
    if (n % 20 < 19) continue;
    const results = applyBatch(batch.splice(0), store, (error) => {
      throw error;
    });
    expect(new Set(results.map(({ kind }) => kind))).toEqual(new Set(['accepted']));
  }
  expect(store.events.last('lobby')).toBe(last);
  store.close();
  const bytes = readFileSync(join(folder, 'oneport.db'), 'latin1');
  const found = new Set([...bytes.matchAll(/w(\d{6})zq/g)].map(([, id]) => Number(id)));
  expect(deleted.size).toBeGreaterThan(800);
  expect([...deleted].filter((id) => found.has(id))).toEqual([]);
}, 60_000);
