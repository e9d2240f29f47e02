/**
 * A reader's connection: one socket after the other, each from the number where the last one stopped. What it is told
 * goes to the witness at once; what is for the sender goes to `listener`.
 */
import WebSocket from 'ws';
import { JSON_SUBPROTOCOL, mayReconnect } from '../../shared/protocol.js';
import { type Heard, hear } from './frames.js';
import { between, type Random } from './random.js';
import { Story } from './story.js';
import { ROOM, type Visitor } from './visitor.js';
import type { Witness } from './witness.js';

/** Milliseconds until a lost connection is tried again. */
const AWAY = [5, 60] as const;

export interface Listener {
  /** The server said hello: what is not acknowledged yet can be sent again. */
  opened(): void;
  heard(frame: Heard): void;
}

export class Line {
  /** the newest number that this reader was told */
  last = 0;
  /** what it was told, over all its connections */
  readonly story: Story;
  readonly #name: string;
  readonly #visitor: Visitor;
  readonly #witness: Witness;
  readonly #random: Random;
  readonly #listener: Listener;
  #ws: WebSocket | undefined;
  #since = 0;
  #epoch: string | undefined;
  #open = false;
  #ended = false;
  #lostAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(name: string, visitor: Visitor, witness: Witness, random: Random, listener: Listener) {
    this.#name = name;
    this.#visitor = visitor;
    this.#witness = witness;
    this.#random = random;
    this.#listener = listener;
    this.story = new Story(witness.pool, visitor.id);
  }

  connect(): void {
    const epoch = this.#epoch === undefined ? '' : `&epoch=${this.#epoch}`;
    const url = `ws://127.0.0.1:${this.#visitor.port}/ws/${ROOM}?after=${this.last}${epoch}`;
    const ws = new WebSocket(url, JSON_SUBPROTOCOL, {
      headers: { cookie: this.#visitor.cookie },
      handshakeTimeout: 5000,
    });
    this.#ws = ws;
    this.#since = this.#witness.now();
    ws.on('error', () => {}); // 'close' follows
    ws.on('message', (data) => {
      if (ws === this.#ws) this.#hear(hear(data.toString()));
    });
    ws.on('close', (code) => {
      if (ws === this.#ws) this.#lost(code);
    });
  }

  /** False while there is no connection: it is sent when there is one again. */
  send(command: object): boolean {
    if (!this.#open) return false;
    this.#ws?.send(JSON.stringify(command));
    return true;
  }

  /** Cuts the cable, as far as a program can: no close frame, and what was on its way to us is not read. `away`: for how long. */
  cut(away: readonly [least: number, most: number] = AWAY): void {
    const ws = this.#ws;
    this.#ws = undefined;
    this.#open = false;
    if (!ws) return; // on its way back already
    this.#witness.cuts++;
    ws.terminate();
    this.#comeBack(away);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#ws?.terminate();
    this.#ws = undefined;
  }

  #lost(code: number): void {
    if (this.#open && code === 1006) this.#lostAt = performance.now();
    this.#ws = undefined;
    this.#open = false;
    if (mayReconnect(code)) this.#comeBack();
    else this.#witness.accuse('refused', `${this.#name} was closed with ${code}`);
  }

  #comeBack(away: readonly [least: number, most: number] = AWAY): void {
    clearTimeout(this.#timer);
    if (!this.#ended) this.#timer = setTimeout(() => this.connect(), between(this.#random, ...away));
  }

  #hear(frame: Heard): void {
    if (frame.kind === 'hello') this.#greeted(frame);
    else if (frame.kind === 'told') {
      this.#witness.show(this.#name, this.last, frame.event, this.#since);
      this.story.tell(frame.event);
      this.last = frame.event.id;
    }
    this.#listener.heard(frame);
  }

  #greeted({ epoch, last, complete }: Extract<Heard, { kind: 'hello' }>): void {
    if (this.#lostAt !== undefined) this.#witness.gaps.push(performance.now() - this.#lostAt);
    this.#lostAt = undefined;
    if (!complete || (this.#epoch ?? epoch) !== epoch)
      this.#witness.accuse('lost', `${this.#name} was told up to ${this.last}, the log now ends at ${last}`);
    this.#epoch = epoch;
    this.#open = true;
    this.#listener.opened();
  }
}
