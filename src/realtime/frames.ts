/**
 * Frames as bytes. A frame becomes JSON once, whoever reads it. A batch is encoded once for each format in which somebody
 * reads it, so all subscribers of a format share one Buffer.
 */
import type { ServerFrame } from '../shared/protocol.js';

interface EncodedFrame {
  readonly webSocket: Buffer;
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
    return new Frames([{ webSocket: textFrame(frame), id }]);
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
    this.#webSocket ??= concat(this.#frames.map(({ webSocket }) => webSocket));
    return this.#webSocket;
  }

  /**
   * Messages of `text/event-stream`. JSON escapes line ends, so a frame is always one `data:` line. The epoch is the same for
   * all readers.
   */
  eventStream(epoch: string): Buffer {
    this.#eventStream ??= Buffer.concat(
      this.#frames.flatMap((frame) => {
        const id = frame.id === undefined ? '' : `id: ${epoch}/${frame.id}\n`;
        return [Buffer.from(`${id}data: `), jsonOf(frame), messageEnd];
      }),
    );
    return this.#eventStream;
  }

  /** One JSON object a line. */
  get lines(): Buffer {
    this.#lines ??= Buffer.concat(this.#frames.flatMap((frame) => [jsonOf(frame), lineEnd]));
    return this.#lines;
  }
}

const messageEnd = Buffer.from('\n\n');
const lineEnd = Buffer.from('\n');

function concat(buffers: readonly Buffer[]): Buffer {
  const [only] = buffers;
  return buffers.length === 1 && only ? only : Buffer.concat(buffers);
}

/** Server frames of RFC 6455, 5.2: never masked, never fragmented. */

const textHeaderByte = 0x81;
const pongHeaderByte = 0x8a;

/** A ping without payload. */
export const pingFrame: Buffer = Buffer.from([0x89, 0x00]);

/** Returns the text frame, with its header. */
export function textFrame(frame: ServerFrame): Buffer {
  const json = JSON.stringify(frame);
  const size = Buffer.byteLength(json);
  const header = headerSize(size);
  const bytes = Buffer.allocUnsafe(header + size);
  bytes[0] = textHeaderByte;
  writeLength(bytes, size);
  bytes.write(json, header, 'utf8');
  return bytes;
}

/** Returns a pong. `payload` has at most 125 bytes; ws has checked it. */
export function pongFrame(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([pongHeaderByte, payload.length]), payload]);
}

/** Returns the JSON in a text frame. */
function jsonOf({ webSocket }: EncodedFrame): Buffer {
  const short = webSocket[1] ?? 0;
  return webSocket.subarray(short < 126 ? 2 : short === 126 ? 4 : 10);
}

function headerSize(size: number): number {
  if (size < 126) return 2;
  return size < 65_536 ? 4 : 10;
}

function writeLength(bytes: Buffer, size: number): void {
  if (size < 126) {
    bytes[1] = size;
  } else if (size < 65_536) {
    bytes[1] = 126;
    bytes.writeUInt16BE(size, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(size), 2);
  }
}
