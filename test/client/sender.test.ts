/** The send loop with a server and a store that fail. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isSendable, SharedOutbox } from '../../src/client/outbox/outbox.js';
import { type OutboxStore, type Sendable, sendLoop } from '../../src/connect/outbox.js';
import type { SendResult } from '../../src/connect/transport.js';
import type { ErrorCode, Problem } from '../../src/shared/protocol.js';
import { immediateClock } from './clock.js';
import { say, textOf } from './commands.js';
import { memoryStore } from './memory-store.js';

type Fate = 'stored' | 'lost-before' | 'lost-after' | ErrorCode;

/** Stores each cid once; each attempt to send has a fate. */
class Server {
  readonly log: Sendable[] = [];
  readonly #fates: Fate[];
  constructor(fates: readonly Fate[]) {
    this.#fates = [...fates];
  }
  async submit(letter: Sendable): Promise<SendResult> {
    const fate = this.#fates.shift() ?? 'stored';
    await new Promise(setImmediate);
    if (fate === 'stored' || fate === 'lost-after') this.#store(letter);
    if (fate === 'stored') return { kind: 'settled' };
    if (fate.startsWith('lost')) return { kind: 'lost' };
    return { kind: 'error', problem: { code: fate as ErrorCode, message: fate } }; // the remaining fates are codes
  }
  #store(letter: Sendable): void {
    if (!this.log.some(({ cid }) => cid === letter.cid)) this.log.push(letter);
  }
}

function openTab(store: OutboxStore, server: Server) {
  const shared = new SharedOutbox({
    store,
    user: 'ann',
    room: 'lobby',
    clock: immediateClock,
    onChanged: () => {},
    onUnpersisted: () => {},
  });
  const stop = new AbortController();
  const submitter = { waitReady: async () => {}, submit: (letter: Sendable) => server.submit(letter) };
  const { outbox } = shared;
  const onRefused = ({ cid }: Sendable, problem: Problem) => outbox.refuse(cid, problem);
  const done = sendLoop(
    { outbox, submitter, clock: immediateClock, random: Math.random, onRefused },
    stop.signal,
  );
  return { outbox: shared, close: () => stop.abort(), done };
}
type Tab = ReturnType<typeof openTab>;

/** Waits until the store has nothing to send. */
async function emptied(store: OutboxStore, tabs: readonly Tab[]): Promise<void> {
  for (let turn = 0; turn < 10_000; turn++) {
    await Promise.all(tabs.map(({ outbox }) => outbox.reload()));
    if (!(await store.all('ann')).some(isSendable)) return;
    await new Promise(setImmediate);
  }
  throw new Error('letters are stuck');
}

test('sends each message once and in order', async () => {
  const store = memoryStore();
  const server = new Server(['lost-after', 'lost-before', 'too_fast', 'stored', 'storage', 'lost-after']);
  const tab = openTab(store, server);
  for (const text of ['one', 'two', 'three']) void tab.outbox.add(say(text));
  await emptied(store, [tab]);
  expect(server.log.map(textOf)).toEqual(['one', 'two', 'three']);
  tab.close();
  await tab.done;
});

test('does not repeat a rejected message, nor let it block others', async () => {
  const store = memoryStore();
  const server = new Server(['bad_text', 'stored']);
  const tab = openTab(store, server);
  await Promise.all([tab.outbox.add(say('one')), tab.outbox.add(say('two'))]);
  await emptied(store, [tab]);
  expect(server.log.map(textOf)).toEqual(['two']);
  expect(
    tab.outbox.messages.value.map(({ posting, problem }) => [textOf({ posting }), problem?.code]),
  ).toEqual([['one', 'bad_text']]);
  tab.close();
});

test('gives up a message after a few internal errors', async () => {
  const store = memoryStore();
  const server = new Server(Array.from({ length: 6 }, () => 'internal' as const));
  const tab = openTab(store, server);
  await Promise.all([tab.outbox.add(say('poison')), tab.outbox.add(say('two'))]);
  await emptied(store, [tab]);
  expect(server.log.map(textOf)).toEqual(['two']);
  tab.close();
});

