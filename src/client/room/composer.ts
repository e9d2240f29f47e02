/**
 * State of a room's composer: a new message, a reply or an edit. Invariant: no text is lost. The draft is kept
 * during an edit, and an edit is kept while another room is shown.
 */

import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { ChatEvent } from '../../shared/protocol.js';
import { isGone } from '../../shared/reducer.js';
import { applyChanges, changesAfter, findMessage, type Timeline } from './timeline.js';

interface ComposerStateDeps {
  readonly post: (text: string, reply?: number) => void;
  readonly edit: (id: number, text: string) => void;
  readonly draft: { read(): string; keep(text: string): void };
  readonly timeline: ReadonlySignal<Timeline>;
}

/** A reply to, or an edit of, a message as it was when it began. */
interface Mode {
  readonly kind: 'reply' | 'edit';
  readonly target: CapturedMessage;
}

export class ComposerState {
  readonly #deps: ComposerStateDeps;
  readonly #mode = signal<Mode | undefined>(undefined);
  /** Changes with each new mode, also from one edit to another. */
  readonly mode: ReadonlySignal<unknown> = this.#mode;
  readonly kind: ReadonlySignal<'new' | Mode['kind']> = computed(() => this.#mode.value?.kind ?? 'new');
  /** The message that is replied to or edited, in its current state. */
  readonly target: ReadonlySignal<ChatEvent | undefined> = computed(
    () => this.#mode.value && currentMessage(this.#mode.value.target, this.#deps.timeline.value),
  );
  #editText = '';

  constructor(deps: ComposerStateDeps) {
    this.#deps = deps;
  }

  /** The text for the input field. */
  readText(): string {
    return this.kind.peek() === 'edit' ? this.#editText : this.#deps.draft.read();
  }

  setText(text: string): void {
    if (this.kind.peek() === 'edit') this.#editText = text;
    else this.#deps.draft.keep(text);
  }

  edit(message: ChatEvent): void {
    this.#editText = message.data;
    this.#begin('edit', message);
  }

  reply(message: ChatEvent): void {
    this.#begin('reply', message);
  }

  /** Back to a new message. Discards an edit, keeps the draft. */
  reset(): void {
    this.#mode.value = undefined;
  }

  /** Sends a valid text. An edit that changes nothing is not sent. A reply to a deleted message is a new one. */
  send(text: string): void {
    const mode = this.#mode.peek();
    if (mode?.kind !== 'edit') {
      const target = this.target.peek();
      this.#deps.post(text, target && !isGone(target) ? target.id : undefined);
      this.#deps.draft.keep('');
    } else if (text !== mode.target.original) this.#deps.edit(mode.target.event.id, text);
    this.reset();
  }

  #begin(kind: Mode['kind'], message: ChatEvent): void {
    this.#mode.value = { kind, target: captureMessage(message, this.#deps.timeline.peek()) };
  }
}

interface CapturedMessage {
  /** from the log, without pending changes */
  readonly event: ChatEvent;
  /** the text as shown, with pending changes */
  readonly original: string;
  readonly epoch: string | undefined;
  readonly seen: number;
}

function captureMessage(event: ChatEvent, t: Timeline): CapturedMessage {
  const stored = findMessage(t, event.id) ?? event;
  return { event: stored, original: event.data, epoch: t.epoch, seen: t.seen ?? 0 };
}

/** Drops the text when the message was deleted, or when this cannot be known. */
function currentMessage({ event, epoch, seen }: CapturedMessage, t: Timeline): ChatEvent {
  const isSameLog = t.epoch === epoch;
  const missedChanges = isSameLog ? changesAfter(seen, t.changes) : undefined;
  const loaded = isSameLog ? findMessage(t, event.id) : undefined;
  const [current] = loaded ? [loaded] : missedChanges ? applyChanges([event], missedChanges) : [];
  if (current?.type === 'chat') return current;
  const { id, type, user, at } = event;
  return { id, type, user, at, data: '' };
}
