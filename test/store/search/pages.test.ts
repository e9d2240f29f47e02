/** Pages of a search that was broken off, or during which something changed: nothing is lost between two of them. */
import { describe, expect, it, vi } from 'vitest';
import { applyBatch } from '../../../src/chat/rules.js';
import type { Command } from '../../../src/chat/types.js';
import type { Wanted } from '../../../src/store/search/search.js';
import { Store } from '../../../src/store/store.js';
import { temporaryFolder } from '../../harness.js';

vi.mock('../../../src/store/search/era.js', () => ({ ERA: 256 }));

const ANN = { id: 'aaaaaaaaaaaa', name: 'Ann' };
const ERAS = 8;

function apply(store: Store, commands: readonly Command[]): void {
  const outcomes = applyBatch(commands, store, (error) => {
    throw error;
  });
  for (const { kind } of outcomes) expect(kind).toBe('accepted');
}

/** Two rooms in turn; the first message of each has the word that is looked for. */
function talk(store: Store, data: (n: number) => string): void {
  const say = (n: number): Command => ({
    kind: 'message',
    room: n % 2 === 0 ? 'lobby' : 'garden',
    user: ANN,
    data: data(n),
    at: 0,
  });
  apply(
    store,
    Array.from({ length: ERAS * 256 }, (_, n) => say(n)),
  );
}

const page = (rest: Partial<Wanted>): Wanted => ({
  q: '',
  room: undefined,
  before: undefined,
  limit: 50,
  ...rest,
});

async function indexed(store: Store): Promise<void> {
  while (!(await store.search.find(page({ q: 'nothing' }))).complete);
}

describe('a search that takes too long', () => {
  it.each([undefined, 'garden'])(
    'goes on where it was broken off, with and without a room: %s',
    async (room) => {
      const store = new Store(temporaryFolder());
      talk(store, (n) => (n < 2 ? 'pearl' : `words ${n}`));
      await indexed(store);
      let now = 0;
      const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 700)); // each look takes so long
      const found: string[] = [];
      let pages = 0;
      let before: number | undefined;
      for (;;) {
        const one = await store.search.find(page({ q: 'pearl', room, before }));
        found.push(...one.messages.map((message) => `${message.room} ${message.id}`));
        pages++;
        if (one.complete) break;
        expect(one.next).toBeLessThan(before ?? Number.POSITIVE_INFINITY);
        before = one.next;
      }
      clock.mockRestore();
      expect(pages).toBeGreaterThan(3);
      expect(found).toEqual(room ? ['garden 1'] : ['garden 1', 'lobby 1']);
      store.close();
    },
  );

  it('comes past the time in which a room was silent', async () => {
    const store = new Store(temporaryFolder());
    const say = (data: string): Command => ({ kind: 'message', room: 'attic', user: ANN, data, at: 0 });
    apply(store, [say('pearl'), say('dust')]);
    talk(store, (n) => `words ${n}`); // so many eras
    apply(store, [say('more dust')]);
    await indexed(store);
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 700));
    let one = await store.search.find(page({ q: 'pearl', room: 'attic' }));
    expect(one).toMatchObject({ messages: [], complete: false });
    for (let n = 0; n < 2 * ERAS && one.next !== undefined; n++)
      one = await store.search.find(page({ q: 'pearl', room: 'attic', before: one.next }));
    clock.mockRestore();
    expect(one).toMatchObject({ messages: [{ room: 'attic', id: 1 }], complete: true });
    store.close();
  });

  it('says that it is complete when nothing of the room lies further back', async () => {
    const store = new Store(temporaryFolder());
    talk(store, (n) => `words ${n}`);
    apply(store, [{ kind: 'message', room: 'attic', user: ANN, data: 'dust', at: 0 }]);
    await indexed(store);
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 700));
    const one = await store.search.find(page({ q: 'pearl', room: 'attic' }));
    clock.mockRestore();
    expect(one).toEqual({ messages: [], complete: true });
    store.close();
  });
});

describe('a search during which a message is changed', () => {
  it('loses none of the others', async () => {
    const store = new Store(temporaryFolder());
    talk(store, (n) => (n >= 600 && n < 660 ? `tea ${n}` : `words ${n}`)); // all within one era
    await indexed(store);
    const searching = store.search.find(page({ q: 'tea', room: 'lobby', limit: 10 }));
    const all = Array.from({ length: 30 }, (_, n) => 330 - n);
    const target = 320; // the eleventh, by which it is seen that there are more
    const change = { kind: 'change', type: 'edit', room: 'lobby', user: ANN } as const;
    apply(store, [{ ...change, target, data: 'coffee', at: 0 }]);
    const found: number[] = [];
    for (let one = await searching; ; ) {
      found.push(...one.messages.map(({ id }) => id));
      if (one.next === undefined) break;
      one = await store.search.find(page({ q: 'tea', room: 'lobby', limit: 100, before: one.next }));
    }
    expect(found).toEqual(all.filter((id) => id !== target));
    store.close();
  });
});
