import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { apply } from '../../src/chat/rules.js';
import { toCommand } from '../../src/chat/types.js';
import type { PostCommand } from '../../src/shared/protocol.js';
import { contentHash, eventHash, zeroHash } from '../../src/store/chain.js';
import { databaseFile } from '../../src/store/database.js';
import Database from '../../src/store/sqlite.js';
import { Store } from '../../src/store/store.js';
import { verify } from '../../src/store/verify.js';

const ANN = { id: 'aaaaaaaaaaaa', name: 'Ann' };
const SALT = '000102030405060708090a0b0c0d0e0f';

/** The commands are those of docs/protocol.md, "The chain". */
const SAID: readonly PostCommand[] = [
  { type: 'chat', data: 'Grüße, 世界 "👍"\n\u007f\u2028', cid: 'c1' },
  { type: 'edit', target: 1, data: 'hello' },
  { type: 'react', target: 1, data: '👍' },
];

function openStore(dataDir = newFolder()): Store {
  const store = new Store(dataDir);
  onTestFinished(() => store.close());
  return store;
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'oneport-chain-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function say(store: Store, ...posts: readonly PostCommand[]): void {
  store.transaction(() => {
    for (const [n, post] of posts.entries())
      expect(apply(toCommand(post, 'lobby', ANN, { at: 1000 + n, salt: SALT }), store).kind).toBe('accepted');
  });
}

describe('the chain', () => {
  it('has the hashes of the fixed vectors', () => {
    const content = contentHash(SALT, 'Grüße, 世界 "👍"\n\u007f\u2028', null);
    expect(content).toBe('cd1743d599377fb1e621f900dec9b6105f03131555132a7540130d5fd17da0d3');
    const event = { room: 'lobby', id: 1, type: 'chat', target: null, at: 1000, cid: 'c1', content };
    expect(eventHash(zeroHash, { ...event, userId: ANN.id, name: ANN.name })).toBe(
      '54e4b4de1b1446523f537bbe9c1c85ad483630f99deb6b314ef24aac3412021c',
    );
    const store = openStore();
    expect(store.events.head('lobby')).toEqual({ last: 0, hash: zeroHash });
    say(store, ...SAID);
    expect(store.events.head('lobby')).toEqual({
      last: 3,
      hash: '9c2d6918a2a0e022a87d38d997b0b47776800ec3465d3ad498addf51e558fd9b',
    });
  });

  it('hashes JSON, whatever a text has to escape', () => {
    for (let code = 0; code <= 0x300; code++) {
      const text = `a${String.fromCodePoint(code)}z`;
      const hash = createHash('sha256')
        .update(`${SALT}${JSON.stringify([text, null])}`)
        .digest('hex');
      expect([code, contentHash(SALT, text, null)]).toEqual([code, hash]);
    }
  });

  it('stays whole when a message and its edits are deleted', () => {
    const folder = newFolder();
    const store = openStore(folder);
    say(store, ...SAID, { type: 'delete', target: 1 }, { type: 'chat', data: 'next' });
    expect(verify(databaseFile(folder), () => {}).finding).toBeUndefined();
    const db = new Database(databaseFile(folder), { readonly: true });
    onTestFinished(() => void db.close());
    const salts = db.prepare('SELECT lower(hex(substr(content, 1, 16))) FROM events').pluck().all();
    expect(salts.map((salt) => salt === SALT)).toEqual([false, false, true, true, true]);
    expect(salts[0]).toBe('cd1743d599377fb1e621f900dec9b610'); // the beginning of the hash of the content
  });

  it.each([
    ['a changed text', "UPDATE events SET data = 'other' WHERE id = 4", 4],
    ['a changed name', "UPDATE events SET name = 'Bob' WHERE id = 4", 4],
    ['a changed cid', 'UPDATE events SET cid = NULL WHERE id = 1', 1],
    ['a changed time', 'UPDATE events SET at = at - 1 WHERE id = 4', 4],
    ['a changed salt', 'UPDATE events SET content = zeroblob(32) WHERE id = 4', 4],
    ['a changed hash', 'UPDATE events SET hash = zeroblob(32) WHERE id = 4', 4],
    [
      'two texts that were swapped',
      "UPDATE events SET data = CASE id WHEN 4 THEN 'five' ELSE 'four' END WHERE id > 3",
      4,
    ],
  ])('shows %s', (_, sql, number) => {
    const folder = newFolder();
    const store = openStore(folder);
    say(store, ...SAID, { type: 'chat', data: 'four' }, { type: 'chat', data: 'five' });
    store.close();
    const db = new Database(databaseFile(folder));
    db.exec(sql);
    db.close();
    expect(verify(databaseFile(folder), () => {}).finding).toContain(`room lobby: number ${number} `);
  });
});
