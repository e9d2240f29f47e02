/** Sockets of a hub without a network: they write down what is sent. */
import type { ConnectionOptions, WebSocketConnection } from '../../src/realtime/connection.js';
import type { Hub } from '../../src/realtime/hub.js';
import type { Frame } from '../harness.js';

export interface FakeSocket {
  readonly connection: WebSocketConnection;
  /** Closes it, as its client does. */
  leave(): void;
  /** Everything that was sent so far, once nothing is pending. */
  allSent(): Promise<readonly Frame[]>;
}

/** Opens a socket in the lobby. The name is the id of its user too. */
export function openSocket(hub: Hub, name: string): FakeSocket {
  const leave = (): void => hub.close(ws);
  const ws = {
    isPaused: false,
    pause() {
      this.isPaused = true;
    },
    resume() {
      this.isPaused = false;
    },
    terminate: leave,
    close: leave,
  };
  const sent: Buffer[] = [];
  const socket = { writableLength: 0, write: (bytes: Buffer) => sent.push(bytes) > 0 };
  const user = hub.user({ id: name, name });
  const options = { ws, socket, user, json: true, sessionExpiresAt: Number.POSITIVE_INFINITY };
  const resume = { after: undefined, epoch: undefined, history: 0 };
  const connection = hub.open(options as unknown as ConnectionOptions, 'lobby', resume);
  const allSent = async (): Promise<readonly Frame[]> => {
    await hub.broadcaster.whenIdle();
    return framesOf(Buffer.concat(sent));
  };
  return { connection, leave, allSent };
}

/** The text frames of a server (RFC 6455, 5.2). Pings are left out. */
function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const short = bytes[at + 1] ?? 0;
    const header = short < 126 ? 2 : 4;
    const size = short < 126 ? short : bytes.readUInt16BE(at + 2);
    const json = bytes.toString('utf8', at + header, at + header + size);
    if (json !== '') frames.push(JSON.parse(json) as Frame);
    at += header + size;
  }
  return frames;
}
