/**
 * The outbox in IndexedDB: what was said outlives the tab, the browser and the day. Keys count up by themselves
 * (`seq`), in the order in which transactions of all tabs happened. Written with strict durability: a letter that
 * is shown as waiting has to survive a power cut.
 */
import type { Problem } from '../../protocol.js';
import type { Draft, Letter, OutboxStore } from './letter.js';

const NAME = 'oneport';
const VERSION = 1;
const LETTERS = 'outbox';

export class OutboxDb implements OutboxStore {
  #opening: Promise<IDBDatabase> | undefined;

  async add(draft: Draft, instead?: string): Promise<number> {
    let seq = 0;
    await this.#write((letters) => {
      const put = () => {
        const added = letters.add(draft);
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
    const db = await this.#open();
    const request = db.transaction(LETTERS).objectStore(LETTERS).index('user').getAll(user);
    return result<Letter[]>(request); // only `add` below writes there; ordered by primary key within one user
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
    const db = await this.#open();
    const transaction = db.transaction(LETTERS, 'readwrite', { durability: 'strict' });
    change(transaction.objectStore(LETTERS));
    await completed(transaction);
  }

  #open(): Promise<IDBDatabase> {
    this.#opening ??= open(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }
}

function removeThen(letters: IDBObjectStore, cid: string, then: () => void): void {
  const found = letters.index('cid').getKey(cid);
  found.onsuccess = () => {
    if (found.result !== undefined) letters.delete(found.result);
    then();
  };
}

async function open(closed: () => void): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, VERSION);
  request.onupgradeneeded = () => {
    const letters = request.result.createObjectStore(LETTERS, { keyPath: 'seq', autoIncrement: true });
    letters.createIndex('user', 'user');
    letters.createIndex('cid', 'cid', { unique: true });
  };
  try {
    const db = await result(request);
    db.onclose = closed;
    db.onversionchange = () => {
      db.close(); // a newer page wants to change it: do not stand in its way
      closed();
    };
    return db;
  } catch (error) {
    closed();
    throw error;
  }
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function completed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}
