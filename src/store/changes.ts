/** What a change makes of its message's row: the text of now, the reactions that stand; or nothing, when it is deleted. */
import type Database from 'better-sqlite3';
import type { Message, NewChange, Person } from '../chat/types.js';
import type { Reaction, User } from '../shared/protocol.js';
import { LIMIT } from './database.js';
import { mentionsColumn } from './rows.js';

/** Told of a message whose text is about to change, with who said it. */
export type MarkDirty = (message: Message, person: Person) => void;

/** The seq of a room's event by its number. */
export type FindEvent = (room: number, id: number) => number | undefined;

export class Changes {
  readonly reactions: ReactionStore;
  readonly mentions: MentionStore;
  /** how many messages were deleted since the start */
  deletions = 0;
  readonly #markDirty: MarkDirty | undefined;
  readonly #insertState: Database.Statement<[number, number, number | null, string | null]>;
  readonly #insertMentions: Database.Statement<[number, string]>;
  readonly #edit: Database.Statement<[number, string, number, string | null]>;
  readonly #eraseText: Database.Statement<[number]>;
  readonly #tombstone: Database.Statement<[number, number]>;
  readonly #findEvent: FindEvent;
  readonly #previousEdit: Database.Statement<[number], number | null>;
  readonly #eraseMentions: Database.Statement<[number]>;

