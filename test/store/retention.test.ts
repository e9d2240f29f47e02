/** Texts older than RETENTION_DAYS go from the log, its files and the search index; numbers, cids and hashes stay. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Command } from '../../src/chat/types.js';
import { dropOldTexts } from '../../src/log.js';
import { databaseFile } from '../../src/store/database.js';
import { checkExport, openExport } from '../../src/store/export.js';
import { searchFile } from '../../src/store/search-index.js';
import Database from '../../src/store/sqlite.js';
import { verify } from '../../src/store/verify.js';
import { startChat } from '../harness.js';
import { ANN, BOB, IndexedLog } from './indexed-log.js';

const DAY_MS = 24 * 3600 * 1000;
const SALT = '00'.repeat(16);

/** 1 mentions Ann, and is edited by 5; 2 replies to 1; 3 is deleted by 6; 4 has a reaction, 7. */
function filled(): IndexedLog {
  const log = new IndexedLog({ partitionSize: 2 });
  log.say('xylophone for nobody', { user: BOB });
  log.apply({
    ...{ kind: 'message', room: 'lobby', user: ANN, data: 'zeppelin', reply: 1, at: 0 },
    ...{ cid: 'c2', salt: SALT },
  });
  log.say(['gone quokka', 'kept wombat']);
  log.edit(1, 'yodeling, @Ann', { user: BOB });
  log.delete(3);
  log.apply({
    ...{ kind: 'change', type: 'react', room: 'lobby', user: BOB, target: 4, data: '🎉', at: 0 },
    salt: SALT,
  });
  return log;
}

function expire(log: IndexedLog, ...numbers: readonly number[]): void {
  for (const through of numbers) log.apply({ kind: 'expire', room: 'lobby', through, at: 9 });
}

function problemOf(log: IndexedLog, command: Command): string {
  try {
    log.apply(command);
    return '';
  } catch (error) {
    return String(error);
  }
}

describe('an expired message', () => {
  it('keeps its number, author, time and cid only', () => {
    const log = filled();
    expire(log, 2);
    expect(log.store.events.after('lobby', 0, 9)).toMatchObject([
      { id: 1, type: 'chat', user: BOB, data: '', at: 0, expired: true },
      { id: 2, type: 'chat', user: ANN, data: '', cid: 'c2', expired: true },
      { id: 3, data: '', deleted: 6 },
      { id: 4, data: 'kept wombat', reactions: [{ data: '🎉' }] },
      { id: 5, type: 'edit', target: 1, data: '', expired: true },
      { id: 6, type: 'delete', target: 3 },
      { id: 7, type: 'react', data: '🎉' },
    ]);
    expect(log.store.events.after('lobby', 0, 1)[0]).not.toHaveProperty('mentions');
    expect(log.store.listMentions(ANN, 1000, 9).messages).toEqual([]);
  });

  it('cannot be changed or replied to, and its cid stays used', () => {
    const log = filled();
    expire(log, 4);
    const common = { room: 'lobby', user: ANN, at: 9, salt: SALT };
    const change = { kind: 'change', ...common, target: 2 } as const;
    expect(problemOf(log, { ...change, type: 'edit', data: 'x' })).toContain('expired');
    expect(problemOf(log, { ...change, type: 'react', data: '🎉' })).toContain('expired');
    expect(problemOf(log, { kind: 'message', ...common, data: 'x', reply: 2 })).toContain('expired');
    const again = log.apply({ kind: 'message', ...common, data: 'other', cid: 'c2' });
    expect(again).toMatchObject([{ kind: 'duplicate', event: { id: 2, data: '', expired: true } }]);
  });

  it('leaves the files and the index, whether it was indexed before or not', async () => {
    const log = filled();
    expect(log.find('yodeling')).toEqual([1]);
    log.say('late zither');
    expire(log, 8);
    expect(log.find('yodeling')).toEqual([]);
    expect(log.find('from:ann')).toEqual([]);
    log.index.truncateWal();
    log.store.close();
    const index = readFileSync(searchFile(log.folder), 'latin1');
    const file = readFileSync(databaseFile(log.folder), 'latin1');
    for (const word of ['xylophone', 'yodeling', 'zeppelin', 'wombat', 'zither'])
      expect([word, file.includes(word), index.includes(word)]).toEqual([word, false, false]);
  });

  it('keeps the chain whole, also in an export', async () => {
    const log = filled();
    const head = log.store.events.head('lobby');
    expire(log, 5);
    expect(log.store.events.head('lobby')).toEqual(head);
    const result = verify(databaseFile(log.folder), () => {});
    expect(result.finding).toBeUndefined();
    const reader = openExport(databaseFile(log.folder));
    const lines = reader.after('lobby', 0, 99).map((event) => JSON.stringify(event));
    reader.close();
    expect(lines.join('\n')).not.toMatch(/xylophone|yodeling|zeppelin|wombat/);
    async function* given() {
      yield* lines;
    }
    expect(await checkExport(given())).toMatchObject({ finding: undefined, heads: [{ last: 7 }] });
  });

  it('is the same in one step and in many', () => {
    const contentOf = (log: IndexedLog) => [
      log.store.events.after('lobby', 0, 99),
      log.find('a'),
      verify(databaseFile(log.folder), () => {}).finding,
    ];
    const steps = fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 4 });
    fc.assert(
      fc.property(steps, (numbers) => {
        const [once, stepwise] = [filled(), filled()];
        expire(once, 5);
        expire(stepwise, ...numbers.filter((number) => number < 5), 5);
        expect(contentOf(stepwise)).toEqual(contentOf(once));
      }),
      { numRuns: 8 },
    );
  }, 60_000);

  it.each([
    ["UPDATE events SET data = 'planted' WHERE id = 1", 'expired, but some of its text is still there'],
    ['UPDATE rooms SET expired = 1', 'has no text, but is neither deleted nor expired'],
  ])('verify finds: %s', (sql, words) => {
    const log = filled();
    expire(log, 2);
    const db = new Database(databaseFile(log.folder));
    db.exec(sql);
    db.close();
    expect(verify(databaseFile(log.folder), () => {}).finding).toContain(words);
  });
});

