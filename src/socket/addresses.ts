/** How many sockets each address has. A socket that is upgraded only to hear why it is closed counts while it is open. */
import type { WebSocket } from 'ws';

export class Addresses {
  readonly #counts = new Map<string, number>();
  readonly #of = new Map<WebSocket, string>();

  count(address: string): number {
    return this.#counts.get(address) ?? 0;
  }

  came(ws: WebSocket, address: string): void {
    this.#of.set(ws, address);
    this.#counts.set(address, this.count(address) + 1);
  }

  /** Does nothing for a socket that was not counted. */
  left(ws: WebSocket): void {
    const address = this.#of.get(ws);
    if (address === undefined) return;
    this.#of.delete(ws);
    const others = this.count(address) - 1;
    if (others > 0) this.#counts.set(address, others);
    else this.#counts.delete(address);
  }
}
