/**
 * Puts the parts of one room together: the connection feeds the room, the room tells the mail what has arrived, the
 * mail sends over the connection.
 */
import type { RoomFrame, User } from '../shared/protocol.js';
import * as api from './api.js';
import { Mail } from './mail.js';
import type { Clock } from './state/clock.js';
import { Connection } from './state/connection.js';
import type { LogEvent } from './state/events.js';
import type { OutboxStore } from './state/letter.js';
import { Room, type RoomParts } from './state/room.js';
import { openWebSocket, socketUrl } from './state/websocket.js';

export interface LineParts {
  readonly name: string;
  /** id of the person whose page this is */
  readonly user: string;
  readonly clock: Clock;
  readonly letters: OutboxStore;
  /** Calls back when the page is about to draw. */
  readonly soon: (show: () => void) => void;
  readonly hello: (user: User, epoch: string) => void;
  /** Another room moved, or I have read on elsewhere. */
  readonly moved: (frame: RoomFrame) => void;
  readonly news: (events: readonly LogEvent[]) => void;
  readonly closed: (code: number) => void;
}

const LOG_CHANGED = 4510;

export class Line {
  readonly connection: Connection;
  readonly room: Room;
  readonly mail: Mail;

  constructor(parts: LineParts, opening: Pick<RoomParts, 'start' | 'opened'>) {
    const { name, user, clock, letters } = parts;
    this.connection = this.#connectionOf(parts);
    this.room = this.#roomOf(parts, opening);
    this.mail = new Mail({ user, room: name, store: letters, connection: this.connection, clock });
  }

  open(): void {
    this.mail.start();
    this.connection.connect();
  }

  /** What was on its way is sent again, by whoever sends then. */
  rest(): void {
    this.mail.stop();
    this.connection.stop();
    this.mail.lineLost();
    this.room.rest();
  }

  #connectionOf({ name, clock, hello, moved, closed }: LineParts): Connection {
    return new Connection({
      open: (events) => openWebSocket(socketUrl(new URL(location.href), name, this.room.place), events),
      clock,
      random: Math.random,
      frame: (frame) => {
        if (frame.type === 'hello') hello(frame.user, frame.epoch);
        if (frame.type === 'room') moved(frame);
        else this.room.take(frame);
      },
      closed: (code) => {
        this.mail.lineLost();
        if (code === LOG_CHANGED) this.room.reset();
        closed(code);
      },
    });
  }

  #roomOf({ name, clock, soon, news }: LineParts, opening: Pick<RoomParts, 'start' | 'opened'>): Room {
    return new Room({
      load: (where) => api.messages(name, { ...where }),
      clock,
      random: Math.random,
      soon,
      news,
      ...opening,
      settled: (cid) => this.mail.settled(cid),
      refused: (cid, problem) => this.mail.refused(cid, problem),
      startOver: () => this.connection.connect(),
    });
  }
}