const fate = fc.constantFrom<Fate>(
  'stored',
  'stored',
  'lost-before',
  'lost-after',
  'too_fast',
  'storage',
  'stopping',
);
const step = fc.record({
  kind: fc.constantFrom('say', 'say', 'say', 'crash', 'reload', 'breathe'),
  tab: fc.nat(1),
});

test('sends each message once and in order, whatever is lost and whichever tab crashes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fate, { maxLength: 40 }),
      fc.array(step, { maxLength: 25 }),
      async (fates, steps) => {
        const store = memoryStore();
        const kept: string[] = [];
        const seen: OutboxStore = {
          ...store,
          add: (draft, instead) => {
            kept.push(textOf(draft));
            return store.add(draft, instead);
          },
        };
        const server = new Server(fates);
        const tabs: [Tab, Tab] = [openTab(seen, server), openTab(seen, server)];
        let said = 0;
        for (const { kind, tab } of steps) {
          const which = tab === 0 ? 0 : 1;
          if (kind === 'say') void tabs[which].outbox.add(say(`text ${++said}`));
          if (kind === 'reload') void tabs[which].outbox.reload();
          if (kind === 'breathe') await new Promise(setImmediate);
          if (kind === 'crash') {
            tabs[which].close();
            tabs[which] = openTab(seen, server);
          }
        }
        await emptied(store, tabs);
        expect(server.log.map(textOf)).toEqual(kept);
        expect(kept.length).toBe(said);
        for (const tab of tabs) tab.close();
      },
    ),
    { numRuns: 150 },
  );
});

/** A store that may fail, or answer after the tab has given up. */
function unreliable(store: OutboxStore, fates: readonly ('fine' | 'fails' | 'late')[]): OutboxStore {
  const rest = [...fates];
  const works = async () => {
    const fate = rest.shift() ?? 'fine';
    if (fate === 'fails') throw new Error('broken');
    for (let turn = 0; fate === 'late' && turn < 5; turn++) await new Promise(setImmediate);
  };
  return {
    add: (draft, instead) => works().then(() => store.add(draft, instead)),
    all: (user) => works().then(() => store.all(user)),
    refuse: (cid, problem) => works().then(() => store.refuse(cid, problem)),
    remove: (cid) => works().then(() => store.remove(cid)),
  };
}

const trouble = fc.constantFrom('fine', 'fine', 'fails', 'late');

test("sends each message once and in its tab's order, whatever fails in the store", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fate, { maxLength: 20 }),
      fc.array(trouble, { maxLength: 40 }),
      fc.array(step, { maxLength: 20 }),
      async (fates, troubles, steps) => {
        const server = new Server(fates);
        const store = unreliable(memoryStore(), troubles);
        const tabs: [Tab, Tab] = [openTab(store, server), openTab(store, server)];
        const said: [string[], string[]] = [[], []];
        for (const { kind, tab } of steps) {
          const which = tab === 0 ? 0 : 1;
          if (kind === 'say') said[which].push(`${which}: ${said[which].length}`);
          if (kind === 'say') void tabs[which].outbox.add(say(said[which].at(-1) ?? ''));
          if (kind === 'reload') void tabs[which].outbox.reload();
          if (kind === 'breathe') await new Promise(setImmediate);
        }
        const all = [...said[0], ...said[1]];
        for (let turn = 0; turn < 2_000 && server.log.length < all.length; turn++)
          await new Promise(setImmediate);
        const arrived = server.log.map(textOf);
        for (const which of [0, 1] as const)
          expect(arrived.filter((data) => data.startsWith(`${which}:`))).toEqual(said[which]);
        expect(arrived.length).toBe(all.length);
        for (const tab of tabs) tab.close();
      },
    ),
    {
      numRuns: 1000,
      // the store fails once, saves both messages late, and cannot be read in between
      examples: [
        [
          ['stopping'],
          ['fails', 'fine', 'fails', 'fine', 'late'],
          [
            { kind: 'say', tab: 0 },
            { kind: 'say', tab: 0 },
          ],
        ],
      ],
    },
  );
});
