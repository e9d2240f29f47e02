/**
 * Frames as bytes. A frame becomes JSON once, whoever reads it. A batch is encoded once for each format in which somebody
 * reads it, so all subscribers of a format share one Buffer.
 */
import type { ServerFrame } from '../shared/protocol.js';

interface EncodedFrame {
  readonly webSocket: Buffer;
  /** The part of it behind the header. */
  readonly json: Buffer;
  /** The number that a reader has after this frame; undefined for a frame without a number. */
  readonly id: number | undefined;
}

/** One frame, or several that are written together. */
export class Frames {
  readonly #frames: readonly EncodedFrame[];
  #webSocket: Buffer | undefined;
  #eventStream: Buffer | undefined;
  #lines: Buffer | undefined;

  private constructor(frames: readonly EncodedFrame[]) {
    this.#frames = frames;
  }

  /** `id`: the number of the frame, to which a reader of an event stream returns. */
  static encode(frame: ServerFrame, id?: number): Frames {
    const text = JSON.stringify(frame);
    const size = Buffer.byteLength(text);
    const header = textHeader(size);
    const webSocket = Buffer.allocUnsafe(header.length + size);
    webSocket.set(header);
    webSocket.write(text, header.length);
    return new Frames([{ webSocket, json: webSocket.subarray(header.length), id }]);
  }

  static join(parts: readonly Frames[]): Frames {
    const [only] = parts;
    return parts.length === 1 && only ? only : new Frames(parts.flatMap((part) => part.#frames));
  }

  get byteLength(): number {
    return this.#frames.reduce((sum, { webSocket }) => sum + webSocket.length, 0);
  }

  /** WebSocket text frames. */
  get webSocket(): Buffer {
    const [only] = this.#frames;
    if (this.#frames.length === 1 && only) return only.webSocket;
    this.#webSocket ??= Buffer.concat(this.#frames.map(({ webSocket }) => webSocket));
    return this.#webSocket;
  }

  /**
   * Messages of `text/event-stream`. JSON escapes line ends, so a frame is always one `data:` line. The epoch is the same for
   * all readers.
   */
  eventStream(epoch: string): Buffer {
    this.#eventStream ??= Buffer.concat(
      this.#frames.flatMap(({ json, id }) => {
        const idLine = id === undefined ? '' : `id: ${epoch}/${id}\n`;
        return [Buffer.from(`${idLine}data: `), json, messageEnd];
      }),
    );
    return this.#eventStream;
  }

  /** One JSON object a line. */
  get lines(): Buffer {
    this.#lines ??= Buffer.concat(this.#frames.flatMap(({ json }) => [json, lineEnd]));
    return this.#lines;
  }
}

const messageEnd = Buffer.from('\n\n');
const lineEnd = Buffer.from('\n');

/** Server frames of RFC 6455, 5.2: never masked, never fragmented. */

/** Returns the header of a text frame whose payload has `size` bytes. */
function textHeader(size: number): Buffer {
  if (size < 126) return Buffer.from([textByte, size]);
  if (size < 65_536) return Buffer.from([textByte, 126, size >> 8, size & 0xff]);
  const header = Buffer.from([textByte, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(size, 6);
  return header;
}

const textByte = 0x81;
const pongByte = 0x8a;

/** A ping without payload. */
export const pingFrame: Buffer = Buffer.from([0x89, 0x00]);

/** Returns a pong. `payload` has at most 125 bytes; ws has checked it. */
export function pongFrame(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([pongByte, payload.length]), payload]);
}
