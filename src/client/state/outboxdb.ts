/**
 * The outbox in IndexedDB: what was said outlives the tab, the browser and the day. Keys count up by themselves
 * (`seq`), in the order in which transactions of all tabs happened.
 */
import type { Problem } from '../../shared/protocol.js';
import { type Database, LETTERS } from './database.js';
import type { Letter, OutboxStore, Unsent } from './letter.js';

export class OutboxDb implements OutboxStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async add(unsent: Unsent, instead?: string): Promise<number> {
    let seq = 0;
    await this.#write((letters) => {
      const put = () => {
        const added = letters.add(unsent);
        added.onsuccess = () => {
          seq = Number(added.result);
        };
      };
      if (instead === undefined) put();
      else removeThen(letters, instead, put);
    });
    return seq;
  }

  async all(user: string): Promise<readonly Letter[]> {
    // only `add` writes there; ordered by primary key within one user
    const all = await this.#database.run<Letter[]>(LETTERS, 'readonly', (letters) =>
      letters.index('user').getAll(user),
    );
    return all ?? [];
  }

  refuse(cid: string, problem: Problem): Promise<void> {
    return this.#write((letters) => {
      const found = letters.index('cid').get(cid);
      found.onsuccess = () => {
        if (found.result !== undefined) letters.put({ ...found.result, problem });
      };
    });
  }

  remove(cid: string): Promise<void> {
    return this.#write((letters) => removeThen(letters, cid, () => {}));
  }

  async #write(change: (letters: IDBObjectStore) => void): Promise<void> {
    await this.#database.run(LETTERS, 'readwrite', (letters) => {
      change(letters);
      return undefined;
    });
  }
}

function removeThen(letters: IDBObjectStore, cid: string, then: () => void): void {
  const found = letters.index('cid').getKey(cid);
  found.onsuccess = () => {
    if (found.result !== undefined) letters.delete(found.result);
    then();
  };
}
