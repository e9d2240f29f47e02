/** The browser's WebSocket as a `Wire`. */
import { JSON_SUBPROTOCOL } from '../../shared/protocol.js';
import type { Wire, WireEvents } from './connection.js';

export function openWebSocket(url: URL, events: WireEvents): Wire {
  const socket = new WebSocket(url, JSON_SUBPROTOCOL);
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') events.text(data);
  };
  socket.onclose = ({ code, reason }) => events.closed(code, reason);
  return {
    send: (text) => socket.send(text),
    close: () => socket.close(),
  };
}

/** Where to open: resumes at `after` when we know where we are, else asks for the latest. */
export function socketUrl(page: URL, room: string, place?: { after: number; epoch: string }): URL {
  const url = new URL(`/ws/${encodeURIComponent(room)}`, page);
  url.protocol = page.protocol === 'https:' ? 'wss:' : 'ws:';
  if (place) {
    url.searchParams.set('after', String(place.after));
    url.searchParams.set('epoch', place.epoch);
  }
  return url;
}
