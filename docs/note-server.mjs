/**
 * EXHIBIT, NOT A SERVER TO RUN FOR PEOPLE. It is insecure and fragile on purpose.
 *
 * This is the server of the note that Oneport began with. docs/from-the-note.md runs each command against it and against
 * Oneport. Do not mend it: test/from-the-note.test.ts expects its faults. It listens on 127.0.0.1 only.
 *
 *   node docs/note-server.mjs 4000
 *
 * The bodies of the functions follow the note. The join, list and left frames follow the course that the note summarises.
 * The rest was adapted to today's packages: import for require, String(message) because ws 8 delivers Buffers, and
 * [...wss.clients] because the clients are a Set.
 */
import url from 'node:url';
import Cookies from 'cookies';
import Koa from 'koa';
import { WebSocketServer } from 'ws';

const app = new Koa();

app.use(async (ctx, next) => {
  ctx.state.user = parseUser(ctx.cookies.get('name') || '');
  await next();
});
app.use((ctx) => {
  ctx.body = `Hello, ${ctx.state.user ? ctx.state.user.name : 'nobody'}\n`;
});

const server = app.listen(Number(process.argv[2] ?? 4000), '127.0.0.1', () => {
  process.stdout.write(`The note's server is running at http://localhost:${server.address().port}\n`);
});
const wss = new WebSocketServer({ server });

function parseUser(obj) {
  if (!obj) return;
  let s = '';
  if (obj.headers) {
    const cookies = new Cookies(obj, null);
    s = cookies.get('name');
  }
  if (s) {
    try {
      return JSON.parse(Buffer.from(s, 'base64').toString());
    } catch {
      // ignore
    }
  }
}

wss.on('connection', (ws, upgradeReq) => {
  ws.upgradeReq = upgradeReq;
  url.parse(ws.upgradeReq.url, true);
  const user = parseUser(ws.upgradeReq);
  if (!user) {
    ws.close(4001, 'Invalid user');
  }
  ws.user = user;
  ws.wss = wss;
  ws.on('message', onMessage);
  ws.on('close', onClose);
  ws.on('error', () => {});
  onConnect(ws);
});

function onConnect(ws) {
  wss.broadcast(createMessage('join', ws.user, `${ws.user.name} joined.`));
  const users = [...wss.clients].map((client) => client.user);
  ws.send(createMessage('list', ws.user, users));
}

function onMessage(message) {
  const text = String(message);
  if (text.trim()) {
    this.wss.broadcast(createMessage('chat', this.user, text.trim()));
  }
}

function onClose() {
  this.wss.broadcast(createMessage('left', this.user, `${this.user.name} left.`));
}

wss.broadcast = (data) => {
  wss.clients.forEach((client) => {
    client.send(data);
  });
};

let messageIndex = 0;
function createMessage(type, user, data) {
  messageIndex++;
  return JSON.stringify({ id: messageIndex, type, user, data });
}
