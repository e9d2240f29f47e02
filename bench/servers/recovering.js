// @ts-check
/** Socket.IO with connection state recovery, as its documentation sets it up, on the port of the first argument. */
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer((_request, response) => response.end('ok'));
const io = new Server(http, {
  transports: ['websocket'],
  perMessageDeflate: false,
  serveClient: false,
  connectionStateRecovery: { maxDisconnectionDuration: 120_000 },
});

io.on('connection', (socket) => {
  socket.join('gap');
  socket.on('say', (text, acknowledge) => {
    io.to('gap').emit('m', text);
    acknowledge();
  });
});

http.listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write('open\n'));
