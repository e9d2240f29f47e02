/** The rooms I have been in and those that are busy, and how far I have read. */
import type Koa from 'koa';
import type Router from 'koa-router';
import type { Command, Outcome } from '../chat/command.js';
import { field } from '../parse.js';
import type { RoomSummary, User } from '../protocol.js';
import { bad, bodyOf, roomOf } from './asked.js';
import { refusal } from './refusal.js';
import { requireUser, type SessionParts } from './session.js';

/** What the list of rooms is made of. */
export interface ListedParts {
  readonly hub: {
    /** resolves when it is written down where this person has been until now */
    settled(user: User): Promise<void>;
    /** how many people are in it now */
    presentIn(room: string): number;
  };
  readonly store: {
    /** the rooms that somebody has been in, and others; those that moved last first */
    readonly members: { of(user: User, limit: number): readonly Joined[] };
    readonly activity: {
      newest(limit: number, without: ReadonlySet<string>): readonly Omit<Joined, 'read'>[];
    };
  };
}

export interface RoomParts extends SessionParts, ListedParts {
  readonly now: () => number;
  readonly submit: (command: Command) => Promise<Outcome>;
}

interface Joined {
  readonly room: string;
  readonly last: number;
  readonly read: number;
}

/** Rooms in the list: that I have been in, and others. */
const MOST = { joined: 500, others: 100 } as const;

export function roomRoutes(router: Router, parts: RoomParts): void {
  router.get('/rooms', async (ctx) => {
    const user = requireUser(ctx, parts);
    await parts.hub.settled(user);
    ctx.body = roomsOf(user, parts);
  });
  router.put('/rooms/:room/read', async (ctx) => {
    await read(ctx, requireUser(ctx, parts), parts);
  });
}

/** As it is now; `hub.settled` comes before it. */
export function roomsOf(user: User, { hub, store }: ListedParts): RoomSummary[] {
  const joined = store.members.of(user, MOST.joined);
  const others = store.activity.newest(MOST.others, new Set(joined.map(({ room }) => room)));
  const people = (room: string): number => hub.presentIn(room);
  return [
    ...joined.map(({ room, last, read }) => ({ room, last, read, people: people(room), joined: true })),
    ...others.map(({ room, last }) => ({ room, last, read: 0, people: people(room), joined: false })),
  ];
}

async function read(ctx: Koa.Context, user: User, { submit, now }: RoomParts): Promise<void> {
  const id = field(bodyOf(ctx, '{"id"}'), 'id');
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) throw bad('"id" is a whole number.');
  const outcome = await submit({ kind: 'read', room: roomOf(ctx), user, id, at: now() });
  if (outcome.kind === 'refused') throw refusal(outcome.problem);
  ctx.status = 204;
}
