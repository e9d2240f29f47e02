/** Applies changes to the rows of their messages: edits, deletions and reactions. Keeps the lists of reactions and mentions. */
import type Database from 'better-sqlite3';
import type { Message, NewChange, Person } from '../chat/types.js';
import type { Reaction, User } from '../shared/protocol.js';
import { contentHash } from './chain.js';
import { limitClause } from './database.js';

interface EditRow {
  readonly seq: number;
  readonly previous: number | null;
}

/** What the hash of a text is made of; no row once the text is deleted. */
interface SaltedRow {
  readonly salt: string;
  readonly data: string;
  readonly reply: number | null;
}

export class Changes {
  readonly reactions: ReactionStore;
  readonly mentions: MentionStore;
  /** Count of texts removed since the start. */
  deletions = 0;
  readonly #setEdited: Database.Statement<[number, number]>;
  readonly #setDeleted: Database.Statement<[number, number]>;
  readonly #salted: Database.Statement<[number], SaltedRow>;
  readonly #eraseText: Database.Statement<[string, number]>;
  readonly #addDeletion: Database.Statement<[number]>;
  readonly #findEdit: Database.Statement<[number, number], EditRow>;

  constructor(db: Database.Database) {
    this.reactions = new ReactionStore(db);
    this.mentions = new MentionStore(db);
    this.#setEdited = db.prepare(`INSERT INTO states (event, edited) VALUES (?, ?)
      ON CONFLICT DO UPDATE SET edited = excluded.edited`);
    this.#setDeleted = db.prepare(`INSERT INTO states (event, deleted) VALUES (?, ?)
      ON CONFLICT DO UPDATE SET deleted = excluded.deleted, edited = NULL, reacted = NULL`);
    this.#salted = db.prepare(`SELECT lower(hex(substr(content, 1, 16))) AS salt, data, reply
      FROM events WHERE seq = ? AND data <> ''`);
    this.#eraseText =
      db.prepare(`UPDATE events SET data = '', reply = NULL, mentions = NULL, content = unhex(?)
      WHERE seq = ?`);
    this.#addDeletion = db.prepare('INSERT INTO deletions SELECT room, id, person FROM events WHERE seq = ?');
    this.#findEdit = db.prepare('SELECT seq, previous FROM events WHERE room = ? AND id = ?');
  }

  /** `id` is the number of the change. */
  apply(message: Message, person: Person, made: NewChange, id: number): void {
    const { type, data } = made;
    switch (type) {
      case 'edit':
        this.#edit(message, made, id);
        break;
      case 'delete':
        this.#delete(message, id);
        break;
      case 'react':
        this.reactions.add(message, id, person, data);
        break;
      case 'unreact':
        this.reactions.remove(message, person, data);
        break;
      default:
        throw new Error(`no such change: ${type satisfies never}`);
    }
  }

  #edit({ key, roomKey, id: messageId }: Message, { mentions }: NewChange, id: number): void {
    this.#setEdited.run(key, id);
    this.mentions.clear(roomKey, messageId);
    this.mentions.add(roomKey, messageId, key, mentions);
  }

  #delete(message: Message, id: number): void {
    this.expire(message);
    this.#setDeleted.run(message.key, id);
    this.#addDeletion.run(message.key);
    this.reactions.clear(message);
  }

  /** Erases the text of a message and of its edits, and whom it mentions. Each edit has the number of the previous one. */
  expire({ key, roomKey, id, edited }: Message): void {
    this.deletions++;
    this.#erase(key);
    for (let change = edited ?? 0; change > 0; ) {
      const edit = this.#findEdit.get(roomKey, change);
      if (edit) this.#erase(edit.seq);
      change = edit?.previous ?? 0;
    }
    this.mentions.clear(roomKey, id);
  }

  /** The hash of the content takes the place of the salt, so the row does not grow. */
  #erase(seq: number): void {
    const row = this.#salted.get(seq);
    if (row) this.#eraseText.run(contentHash(row.salt, row.data, row.reply), seq);
  }
}

interface ReactionRow {
  readonly target: number;
  readonly id: number;
  readonly userId: string;
  readonly name: string;
  readonly data: string;
}

/** The current reactions. The row of a message counts its reactions, so that a page without any reads none. */
export class ReactionStore {
  readonly #exists: Database.Statement<[number, number, number, string], number>;
  readonly #add: Database.Statement<[number, number, number, number, string, string]>;
  readonly #remove: Database.Statement<[number, number, number, string]>;
  readonly #clear: Database.Statement<[number, number]>;
  readonly #count: Database.Statement<[number, number]>;
  readonly #between: Database.Statement<[number, number, number], ReactionRow>;

  constructor(db: Database.Database) {
    const one = 'room = ? AND target = ? AND person = ? AND data = ?';
    this.#exists = db
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
    return this.#exists.get(roomKey, id, person.key, emoji) !== undefined;
  }

  /** `event` is the number of the react event. */
  add(message: Message, event: number, person: Person, emoji: string): void {
    this.#add.run(message.roomKey, message.id, event, person.key, person.name, emoji);
    this.#count.run(message.key, 1);
  }

  remove(message: Message, person: Person, emoji: string): void {
    this.#remove.run(message.roomKey, message.id, person.key, emoji);
    this.#count.run(message.key, -1);
  }

  clear({ roomKey, id }: Message): void {
    this.#clear.run(roomKey, id);
  }

  /** Returns the reactions to the messages from number `from` to number `to`, by message, in the order of their numbers. */
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

/** The people that each message mentions by its current text, or replies to: for lists of mentions and unread counts. */
export class MentionStore {
  readonly #add: Database.Statement<[number, number, number, string]>;
  readonly #clear: Database.Statement<[number, number]>;
  readonly #addReply: Database.Statement<[number]>;
  readonly #people: Database.Statement<[number, number], string>;
  readonly #list: Database.Statement<[string, number, number], number>;

  constructor(db: Database.Database) {
    // the text may mention the same person
    this.#addReply = db.prepare(`INSERT OR IGNORE INTO mentions (person, room, id, seq)
      SELECT target.person, e.room, e.id, e.seq
      FROM events e JOIN events target ON target.room = e.room AND target.id = e.reply
      WHERE e.seq = ? AND target.person <> e.person`);
    this.#people = db
      .prepare<[number, number], string>(
        'SELECT p.id FROM mentions m JOIN people p USING (person) WHERE m.room = ? AND m.id = ?',
      )
      .pluck();
    this.#add = db.prepare(
      'INSERT INTO mentions (person, room, id, seq) SELECT person, ?, ?, ? FROM people WHERE id = ?',
    );
    this.#clear = db.prepare('DELETE FROM mentions WHERE room = ? AND id = ?');
    this.#list = db
      .prepare<[string, number, number], number>(
        `SELECT seq FROM mentions WHERE person = (SELECT person FROM people WHERE id = ?) AND seq < ?
          ORDER BY seq DESC ${limitClause}`,
      )
      .pluck();
  }

  /** Adds the users that the text mentions, and the author of the message that it replies to. */
  add(room: number, id: number, seq: number, users: readonly User[] = []): void {
    for (const user of users) this.#add.run(room, id, seq, user.id);
    this.#addReply.run(seq);
  }

  /** Returns the ids of the people that a message mentions. */
  of(room: number, id: number): string[] {
    return this.#people.all(room, id);
  }

  clear(room: number, id: number): void {
    this.#clear.run(room, id);
  }

  /** Returns the seqs, below `before`, of the messages that mention a user, newest first. */
  list(user: User, before: number, limit: number): number[] {
    return this.#list.all(user.id, before, limit);
  }
}
