// @ts-check
/**
 * What the attacks are sent to as a control: takes every byte, and answers a request with the shortest answer. How slow the
 * server is for honest people meanwhile is what this machine adds.
 */
import { createServer } from 'node:net';
import { constants, setPriority } from 'node:os';

const UPGRADED = Buffer.from('HTTP/1.1 101 Switching Protocols\r\n\r\n');
const OK = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');

setPriority(constants.priority.PRIORITY_LOW); // as the attacker

const server = createServer((socket) => {
  let first = true;
  let upgraded = false;
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    if (first) upgraded = bytes.includes('Upgrade: websocket');
    if (first || !upgraded) socket.write(upgraded ? UPGRADED : OK);
    first = false;
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.(typeof address === 'object' ? address?.port : 0);
});
process.on('disconnect', () => process.exit());
