/**
 * The page's IndexedDB: the outbox and the offline cache. Closes when a newer version of the page upgrades
 * it.
 */

import type { OutboxStore, StoredMessage, UnsavedMessage } from '../../connect/outbox.js';
import type { Problem } from '../../shared/protocol.js';
import { storagePrefix } from '../site.js';

const databaseName = `${storagePrefix}oneport`;
const schemaVersion = 2;
export const outboxStoreName = 'outbox';
export const cacheStoreName = 'kept';

export class Database {
  #connection: Promise<IDBDatabase> | undefined;

  /**
   * Runs one transaction on one store. Resolves with the request's result once the transaction is complete.
   */
  async run<T>(
    store: string,
    mode: IDBTransactionMode,
    work: (objects: IDBObjectStore) => IDBRequest<T> | undefined,
  ): Promise<T | undefined> {
    const durability = store === outboxStoreName ? 'strict' : 'relaxed';
    const begin = (db: IDBDatabase) => db.transaction(store, mode, { durability });
    const transaction = await this.#open()
      .then(begin)
      .catch(() => this.#reopen().then(begin));
    const request = work(transaction.objectStore(store));
    await transactionDone(transaction);
    return request?.result;
  }

  /** iOS closes connections of pages in the background without an event. */
  #reopen(): Promise<IDBDatabase> {
    this.#connection = undefined;
    return this.#open();
  }

  #open(): Promise<IDBDatabase> {
    this.#connection ??= openDatabase(() => {
      this.#connection = undefined;
    });
    return this.#connection;
  }
}

async function openDatabase(onClosed: () => void): Promise<IDBDatabase> {
  const request = indexedDB.open(databaseName, schemaVersion);
  request.onupgradeneeded = ({ oldVersion }) => migrate(request, oldVersion);
  try {
    const db = await requestDone(request);
    db.onclose = onClosed;
    db.onversionchange = () => {
      db.close(); // let the newer page upgrade
      onClosed();
    };
    return db;
  } catch (error) {
    onClosed();
    throw error;
  }
}

function migrate({ result, transaction }: IDBOpenDBRequest, from: number): void {
  if (from < 1) {
    const objects = result.createObjectStore(outboxStoreName, { keyPath: 'seq', autoIncrement: true });
    objects.createIndex('user', 'user');
    objects.createIndex('cid', 'cid', { unique: true });
  }
  if (from === 1 && transaction) migrateTexts(transaction.objectStore(outboxStoreName));
  if (from < 2) result.createObjectStore(cacheStoreName);
}

/** Version 1 stored texts only. */
function migrateTexts(objects: IDBObjectStore): void {
  const request = objects.openCursor();
  request.onsuccess = () => {
    const cursor = request.result;
    if (!cursor) return;
    const { data, ...message } = cursor.value;
    cursor.update({ ...message, posting: { type: 'chat', data } });
    cursor.continue();
  };
}

/** Rejects when a page of an older version keeps the database open, because only the user can close that page. */
function requestDone(request: IDBOpenDBRequest): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => {
      request.onsuccess = () => request.result.close(); // the page may have opened it again meanwhile
      reject(new Error('a page of an older version keeps the database open'));
    };
  });
}

function transactionDone(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

/** The outbox in IndexedDB. `seq` is the auto-incremented key, so it gives one order over all tabs. */

export class IndexedDbOutbox implements OutboxStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async add(message: UnsavedMessage, replaces?: string): Promise<number> {
    let seq = 0;
    await this.#write((objects) => {
      const insert = () => {
        const request = objects.add(message);
        request.onsuccess = () => {
          seq = Number(request.result);
        };
      };
      if (replaces === undefined) insert();
      else removeThen(objects, replaces, insert);
    });
    return seq;
  }

  async all(user: string): Promise<readonly StoredMessage[]> {
    // only `add` writes there; an index orders equal keys by primary key
    const all = await this.#database.run<StoredMessage[]>(outboxStoreName, 'readonly', (objects) =>
      objects.index('user').getAll(user),
    );
    return all ?? [];
  }

  refuse(cid: string, problem: Problem): Promise<void> {
    return this.#write((objects) => {
      const found = objects.index('cid').get(cid);
      found.onsuccess = () => {
        if (found.result !== undefined) objects.put({ ...found.result, problem });
      };
    });
  }

  remove(cid: string): Promise<void> {
    return this.#write((objects) => removeThen(objects, cid, () => {}));
  }

  async #write(change: (objects: IDBObjectStore) => void): Promise<void> {
    await this.#database.run(outboxStoreName, 'readwrite', (objects) => {
      change(objects);
      return undefined;
    });
  }
}

function removeThen(objects: IDBObjectStore, cid: string, onRemoved: () => void): void {
  const found = objects.index('cid').getKey(cid);
  found.onsuccess = () => {
    if (found.result !== undefined) objects.delete(found.result);
    onRemoved();
  };
}
