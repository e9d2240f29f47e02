/** What a change makes of its message's row: the text of now, the reactions that stand; or nothing, when it is deleted. */
import type Database from 'better-sqlite3';
import type { Made, Message, Person } from '../chat/book.js';
import type { User } from '../protocol.js';
import { Mentions } from './mentions.js';
import { Reactions } from './reactions.js';
import { mentionsColumn } from './rows.js';

/** Told of a message whose text is about to change, with who said it. */
export type Outdate = (message: Message, person: Person) => void;

/** The seq of a room's event by its number. */
export type PlaceOf = (room: number, id: number) => number | undefined;

export class Changes {
  readonly reactions: Reactions;
  readonly mentions: Mentions;
  /** how many messages were deleted since the start */
  erased = 0;
  readonly #outdate: Outdate | undefined;
  readonly #keep: Database.Statement<[number, number, number | null, string | null]>;
  readonly #call: Database.Statement<[number, string]>;
  readonly #edit: Database.Statement<[number, string, number, string | null]>;
  readonly #blank: Database.Statement<[number]>;
  readonly #bury: Database.Statement<[number, number]>;
  readonly #placeOf: PlaceOf;
  readonly #editBefore: Database.Statement<[number], number | null>;
  readonly #uncall: Database.Statement<[number]>;

  constructor(db: Database.Database, placeOf: PlaceOf, outdate?: Outdate) {
    this.#placeOf = placeOf;
    this.#outdate = outdate;
    this.reactions = new Reactions(db);
    this.mentions = new Mentions(db);
    this.#keep = db.prepare('INSERT INTO states (event, target, edited, mentions) VALUES (?, ?, ?, ?)');
    this.#call = db.prepare('INSERT INTO states (event, mentions) VALUES (?, ?)');
    this.#edit = db.prepare(`INSERT INTO states (event, text, edited, mentions) VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET text = excluded.text, edited = excluded.edited, mentions = excluded.mentions`);
    this.#blank = db.prepare("UPDATE events SET data = '' WHERE seq = ?");
    this.#bury = db.prepare(`INSERT INTO states (event, deleted) VALUES (?, ?) ON CONFLICT DO UPDATE
      SET text = NULL, edited = NULL, deleted = excluded.deleted, mentions = NULL, reacted = NULL`);
    this.#editBefore = db
      .prepare<[number], number | null>('SELECT edited FROM states WHERE event = ?')
      .pluck();
    this.#uncall = db.prepare('UPDATE states SET mentions = NULL WHERE event = ?');
  }

  /** Whom a new message calls. */
  call(event: number, users: readonly User[]): void {
    this.#call.run(event, mentionsColumn(users));
    this.mentions.add(event, users);
  }

  /** `id` and `event`: the number that the change has got, and its key. */
  apply(message: Message, person: Person, made: Made, id: number, event: number): void {
    const { type, user, data, mentions } = made;
    const called = mentions === undefined ? null : mentionsColumn(mentions);
    this.#keep.run(event, message.id, type === 'edit' ? (message.edited ?? null) : null, called);
    if (type === 'edit' || type === 'delete') this.#outdate?.(message, person); // only one's own: the person said it
    if (type === 'edit') {
      this.#edit.run(message.key, data, id, called);
      this.mentions.clear(message.key);
      this.mentions.add(message.key, mentions);
    } else if (type === 'delete') this.#delete(message, id);
    else if (type === 'react') this.reactions.add(message, id, person, user.name, data);
    else this.reactions.remove(message, person, data);
  }

  #delete(message: Message, id: number): void {
    this.erased++;
    this.#blank.run(message.key);
    this.#bury.run(message.key, id);
    this.#blankEdits(message);
    this.mentions.clear(message.key);
    this.reactions.clear(message);
  }

  /** Each edit knows the one before it: no index is needed to find them all. */
  #blankEdits({ roomKey, edited }: Message): void {
    for (let id = edited; id !== undefined; ) {
      const edit = this.#placeOf(roomKey, id);
      if (edit === undefined) return;
      this.#blank.run(edit);
      this.#uncall.run(edit);
      id = this.#editBefore.get(edit) ?? undefined;
    }
  }
}
