// @ts-check
/** The tutorial's room: one `ws` server beside HTTP, and a loop that sends to every client. Numbers live in memory. */
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { personOf } from './person.js';

const http = createServer((_request, response) => response.end('ok'));
const wss = new WebSocketServer({ server: http, perMessageDeflate: false });
let number = 0;

/** @param {string} frame */
function broadcast(frame) {
  for (const client of wss.clients) if (client.readyState === WebSocket.OPEN) client.send(frame);
}

wss.on('connection', (ws, request) => {
  const user = personOf(request.headers.cookie);
  ws.on('error', () => ws.terminate());
  ws.on('message', (text) => {
    number++;
    broadcast(JSON.stringify({ id: number, type: 'chat', user, data: String(text) }));
  });
});

http.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address());
  process.stdout.write(`open: http://127.0.0.1:${port}\n`);
});
