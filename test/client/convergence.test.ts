/**
 * A page that was away ends up like one that never left: hundreds of changes, lost connections, late pages,
 * gaps.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LogEvent } from '../../src/client/decode.js';
import * as timeline from '../../src/client/room/timeline.js';
import type { ChangeEvent, ChatEvent, RoomEvent } from '../../src/shared/protocol.js';
import { applyChange } from '../../src/shared/reducer.js';

const PEOPLE = ['ann', 'bob', 'cid'].map((id) => ({ id, name: id }));
const EMOJI = ['👍', '🎉'];

/** The server's log: live events, and what it returns when it is read. */
class ServerLog {
  readonly #live: RoomEvent[] = [];
  readonly #now = new Map<number, ChatEvent>();

  get last(): number {
    return this.#live.length;
  }

  say(who: number): void {
    this.#post({ ...this.#facts(who), type: 'chat', data: `text ${this.last + 1}` });
  }

  /** A reply to one of the newest messages that are not deleted. */
  reply(who: number, pick: number): void {
    const targets = [...this.#now.values()].filter(({ deleted }) => deleted === undefined).slice(-8);
    const target = targets[pick % targets.length];
    if (!target) return;
    const { id, user, data } = target;
    const text = `text ${this.last + 1}`;
    this.#post({ ...this.#facts(who), type: 'chat', data: text, reply: { id, user, data } });
  }

  /** A change that the rules allow, or nothing. */
  change(kind: ChangeEvent['type'], pick: number, who: number, emoji: number): void {
    const targets = [...this.#now.values()].filter(({ deleted }) => deleted === undefined);
    const target = targets[pick % targets.length];
    if (!target) return;
    const facts = { ...this.#facts(who), target: target.id };
    const data = EMOJI[emoji % EMOJI.length] ?? '';
    const has = target.reactions?.some((one) => one.data === data && one.user.id === facts.user.id) ?? false;
    if (kind === 'react' && !has) this.#apply(target, { ...facts, type: 'react', data });
    if (kind === 'unreact' && has) this.#apply(target, { ...facts, type: 'unreact', data });
    if (kind === 'edit')
      this.#apply(target, { ...facts, user: target.user, type: 'edit', data: `new ${facts.id}` });
    if (kind === 'delete') this.#apply(target, { ...facts, user: target.user, type: 'delete' });
  }

  /** The live form of an event. */
  live(id: number): RoomEvent | undefined {
    return this.#live[id - 1];
  }

  /** Events from … to, in their current state; edits of deleted messages have no text. */
  read(from: number, to: number): timeline.LoadedPage {
    const messages = this.#live.slice(Math.max(0, from - 1), Math.max(0, to)).map((event) => {
      if (event.type === 'chat') return this.#current(event);
      const gone = this.#now.get(event.target)?.deleted !== undefined;
      return event.type === 'edit' && gone ? { ...event, data: '' } : event;
    });
    return { last: this.last, messages };
  }

  #current(event: ChatEvent): ChatEvent {
    const current = this.#now.get(event.id) ?? event;
    if (!current.reply) return current;
    const { id, user, data } = this.#now.get(current.reply.id) ?? { ...current.reply };
    return { ...current, reply: { id, user, data } };
  }

  #post(event: ChatEvent): void {
    this.#live.push(event);
    this.#now.set(event.id, event);
  }

  #apply(target: ChatEvent, change: ChangeEvent): void {
    this.#live.push(change);
    this.#now.set(target.id, applyChange(target, change));
  }

  #facts(who: number) {
    const [ann] = PEOPLE;
    const user = PEOPLE[who % PEOPLE.length] ?? ann ?? { id: '', name: '' };
    return { id: this.last + 1, user, at: this.last + 1 };
  }
}

type Step =
  | {
      readonly kind: 'say' | 'reply' | 'react' | 'unreact' | 'edit' | 'delete';
      readonly pick: number;
      readonly who: number;
      readonly times: number;
    }
  | {
      readonly kind:
        | 'hear'
        | 'lose'
        | 'resume'
        | 'older'
        | 'newer'
        | 'latest'
        | 'around'
        | 'arrive'
        | 'pin'
        | 'unpin';
      readonly pick: number;
    };

/** A page that reads the log over a connection that breaks, and by pages that arrive late. */
class Reader {
  t: timeline.Timeline = timeline.emptyTimeline;
  /** last number that the connection has delivered */
  #told = 0;
  /** events in transit */
  #line: LogEvent[] = [];
  #pages: (() => void)[] = [];
  readonly #server: ServerLog;

  constructor(server: ServerLog) {
    this.#server = server;
  }

  /** A new socket, at its number or with the latest events. */
  resume(history = 5): void {
    const { last } = this.#server;
    this.t = timeline.afterHello(this.t, { epoch: 'e', last, complete: true });
    const from = this.t.seen === undefined ? Math.max(1, last - history + 1) : this.t.seen + 1;
    this.#line = [...this.#server.read(from, last).messages];
    this.#told = last;
  }

