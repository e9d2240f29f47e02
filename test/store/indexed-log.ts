/** A log and its search index without threads, so that a test decides when the index follows and what its clock shows. */
import { onTestFinished } from 'vitest';
import { skeleton } from '../../src/chat/names.js';
import { applyBatch } from '../../src/chat/rules.js';
import type { Command, Result } from '../../src/chat/types.js';
import type { User } from '../../src/shared/protocol.js';
import { type IndexOptions, type SearchAnswer, SearchIndex } from '../../src/store/search-index.js';
import { Store } from '../../src/store/store.js';
import { temporaryFolder } from '../harness.js';

const SALT = '00'.repeat(16);

export const ANN: User = { id: 'aaaaaaaaaaaa', name: 'Ann' };
export const BOB: User = { id: 'bbbbbbbbbbbb', name: 'Bob' };

export interface MessageOptions {
  readonly room?: string;
  readonly user?: User;
  readonly at?: number;
}

export interface FindOptions {
  readonly room?: string;
  readonly before?: number | undefined;
  readonly limit?: number;
  readonly deadline?: number;
}

export class IndexedLog {
  readonly folder = temporaryFolder();
  readonly store: Store;
  readonly #options: Partial<IndexOptions>;
  #index: SearchIndex;

  constructor(options: Partial<IndexOptions> = {}) {
    this.#options = options;
    this.store = new Store(this.folder);
    this.#index = new SearchIndex(this.folder, { unicode: '17', ...options });
    onTestFinished(() => {
      this.#index.close();
      this.store.close();
    });
  }

  get index(): SearchIndex {
    return this.#index;
  }

  /** @returns the numbers of the messages */
  say(
    texts: string | readonly string[],
    { room = 'lobby', user = ANN, at = 0 }: MessageOptions = {},
  ): number[] {
    const list = typeof texts === 'string' ? [texts] : texts;
    const results = this.apply(
      ...list.map((data) => ({ kind: 'message', room, user, data, at, salt: SALT }) as const),
    );
    return results.map((result) => (result.kind === 'accepted' ? result.event.id : 0));
  }

  edit(target: number, data: string, { room = 'lobby', user = ANN }: MessageOptions = {}): void {
    this.apply({ kind: 'change', type: 'edit', room, user, target, data, at: 0, salt: SALT });
  }

  delete(target: number, { room = 'lobby', user = ANN }: MessageOptions = {}): void {
    this.apply({ kind: 'change', type: 'delete', room, user, target, data: '', at: 0, salt: SALT });
  }

  rename(user: User, name: string): User {
    const renamed = { ...user, name };
    this.apply({
      kind: 'sign-in',
      user: renamed,
      generation: 0,
      skeleton: skeleton(name),
      at: 0,
    });
    return renamed;
  }

  apply(...commands: readonly Command[]): readonly Result[] {
    const results = applyBatch(commands, this.store, (error) => {
      throw error;
    });
    const failed = results.find(({ kind }) => kind === 'rejected' || kind === 'name-taken');
    if (failed) throw new Error(JSON.stringify(failed));
    return results;
  }

  /** As after a restart. */
  reopen(options: Partial<IndexOptions> = {}): void {
    this.#index.close();
    this.#index = new SearchIndex(this.folder, { unicode: '17', ...this.#options, ...options });
  }

  answer(q: string, { room, before, limit = 50, deadline = Infinity }: FindOptions = {}): SearchAnswer {
    return this.#index.find({ q, room, before, limit }, deadline);
  }

  /** Lets the index catch up. @returns what a search finds, as "room number", or only the number for the lobby */
  find(q: string, options: FindOptions = {}): (string | number)[] {
    this.#index.follow(Infinity);
    const { seqs, position } = this.answer(q, options);
    return this.store.messages
      .loadPage(seqs, position)
      .messages.map(({ room, id }) => (room === 'lobby' ? id : `${room} ${id}`));
  }
}
