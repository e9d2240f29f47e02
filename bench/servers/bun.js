// @ts-check
/** Bun's own server: uWebSockets in C++ carries the frames, `publish` hands one text to a whole room. */
import { personOf } from './person.js';

/** @type {Map<string, number>} */
const numbers = new Map();

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, server) {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith('/ws/')) return new Response('ok');
    const data = { room: pathname.slice('/ws/'.length), user: personOf(request.headers.get('cookie')) };
    return server.upgrade(request, { data }) ? undefined : new Response('not an upgrade', { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    open(ws) {
      ws.subscribe(ws.data.room);
    },
    message(ws, text) {
      const { room, user } = ws.data;
      const id = (numbers.get(room) ?? 0) + 1;
      numbers.set(room, id);
      server.publish(room, JSON.stringify({ id, type: 'chat', user, data: text }));
    },
  },
});

process.stdout.write(`open: http://127.0.0.1:${server.port}\n`);
