/**
 * What is being written in one room: something new, an answer, or another text for a message of mine. What must stay
 * true: what was written is never lost; the draft waits while a message is edited, and an edit while another room is
 * in view.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import { type Parsed, parseText } from '../../parse.js';
import type { ChatEvent } from '../../protocol.js';
import { replyTo } from './reply.js';

export type Mode =
  | { readonly kind: 'new' }
  | { readonly kind: 'reply'; readonly to: ChatEvent }
  | { readonly kind: 'edit'; readonly of: ChatEvent };

export interface WritingParts {
  readonly say: (text: string) => void;
  readonly edit: (id: number, text: string) => void;
  readonly draft: { read(): string; keep(text: string): void };
}

const NEW: Mode = { kind: 'new' };

export class Writing {
  readonly #parts: WritingParts;
  readonly #mode = signal<Mode>(NEW);
  #edited = '';

  constructor(parts: WritingParts) {
    this.#parts = parts;
  }

  get mode(): ReadonlySignal<Mode> {
    return this.#mode;
  }

  /** What the field holds. */
  read(): string {
    return this.#mode.peek().kind === 'edit' ? this.#edited : this.#parts.draft.read();
  }

  keep(text: string): void {
    if (this.#mode.peek().kind === 'edit') this.#edited = text;
    else this.#parts.draft.keep(text);
  }

  edit(of: ChatEvent): void {
    this.#edited = of.data;
    this.#mode.value = { kind: 'edit', of };
  }

  reply(to: ChatEvent): void {
    this.#mode.value = { kind: 'reply', to };
  }

  /** Back to something new; an edit is given up, a draft stays. */
  leave(): void {
    this.#mode.value = NEW;
  }

  /** What would be sent, or why it cannot be. */
  whole(text: string): Parsed<string> {
    const mode = this.#mode.peek();
    const own = parseText(text);
    return own.ok && mode.kind === 'reply' ? parseText(replyTo(mode.to, own.value)) : own;
  }

  /** Sends what `whole` has found good, and begins anew. */
  send(whole: string): void {
    const mode = this.#mode.peek();
    if (mode.kind !== 'edit') {
      this.#parts.say(whole);
      this.#parts.draft.keep('');
    } else if (whole !== mode.of.data) this.#parts.edit(mode.of.id, whole);
    this.leave();
  }
}

const open = new WeakMap<WritingParts, Writing>();

/** Of one room there is one, which its messages and the field below them share. */
export function writingIn(place: WritingParts): Writing {
  const writing =
    open.get(place) ??
    new Writing({
      say: (text) => place.say(text),
      edit: (id, text) => place.edit(id, text),
      draft: place.draft,
    });
  open.set(place, writing);
  return writing;
}
