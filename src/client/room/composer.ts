/**
 * What is being written in one room: something new, an answer, or another text for a message of mine. What must stay
 * true: what was written is never lost; the draft waits while a message is edited, and an edit while another room is
 * in view.
 */
import { batch, computed, type ReadonlySignal, signal } from '@preact/signals';
import { type Parsed, parseText } from '../../shared/parse.js';
import type { ChatEvent } from '../../shared/protocol.js';
import { applyChanges, changesAfter, findMessage, type Timeline } from './timeline.js';

export type ComposerMode =
  | { readonly kind: 'new' }
  | { readonly kind: 'reply' | 'edit'; readonly id: number };

export interface ComposerStateDeps {
  readonly post: (text: string) => void;
  readonly edit: (id: number, text: string) => void;
  readonly draft: { read(): string; keep(text: string): void };
  readonly transcript: ReadonlySignal<Timeline>;
}

const newMessageMode: ComposerMode = { kind: 'new' };

export class ComposerState {
  readonly #deps: ComposerStateDeps;
  readonly #mode = signal<ComposerMode>(newMessageMode);
  readonly #subject = signal<CapturedMessage | undefined>(undefined);
  /** The message that is answered or edited, as it is now. */
  readonly subject: ReadonlySignal<ChatEvent | undefined> = computed(() => {
    const subject = this.#subject.value;
    return subject && currentMessage(subject, this.#deps.transcript.value);
  });
  /** the text of the edit: as it was at first, and as it is now */
  #originalText = '';
  #editText = '';

  constructor(parts: ComposerStateDeps) {
    this.#deps = parts;
  }

  get mode(): ReadonlySignal<ComposerMode> {
    return this.#mode;
  }

  /** What the field holds. */
  readText(): string {
    return this.#mode.peek().kind === 'edit' ? this.#editText : this.#deps.draft.read();
  }

  setText(text: string): void {
    if (this.#mode.peek().kind === 'edit') this.#editText = text;
    else this.#deps.draft.keep(text);
  }

  edit(of: ChatEvent): void {
    this.#originalText = this.#editText = of.data;
    this.#setSubject('edit', of);
  }

  reply(to: ChatEvent): void {
    this.#setSubject('reply', to);
  }

  /** Back to something new; an edit is given up, a draft stays. */
  reset(): void {
    batch(() => {
      this.#subject.value = undefined;
      this.#mode.value = newMessageMode;
    });
  }

  /** What would be sent, or why it cannot be. */
  prepare(text: string): Parsed<string> {
    const about = this.subject.peek();
    const own = parseText(text);
    if (!own.ok || !about || this.#mode.peek().kind !== 'reply') return own;
    return parseText(formatReply(about, own.value));
  }

  /** Sends what `whole` has found good, and begins anew. */
  send(whole: string): void {
    const mode = this.#mode.peek();
    if (mode.kind !== 'edit') {
      this.#deps.post(whole);
      this.#deps.draft.keep('');
    } else if (whole !== this.#originalText) this.#deps.edit(mode.id, whole);
    this.reset();
  }

  #setSubject(kind: 'reply' | 'edit', event: ChatEvent): void {
    batch(() => {
      this.#subject.value = captureMessage(event, this.#deps.transcript.peek());
      this.#mode.value = { kind, id: event.id };
    });
  }
}

type ComposerSource = Omit<ComposerStateDeps, 'transcript'> & {
  readonly room: Pick<ComposerStateDeps, 'transcript'>;
};

const composerStates = new WeakMap<ComposerSource, ComposerState>();

/** Of one room there is one, which its messages and the field below them share. */
export function composerStateOf(place: ComposerSource): ComposerState {
  const writing =
    composerStates.get(place) ??
    new ComposerState({
      post: (text) => place.post(text),
      edit: (id, text) => place.edit(id, text),
      draft: place.draft,
      transcript: place.room.transcript,
    });
  composerStates.set(place, writing);
  return writing;
}

/**
 * The message that is answered or edited, as it is now: it may be changed meanwhile. What must stay true: what was deleted
 * is not said again, wherever the window stands. Pure.
 */

/** As it was when it was taken up. */
export interface CapturedMessage {
  readonly event: ChatEvent;
  readonly epoch: string | undefined;
  readonly seen: number;
}

/** From the log: on the screen lies over it what I have asked for and nobody has yet. */
export function captureMessage(event: ChatEvent, t: Timeline): CapturedMessage {
  return { event: findMessage(t, event.id) ?? event, epoch: t.epoch, seen: t.seen ?? 0 };
}

/** Without its words when they were deleted, or when nobody can say here whether they were. */
export function currentMessage({ event, epoch, seen }: CapturedMessage, t: Timeline): ChatEvent {
  const missed = t.epoch === epoch ? changesAfter(seen, t.changes) : undefined;
  const here = t.epoch === epoch ? findMessage(t, event.id) : undefined;
  const [now] = here ? [here] : missed ? applyChanges([event], missed) : [];
  return now?.type === 'chat' ? now : withoutText(event);
}

function withoutText({ id, type, user, at }: ChatEvent): ChatEvent {
  return { id, type, user, at, data: '' };
}

/**
 * A reply is plain text that any client can read: the first words of what is answered as a quote, with who said it and
 * its number, then the answer. marks.ts finds it again by its head. Pure.
 */

const maxQuoteLines = 3;
const maxQuoteChars = 200;

/** `> Ann, #12: what she said …`, an empty line, the answer. Of a message without words name and number are left. */
export function formatReply({ id, user, data }: ChatEvent, answer: string): string {
  const [first = '', ...rest] = quoteExcerpt(data).split('\n');
  return [`> ${user.name}, #${id}: ${first}`, ...rest.map((line) => `> ${line}`), '', answer].join('\n');
}

/** What was quoted in it is not quoted again, nor is a code block's fence, which would swallow the answer. */
function quoteExcerpt(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^\s*(?:>|```|~~~)/.test(line));
  const short = lines.slice(0, maxQuoteLines).join('\n');
  const whole = short.length <= maxQuoteChars && lines.length <= maxQuoteLines;
  return whole ? short : `${short.slice(0, maxQuoteChars).trimEnd().toWellFormed()}…`;
}