  /** The server sends events; some arrive. */
  hear(count: number): void {
    while (this.#told < this.#server.last) {
      const event = this.#server.live(++this.#told);
      if (event) this.#line.push(event);
    }
    this.t = timeline.receiveEvents(this.t, this.#line.splice(0, count));
  }

  /** Loses an event, which leaves a gap. */
  lose(): void {
    this.hear(1);
    this.#line.shift();
  }

  ask(kind: 'older' | 'newer' | 'latest' | 'around', pick: number): void {
    const { last } = this.#server;
    const [top, bottom] = [timeline.firstId(this.t), timeline.lastId(this.t)];
    const around = 1 + (pick % Math.max(1, last));
    const page = {
      older: this.#server.read(top - 7, top - 1),
      newer: this.#server.read(bottom + 1, bottom + 7),
      latest: this.#server.read(last - 7, last),
      around: this.#server.read(around - 4, around + 4),
    }[kind];
    const add = {
      older: timeline.prependPage,
      newer: timeline.appendPage,
      latest: timeline.jumpToLatest,
      around: timeline.replaceWindow,
    }[kind];
    const wanted = { older: top > 1, newer: !timeline.isAttached(this.t), latest: true, around: true }[kind];
    const fits = () =>
      kind === 'latest' ||
      kind === 'around' ||
      (kind === 'older' ? timeline.firstId(this.t) === top : timeline.lastId(this.t) === bottom);
    if (!wanted || this.t.events.length === 0) return;
    this.#pages.push(() => {
      if (timeline.isStale(this.t, page) || !fits()) return;
      this.t = add(this.t, page);
      if (kind === 'around') this.t = timeline.setPinned(this.t, false);
    });
  }

  /** Delivers any page in transit: a later request may be quicker. */
  arrive(by: number): void {
    this.#pages.splice(by % Math.max(1, this.#pages.length), 1)[0]?.();
  }

  /** Delivers everything in transit and fills gaps. */
  settle(): void {
    while (this.#pages.length > 0) this.arrive(0);
    this.hear(Number.MAX_SAFE_INTEGER);
    for (let tries = 0; tries < 5; tries++) {
      const after = this.t.seen ?? 0;
      if (after < this.#server.last)
        this.t = timeline.fillGap(this.t, this.#server.read(after + 1, this.#server.last));
    }
  }
}

const pick = fc.nat({ max: 1000 });
const change = fc.record({
  kind: fc.constantFrom('say', 'reply', 'react', 'react', 'unreact', 'edit', 'edit', 'delete'),
  pick,
  who: fc.nat({ max: 2 }),
  times: fc.integer({ min: 1, max: 12 }),
});
const move = fc.record({
  kind: fc.constantFrom(
    'hear',
    'hear',
    'hear',
    'lose',
    'resume',
    'older',
    'newer',
    'latest',
    'around',
    'arrive',
    'arrive',
    'pin',
    'unpin',
  ),
  pick,
});

function happens(server: ServerLog, step: Step): void {
  if (!('times' in step)) return;
  for (let time = 0; time < step.times; time++) {
    if (step.kind === 'say') server.say(step.who);
    else if (step.kind === 'reply') server.reply(step.who, step.pick + time);
    else server.change(step.kind, step.pick + time * 7, step.who + time, time);
  }
}

function moves(reader: Reader, { kind, pick: by }: Step): void {
  if (kind === 'hear') reader.hear(by % 20);
  if (kind === 'lose') reader.lose();
  if (kind === 'resume') reader.resume();
  if (kind === 'older' || kind === 'newer' || kind === 'latest' || kind === 'around') reader.ask(kind, by);
  if (kind === 'arrive') reader.arrive(by);
  if (kind === 'pin' || kind === 'unpin')
    reader.t = timeline.setPinned(reader.t, kind === 'pin' && timeline.isAttached(reader.t));
}

/** What the window has to contain; texts are in messages only. */
function truth(server: ServerLog, { events }: timeline.Timeline): readonly LogEvent[] {
  const { messages } = server.read(events[0]?.id ?? 1, events.at(-1)?.id ?? 0);
  return messages.map((event) => (event.type === 'edit' ? { ...event, data: '' } : event));
}

test('shows what the log says, whatever happens on the way', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(change, move), { maxLength: 150, size: 'max' }), (steps) => {
      const server = new ServerLog();
      for (let n = 0; n < 30; n++) server.say(n);
      const reader = new Reader(server);
      reader.resume();
      for (const step of steps) {
        happens(server, step);
        moves(reader, step);
        const ids = reader.t.events.map(({ id }) => id);
        expect(ids).toEqual(ids.map((_, index) => (ids[0] ?? 0) + index));
      }
      reader.settle();
      expect(reader.t.seen ?? 0).toBe(server.last);
      expect(reader.t.events).toEqual(truth(server, reader.t));
    }),
    { numRuns: 600 },
  );
});

test('resumes from any number after 500 changes like a page that never left', () => {
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 80, maxLength: 160, size: 'max' }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (steps, share) => {
        const server = new ServerLog();
        for (let n = 0; n < 60; n++) n % 3 === 2 ? server.reply(n, n) : server.say(n);
        const [stayed, left] = [new Reader(server), new Reader(server)];
        for (const reader of [stayed, left]) {
          reader.resume(60);
          reader.hear(60);
        }
        const changes = steps.filter(({ kind }) => kind !== 'say' && kind !== 'reply');
        for (const [index, step] of changes.entries()) {
          happens(server, step);
          stayed.hear(1000);
          if (index < changes.length * share) left.hear(1000);
        }
        left.resume();
        for (const reader of [stayed, left]) reader.settle();
        expect(left.t.events).toEqual(stayed.t.events);
        expect(left.t.events).toEqual(truth(server, left.t));
      },
    ),
    { numRuns: 100 },
  );
});

test('keeps a deleted text nowhere', () => {
  const server = new ServerLog();
  for (let n = 0; n < 4; n++) server.say(0);
  server.reply(1, 2);
  const reader = new Reader(server);
  reader.resume();
  reader.hear(5);
  server.change('edit', 2, 0, 0);
  reader.hear(1);
  expect(JSON.stringify(reader.t)).toContain('new 6');
  server.change('delete', 2, 0, 0);
  reader.hear(1);
  expect(JSON.stringify(reader.t)).not.toMatch(/new 6|text 3/);
});
