/**
 * What is being written in one room: something new, an answer, or another text for a message of mine. What must stay
 * true: what was written is never lost; the draft waits while a message is edited, and an edit while another room is
 * in view.
 */
import { batch, computed, type ReadonlySignal, signal } from '@preact/signals';
import { type Parsed, parseText } from '../../shared/parse.js';
import type { ChatEvent } from '../../shared/protocol.js';
import { replyTo } from './reply.js';
import { nowOf, type Subject, takenUp } from './subject.js';
import type { Transcript } from './transcript.js';

export type Mode = { readonly kind: 'new' } | { readonly kind: 'reply' | 'edit'; readonly id: number };

export interface WritingParts {
  readonly say: (text: string) => void;
  readonly edit: (id: number, text: string) => void;
  readonly draft: { read(): string; keep(text: string): void };
  readonly transcript: ReadonlySignal<Transcript>;
}

const NEW: Mode = { kind: 'new' };

export class Writing {
  readonly #parts: WritingParts;
  readonly #mode = signal<Mode>(NEW);
  readonly #subject = signal<Subject | undefined>(undefined);
  /** The message that is answered or edited, as it is now. */
  readonly about: ReadonlySignal<ChatEvent | undefined> = computed(() => {
    const subject = this.#subject.value;
    return subject && nowOf(subject, this.#parts.transcript.value);
  });
  /** the text of the edit: as it was at first, and as it is now */
  #begun = '';
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
    this.#begun = this.#edited = of.data;
    this.#take('edit', of);
  }

  reply(to: ChatEvent): void {
    this.#take('reply', to);
  }

  /** Back to something new; an edit is given up, a draft stays. */
  leave(): void {
    batch(() => {
      this.#subject.value = undefined;
      this.#mode.value = NEW;
    });
  }

  /** What would be sent, or why it cannot be. */
  whole(text: string): Parsed<string> {
    const about = this.about.peek();
    const own = parseText(text);
    if (!own.ok || !about || this.#mode.peek().kind !== 'reply') return own;
    return parseText(replyTo(about, own.value));
  }

  /** Sends what `whole` has found good, and begins anew. */
  send(whole: string): void {
    const mode = this.#mode.peek();
    if (mode.kind !== 'edit') {
      this.#parts.say(whole);
      this.#parts.draft.keep('');
    } else if (whole !== this.#begun) this.#parts.edit(mode.id, whole);
    this.leave();
  }

  #take(kind: 'reply' | 'edit', event: ChatEvent): void {
    batch(() => {
      this.#subject.value = takenUp(event, this.#parts.transcript.peek());
      this.#mode.value = { kind, id: event.id };
    });
  }
}

type Parts = Omit<WritingParts, 'transcript'> & { readonly room: Pick<WritingParts, 'transcript'> };

const open = new WeakMap<Parts, Writing>();

/** Of one room there is one, which its messages and the field below them share. */
export function writingIn(place: Parts): Writing {
  const writing =
    open.get(place) ??
    new Writing({
      say: (text) => place.say(text),
      edit: (id, text) => place.edit(id, text),
      draft: place.draft,
      transcript: place.room.transcript,
    });
  open.set(place, writing);
  return writing;
}