  constructor(db: Database.Database, placeOf: FindEvent, outdate?: MarkDirty) {
    this.#findEvent = placeOf;
    this.#markDirty = outdate;
    this.reactions = new ReactionStore(db);
    this.mentions = new MentionStore(db);
    this.#insertState = db.prepare(
      'INSERT INTO states (event, target, edited, mentions) VALUES (?, ?, ?, ?)',
    );
    this.#insertMentions = db.prepare('INSERT INTO states (event, mentions) VALUES (?, ?)');
    this.#edit = db.prepare(`INSERT INTO states (event, text, edited, mentions) VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET text = excluded.text, edited = excluded.edited, mentions = excluded.mentions`);
    this.#eraseText = db.prepare("UPDATE events SET data = '' WHERE seq = ?");
    this.#tombstone = db.prepare(`INSERT INTO states (event, deleted) VALUES (?, ?) ON CONFLICT DO UPDATE
      SET text = NULL, edited = NULL, deleted = excluded.deleted, mentions = NULL, reacted = NULL`);
    this.#previousEdit = db
      .prepare<[number], number | null>('SELECT edited FROM states WHERE event = ?')
      .pluck();
    this.#eraseMentions = db.prepare('UPDATE states SET mentions = NULL WHERE event = ?');
  }

  /** Whom a new message calls. */
  setMentions(event: number, users: readonly User[]): void {
    this.#insertMentions.run(event, mentionsColumn(users));
    this.mentions.add(event, users);
  }

  /** `id` and `event`: the number that the change has got, and its key. */
  apply(message: Message, person: Person, made: NewChange, id: number, event: number): void {
    const { type, user, data, mentions } = made;
    const called = mentions === undefined ? null : mentionsColumn(mentions);
    this.#insertState.run(event, message.id, type === 'edit' ? (message.edited ?? null) : null, called);
    if (type === 'edit' || type === 'delete') this.#markDirty?.(message, person); // only one's own: the person said it
    if (type === 'edit') {
      this.#edit.run(message.key, data, id, called);
      this.mentions.clear(message.key);
      this.mentions.add(message.key, mentions);
    } else if (type === 'delete') this.#delete(message, id);
    else if (type === 'react') this.reactions.add(message, id, person, user.name, data);
    else this.reactions.remove(message, person, data);
  }

  #delete(message: Message, id: number): void {
    this.deletions++;
    this.#eraseText.run(message.key);
    this.#tombstone.run(message.key, id);
    this.#eraseEdits(message);
    this.mentions.clear(message.key);
    this.reactions.clear(message);
  }

  /** Each edit knows the one before it: no index is needed to find them all. */
  #eraseEdits({ roomKey, edited }: Message): void {
    for (let id = edited; id !== undefined; ) {
      const edit = this.#findEvent(roomKey, id);
      if (edit === undefined) return;
      this.#eraseText.run(edit);
      this.#eraseMentions.run(edit);
      id = this.#previousEdit.get(edit) ?? undefined;
    }
  }
}

/** The reactions that stand. A message's row counts its own, so that a page without any asks for none. */

interface ReactionRow {
  readonly target: number;
  readonly id: number;
  readonly userId: string;
  readonly name: string;
  readonly data: string;
}

export class ReactionStore {
  readonly #stands: Database.Statement<[number, number, number, string], number>;
  readonly #add: Database.Statement<[number, number, number, number, string, string]>;
  readonly #remove: Database.Statement<[number, number, number, string]>;
  readonly #clear: Database.Statement<[number, number]>;
  readonly #count: Database.Statement<[number, number]>;
  readonly #between: Database.Statement<[number, number, number], ReactionRow>;

  constructor(db: Database.Database) {
    const one = 'room = ? AND target = ? AND person = ? AND data = ?';
    this.#stands = db
      .prepare<[number, number, number, string], number>(`SELECT 1 FROM reactions WHERE ${one}`)
      .pluck();
    this.#add = db.prepare(
      'INSERT INTO reactions (room, target, id, person, name, data) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#remove = db.prepare(`DELETE FROM reactions WHERE ${one}`);
    this.#clear = db.prepare('DELETE FROM reactions WHERE room = ? AND target = ?');
    this.#count = db.prepare(`INSERT INTO states (event, reacted) VALUES (?, ?)
      ON CONFLICT DO UPDATE SET reacted = coalesce(reacted, 0) + excluded.reacted`);
    this.#between = db.prepare(`SELECT a.target, a.id, p.id AS userId, a.name, a.data
      FROM reactions a JOIN people p USING (person) WHERE a.room = ? AND a.target BETWEEN ? AND ?
      ORDER BY a.target, a.id`);
  }

  has({ roomKey, id }: Message, person: Person, emoji: string): boolean {
    return this.#stands.get(roomKey, id, person.key, emoji) !== undefined;
  }

  /** `event`: the number of the react event; `name`: the person's at that time. */
  add(message: Message, event: number, person: Person, name: string, emoji: string): void {
    this.#add.run(message.roomKey, message.id, event, person.key, name, emoji);
    this.#count.run(message.key, 1);
  }

  remove(message: Message, person: Person, emoji: string): void {
    this.#remove.run(message.roomKey, message.id, person.key, emoji);
    this.#count.run(message.key, -1);
  }

  clear({ roomKey, id }: Message): void {
    this.#clear.run(roomKey, id);
  }

  /** Those of the messages `from` to `to` of a room, by the message's number, each in the order of their own. */
  between(roomKey: number, from: number, to: number): ReadonlyMap<number, readonly Reaction[]> {
    const found = new Map<number, Reaction[]>();
    for (const { target, id, userId, name, data } of this.#between.iterate(roomKey, from, to)) {
      const reactions = found.get(target) ?? [];
      reactions.push({ id, user: { id: userId, name }, data });
      found.set(target, reactions);
    }
    return found;
  }
}

/** Who is called by which message, as its text is now: for the list of what calls me. */

export class MentionStore {
  readonly #add: Database.Statement<[number, string]>;
  readonly #clear: Database.Statement<[number]>;
  readonly #of: Database.Statement<[string, number, number], number>;

  constructor(db: Database.Database) {
    this.#add = db.prepare('INSERT INTO mentions SELECT person, ? FROM people WHERE id = ?');
    this.#clear = db.prepare('DELETE FROM mentions WHERE event = ?');
    this.#of = db
      .prepare<[string, number, number], number>(
        `SELECT event FROM mentions WHERE person = (SELECT person FROM people WHERE id = ?) AND event < ?
          ORDER BY event DESC ${LIMIT}`,
      )
      .pluck();
  }

  add(event: number, users: readonly User[] | undefined): void {
    for (const { id } of users ?? []) this.#add.run(event, id);
  }

  clear(event: number): void {
    this.#clear.run(event);
  }

  /** The seqs of the messages that call somebody, newest first, below `before`. */
  list(user: User, before: number, limit: number): number[] {
    return this.#of.all(user.id, before, limit);
  }
}
