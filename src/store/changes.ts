/** What a change makes of its message's row: the text of now, the reactions that stand; or nothing, when it is deleted. */
import type Database from 'better-sqlite3';
import type { Made, Message, Person } from '../chat/book.js';
import { Mentions } from './mentions.js';
import { Reactions } from './reactions.js';
import { mentionsColumn } from './rows.js';

export class Changes {
  readonly reactions: Reactions;
  readonly mentions: Mentions;
  /** how many messages were deleted since the start */
  erased = 0;
  readonly #edit: Database.Statement<[string, number, string | null, number]>;
  readonly #erase: Database.Statement<[number, number]>;
  readonly #eraseEdits: Database.Statement<[number, number, number]>;

  constructor(db: Database.Database) {
    this.reactions = new Reactions(db);
    this.mentions = new Mentions(db);
    this.#edit = db.prepare('UPDATE events SET text = ?, edited = ?, mentions = ? WHERE seq = ?');
    this.#erase =
      db.prepare(`UPDATE events SET data = '', text = NULL, edited = NULL, deleted = ?, mentions = NULL,
      reacted = NULL WHERE seq = ?`);
    // each edit knows the one before it: no index is needed to find them all
    this.#eraseEdits = db.prepare(`WITH RECURSIVE edits (id) AS (
        SELECT ? UNION ALL
        SELECT e.edited FROM edits JOIN events e ON e.room = ? AND e.id = edits.id WHERE e.edited IS NOT NULL)
      UPDATE events SET data = '', mentions = NULL WHERE room = ? AND id IN (SELECT id FROM edits)`);
  }

  /** `id`: the number that the change has got. */
  apply(message: Message, person: Person, { type, user, data, mentions }: Made, id: number): void {
    if (type === 'edit') {
      this.#edit.run(data, id, mentionsColumn(mentions), message.key);
      this.mentions.clear(message.key);
      this.mentions.add(message.key, mentions);
    } else if (type === 'delete') this.#delete(message, id);
    else if (type === 'react') this.reactions.add(message, id, person, user.name, data);
    else this.reactions.remove(message, person, data);
  }

  #delete(message: Message, id: number): void {
    this.erased++;
    this.#erase.run(id, message.key);
    if (message.edited !== undefined) this.#eraseEdits.run(message.edited, message.roomKey, message.roomKey);
    this.mentions.clear(message.key);
    this.reactions.clear(message);
  }
}
