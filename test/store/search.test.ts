/** Search in its own thread: what the main thread and the files feel of it, and what happens when the thread dies. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { describe, expect, it, onTestFinished } from 'vitest';
import { applyBatch } from '../../src/chat/rules.js';
import type { Command } from '../../src/chat/types.js';
import type { SearchPage } from '../../src/shared/protocol.js';
import { searchFile } from '../../src/store/search-index.js';
import { Store } from '../../src/store/store.js';
import { Door, eventually, patienceMs, temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';
import { ANN } from './indexed-log.js';

const SALT = '00'.repeat(16);

function openStore(folder: string, onSearchError?: (error: unknown) => void): Store {
  const store = new Store(folder, undefined, onSearchError);
  onTestFinished(() => store.close());
  return store;
}

function say(store: Store, texts: readonly string[]): void {
  const message = (data: string): Command => ({
    kind: 'message',
    room: 'lobby',
    user: ANN,
    data,
    at: 0,
    salt: SALT,
  });
  applyBatch(texts.map(message), store, (error) => {
    throw error;
  });
}

function find(store: Store, q: string, limit = 50): Promise<SearchPage | undefined> {
  return store.search.find({ q, room: undefined, before: undefined, limit });
}

/** Searches until the answer is complete. */
function findAll(store: Store, q: string): Promise<number[]> {
  return eventually(async () => {
    const page = await find(store, q, 100);
    if (!page?.complete) throw new Error('the answer is not complete');
    return page.messages.map(({ id }) => id);
  });
}

/**
 * Says so many messages at once that the thread indexes some of them and then pauses for a second, because the log grows fast.
 * Their texts end with their numbers, from 0 on.
 */
async function startIndexing(store: Store, count: number): Promise<void> {
  say(store, ['pearl']);
  await findAll(store, 'pearl');
  for (let from = 0; from < count; from += 5000)
    say(
      store,
      Array.from({ length: 5000 }, (_, n) => `message number ${from + n}`),
    );
  store.tick();
  // without the event loop: the thread would be done if this one came back a second later
  for (const end = Date.now() + patienceMs; store.search.backlog === 0 && Date.now() < end; ) pause(5);
  expect(store.search.backlog).toBeGreaterThan(0);
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), 0, 0, ms);
}

/** A log with a rare word at its begin and at its end. */
function fill(folder: string, count: number, text: (n: number) => string): void {
  const store = new Store(folder);
  for (let from = 0; from < count; from += 5000)
    say(
      store,
      Array.from({ length: Math.min(5000, count - from) }, (_, n) => text(from + n)),
    );
  say(store, ['pearl']);
  store.close();
}