describe('RETENTION_DAYS', () => {
  it('drops the texts of old messages in steps, and leaves newer ones', async () => {
    const log = new IndexedLog();
    log.say(
      Array.from({ length: 450 }, (_, n) => `old ${n}`),
      { at: DAY_MS },
    );
    log.say('elsewhere', { room: 'kitchen', at: 2 * DAY_MS });
    log.say('new', { at: 9 * DAY_MS });
    const submitted: number[] = [];
    const deps = {
      days: 7,
      now: () => 10 * DAY_MS,
      log: log.store.events,
      submit: async (command: Command) => {
        if (command.kind === 'expire') submitted.push(command.through);
        const [result] = log.apply(command);
        return result ?? { kind: 'seen' as const };
      },
      logger: { info() {}, error: (fault: unknown) => expect(fault).toBeUndefined() },
    };
    await dropOldTexts(deps, new AbortController().signal);
    expect(submitted.toSorted((a, b) => a - b)).toEqual([1, 200, 400, 450]);
    expect(log.store.events.after('lobby', 449, 9)).toMatchObject([{ expired: true }, { data: 'new' }]);
    submitted.length = 0;
    await dropOldTexts(deps, new AbortController().signal);
    expect(submitted).toEqual([]);
  });

  it('runs when the server starts, and empties what readers would still be sent', async () => {
    let clock = 0;
    const now = () => clock;
    const first = await startChat({ now });
    const ann = await first.signIn('Ann');
    await ann.post('/api/rooms/lobby/messages', { data: 'an old xylophone' });
    await first.stop();
    clock = 31 * DAY_MS;
    const chat = await startChat({ dataDir: first.dataDir, now, env: { RETENTION_DAYS: '30' } });
    const bob = await chat.signIn('Bob');
    const page = async () => (await bob.get('/api/rooms/lobby/messages')).json();
    await expect
      .poll(page, { timeout: 15_000 })
      .toMatchObject({ messages: [{ id: 1, data: '', expired: true }] });
    const files = () =>
      readdirSync(chat.dataDir).filter((name) =>
        readFileSync(join(chat.dataDir, name)).includes('xylophone'),
      );
    await expect.poll(files, { timeout: 30_000 }).toEqual([]);
  }, 60_000);
});
