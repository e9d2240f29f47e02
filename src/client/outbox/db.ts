/**
 * This page's IndexedDB: letters that are not sent yet (outboxdb.ts) and what is kept for an opening offline (keep.ts).
 * Written with strict durability where a letter depends on it. A newer page may change it at any time: then ours lets go.
 */
import type { Problem } from '../../shared/protocol.js';
import type { OutboxStore, PendingMessage, UnsavedMessage } from './outbox.js';

const databaseName = 'oneport';
const schemaVersion = 2;
export const outboxStoreName = 'outbox';
export const cacheStoreName = 'kept';

export class Database {
  #connection: Promise<IDBDatabase> | undefined;

  /** One transaction on one store; resolves with what the request of `work` came to, when it is on disk. */
  async run<T>(
    store: string,
    mode: IDBTransactionMode,
    work: (objects: IDBObjectStore) => IDBRequest<T> | undefined,
  ): Promise<T | undefined> {
    const db = await this.#open();
    const durability = store === outboxStoreName ? 'strict' : 'relaxed';
    const transaction = db.transaction(store, mode, { durability });
    const request = work(transaction.objectStore(store));
    await transactionDone(transaction);
    return request?.result;
  }

  #open(): Promise<IDBDatabase> {
    this.#connection ??= openDatabase(() => {
      this.#connection = undefined;
    });
    return this.#connection;
  }
}

async function openDatabase(closed: () => void): Promise<IDBDatabase> {
  const request = indexedDB.open(databaseName, schemaVersion);
  request.onupgradeneeded = ({ oldVersion }) => migrate(request, oldVersion);
  try {
    const db = await requestDone(request);
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

function migrate({ result, transaction }: IDBOpenDBRequest, from: number): void {
  if (from < 1) {
    const letters = result.createObjectStore(outboxStoreName, { keyPath: 'seq', autoIncrement: true });
    letters.createIndex('user', 'user');
    letters.createIndex('cid', 'cid', { unique: true });
  }
  if (from === 1 && transaction) migrateTexts(transaction.objectStore(outboxStoreName));
  if (from < 2) result.createObjectStore(cacheStoreName);
}

/** In version 1 a letter was a text to be said. */
function migrateTexts(letters: IDBObjectStore): void {
  const walk = letters.openCursor();
  walk.onsuccess = () => {
    const cursor = walk.result;
    if (!cursor) return;
    const { data, ...letter } = cursor.value;
    cursor.update({ ...letter, posting: { type: 'chat', data } });
    cursor.continue();
  };
}

function requestDone(request: IDBOpenDBRequest): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function transactionDone(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

/**
 * The outbox in IndexedDB: what was said outlives the tab, the browser and the day. Keys count up by themselves
 * (`seq`), in the order in which transactions of all tabs happened.
 */

export class IndexedDbOutbox implements OutboxStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async add(unsent: UnsavedMessage, instead?: string): Promise<number> {
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

  async all(user: string): Promise<readonly PendingMessage[]> {
    // only `add` writes there; ordered by primary key within one user
    const all = await this.#database.run<PendingMessage[]>(outboxStoreName, 'readonly', (letters) =>
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
    await this.#database.run(outboxStoreName, 'readwrite', (letters) => {
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
