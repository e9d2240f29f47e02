/** Messages of any room by their place in the one order: what a list or a search has found, as they are now. */
import type Database from 'better-sqlite3';
import type { FoundMessage } from '../protocol.js';
import type { Reactions } from './reactions.js';
import { ROWS, type Row, toChat } from './rows.js';

export class Found {
  readonly #bySeq: Database.Statement<[number], Row>;
  readonly #reactions: Reactions;

  constructor(db: Database.Database, reactions: Reactions) {
    this.#bySeq = db.prepare(`${ROWS} WHERE e.seq = ?`);
    this.#reactions = reactions;
  }

  messages(seqs: readonly number[]): FoundMessage[] {
    return seqs.flatMap((seq) => {
      const row = this.#bySeq.get(seq);
      return row?.type === 'chat' && row.deleted === null ? [this.#message(row)] : [];
    });
  }

  #message(row: Row): FoundMessage {
    const { roomKey, room, id, reacted } = row;
    const reactions = reacted ? (this.#reactions.between(roomKey, id, id).get(id) ?? []) : [];
    return { ...toChat(row, reactions), room };
  }
}