describe('search', () => {
  it('finds what was said right before', async () => {
    const store = openStore(temporaryFolder());
    for (let n = 1; n <= 20; n++) {
      say(store, [`pearl ${n}`]);
      expect(await findAll(store, `pearl ${n}`)).toEqual([n]);
    }
  });

  it('answers many at once and refuses more than it can', async () => {
    const store = openStore(temporaryFolder());
    say(store, ['pearl one', 'pearl two']);
    await findAll(store, 'pearl'); // the thread has started
    const pages = await Promise.all(Array.from({ length: 80 }, (_, n) => find(store, n % 2 ? 'one' : 'two')));
    const answered = pages.flatMap((page) => page ?? []);
    expect(answered).toHaveLength(64);
    for (const [n, page] of answered.entries())
      expect(page).toMatchObject({ complete: true, messages: [{ id: n % 2 ? 1 : 2 }] });
    expect(await find(store, 'one')).toMatchObject({ messages: [{ id: 1 }] });
  });

  it('leaves the event loop alone', { timeout: 60_000 }, async () => {
    const folder = temporaryFolder();
    fill(folder, 60_000, (n) => (n % 2 === 0 ? 'odd one out' : 'even one out'));
    const store = openStore(folder);
    await findAll(store, 'pearl');
    // in one of several tries, because other processes add to the share
    await eventually(async () => {
      const from = performance.eventLoopUtilization();
      for (let n = 0; n < 10; n++) await find(store, '"one out" odd even');
      const { active, idle } = performance.eventLoopUtilization(from);
      expect(active + idle).toBeGreaterThan(10);
      expect(active / (active + idle)).toBeLessThan(0.3);
    });
  });

  it('ends in the middle of its work, with all files closed', { timeout: 60_000 }, async () => {
    const folder = temporaryFolder();
    const store = new Store(folder);
    await startIndexing(store, 30_000);
    const searching = find(store, 'message');
    store.close(); // if it gave up waiting for the thread, there would be files left
    expect(await searching).toEqual({ messages: [], complete: false });
    expect(await find(store, 'message')).toEqual({ messages: [], complete: false });
    expect(readdirSync(folder).filter((name) => /-(wal|shm)$/.test(name))).toEqual([]);
    expect(await findAll(openStore(folder), '29999')).toEqual([30_001]);
  });

  it('tells how many events its index lacks', { timeout: 60_000 }, async () => {
    const store = openStore(temporaryFolder());
    await startIndexing(store, 30_000);
    expect(store.search.backlog).toBeLessThan(30_000);
    expect(await findAll(store, '29999')).toEqual([30_001]);
    await eventually(() => expect(store.search.backlog).toBe(0));
  });

  it('answers at once while its thread cannot run, reports that once, and recovers', async () => {
    const folder = temporaryFolder();
    mkdirSync(searchFile(folder));
    const errors: unknown[] = [];
    const store = openStore(folder, (error) => errors.push(error));
    say(store, ['pearl']);
    for (const end = Date.now() + 15_000; errors.length === 0 && Date.now() < end; )
      expect(await find(store, 'pearl')).toEqual({ messages: [], complete: false });
    expect(errors).toHaveLength(1);
    rmSync(searchFile(folder), { recursive: true });
    expect(await findAll(store, 'pearl')).toEqual([1]);
    expect(errors).toHaveLength(1);
  });

  it('builds a damaged index anew', async () => {
    const folder = temporaryFolder();
    fill(folder, 3000, (n) => `message number ${n}`);
    const first = new Store(folder);
    await findAll(first, 'pearl');
    first.close();
    const bytes = readFileSync(searchFile(folder));
    writeFileSync(searchFile(folder), bytes.fill(0xff, 3 * 4096));
    const store = openStore(folder);
    expect(await findAll(store, 'pearl')).toEqual([3001]);
    expect(await findAll(store, '2999')).toEqual([3000]);
  });

  it('goes on after its file was removed under it', async () => {
    const folder = temporaryFolder();
    const store = openStore(folder);
    say(store, ['pearl one']);
    await findAll(store, 'pearl');
    for (const suffix of ['', '-wal', '-shm']) rmSync(searchFile(folder) + suffix, { force: true });
    say(store, ['pearl two']);
    expect(await findAll(store, 'pearl')).toEqual([2, 1]);
    store.close();
    const next = new Store(folder);
    expect(await findAll(next, 'pearl')).toEqual([2, 1]);
    next.close();
  });
});

describe('a server', () => {
  it.each([
    ['SIGTERM', 0],
    ['SIGKILL', 'SIGKILL'],
  ] as const)(
    'that ends by %s while it indexes has the whole log after its next start',
    { timeout: 90_000 },
    async (signal, code) => {
      const folder = temporaryFolder();
      fill(folder, 20_000, (n) => `message number ${n}`);
      for (let n = 0; n < 3; n++) {
        const server = await startServer({ env: { DATA_DIR: folder } });
        const ann = await new Door(server.port).signIn(`Ann ${signal} ${n}`);
        await ann.get('/api/search?q=message'); // starts the thread
        server.child.kill(signal);
        expect(await server.exited).toBe(code);
      }
      const store = openStore(folder);
      expect(await findAll(store, 'pearl')).toEqual([20_001]);
      expect(await findAll(store, '7777')).toEqual([7778]);
    },
  );
});
