// @ts-check
/**
 * Socket.IO as it is fastest without leaving its own package: WebSocket only, no compression, rooms, `io.to().emit`. With the
 * argument `polling`, by its polling transport only. With REDIS_URL, as one of several servers, by its Redis Streams adapter.
 */
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { personOf } from './person.js';

/** Loaded only when they are needed, as both are large. */
async function streams() {
  const url = process.env['REDIS_URL'];
  if (url === undefined) return {};
  const { createClient } = await import('redis');
  const { createAdapter } = await import('@socket.io/redis-streams-adapter');
  const client = createClient({ url });
  await client.connect();
  return { adapter: createAdapter(client) };
}

const http = createServer((_request, response) => response.end('ok'));
const transports = [
  process.argv[2] === 'polling' ? /** @type {const} */ ('polling') : /** @type {const} */ ('websocket'),
];
const io = new Server(http, {
  transports,
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
  ...(await streams()),
});
/** @type {Map<string, number>} */
const numbers = new Map();

io.on('connection', (socket) => {
  const user = personOf(socket.handshake.headers.cookie);
  const room = socket.handshake.query['room'] ?? '';
  socket.join(room);
  socket.on('m', (data, to = room) => {
    const id = (numbers.get(to) ?? 0) + 1;
    numbers.set(to, id);
    io.to(to).emit('m', { id, type: 'chat', user, data });
  });
});

http.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address());
  process.stdout.write(`open: http://127.0.0.1:${port}\n`);
});
