/**
 * This page's IndexedDB: letters that are not sent yet (outboxdb.ts) and what is kept for an opening offline (keep.ts).
 * Written with strict durability where a letter depends on it. A newer page may change it at any time: then ours lets go.
 */
const NAME = 'oneport';
const VERSION = 2;
export const LETTERS = 'outbox';
export const KEPT = 'kept';

export class Database {
  #opening: Promise<IDBDatabase> | undefined;

  /** One transaction on one store; resolves with what the request of `work` came to, when it is on disk. */
  async run<T>(
    store: string,
    mode: IDBTransactionMode,
    work: (objects: IDBObjectStore) => IDBRequest<T> | undefined,
  ): Promise<T | undefined> {
    const db = await this.#open();
    const durability = store === LETTERS ? 'strict' : 'relaxed';
    const transaction = db.transaction(store, mode, { durability });
    const request = work(transaction.objectStore(store));
    await completed(transaction);
    return request?.result;
  }

  #open(): Promise<IDBDatabase> {
    this.#opening ??= open(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }
}

async function open(closed: () => void): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, VERSION);
  request.onupgradeneeded = ({ oldVersion }) => upgrade(request, oldVersion);
  try {
    const db = await opened(request);
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

function upgrade({ result, transaction }: IDBOpenDBRequest, from: number): void {
  if (from < 1) {
    const letters = result.createObjectStore(LETTERS, { keyPath: 'seq', autoIncrement: true });
    letters.createIndex('user', 'user');
    letters.createIndex('cid', 'cid', { unique: true });
  }
  if (from === 1 && transaction) generalise(transaction.objectStore(LETTERS));
  if (from < 2) result.createObjectStore(KEPT);
}

/** In version 1 a letter was a text to be said. */
function generalise(letters: IDBObjectStore): void {
  const walk = letters.openCursor();
  walk.onsuccess = () => {
    const cursor = walk.result;
    if (!cursor) return;
    const { data, ...letter } = cursor.value;
    cursor.update({ ...letter, posting: { type: 'chat', data } });
    cursor.continue();
  };
}

function opened(request: IDBOpenDBRequest): Promise<IDBDatabase> {
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
