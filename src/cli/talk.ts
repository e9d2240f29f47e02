/**
 * `oneport talk URL [ROOM]`: a room in the terminal. With a terminal on both sides one chats there. Otherwise each line of
 * the input becomes a message, and each event a line of the output. Texts of others never reach the terminal as they are:
 * see `printable`.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import WebSocket from 'ws';
import { connect, OneportError, type RoomClient } from '../connect/client.js';
import { field, isObject, parseJsonObject } from '../shared/parse.js';
import { DEFAULT_ROOM, LIMITS, type RoomEvent, type ServerFrame } from '../shared/protocol.js';
import { type Command, CommandError, EXIT, type Terminal } from './command.js';

export const talk: Command = {
  name: 'talk',
  args: 'URL [ROOM]',
  does: 'chat in a room of a server from the terminal, or post the lines of a pipe',
  help: `URL is the address of the server, as http://localhost:3000. ROOM is "${DEFAULT_ROOM}" unless given.

  --name NAME    sign in as NAME. Without it, as the name used last, or one that it asks for
  --history N    begin with the last N events (0 to 500). Default: 20 on a terminal, else 0
  --json         write each frame as a line of JSON
  --read         do not read the input: only write what happens

On a terminal /help lists what one can do. In a pipe each line is posted, in parts when it is longer than a message, and
the command ends with 0 once the last line is stored. While the server is away it waits and goes on; no line is lost or
posted twice. "tail -f log | oneport talk URL ops" makes a room an alert channel. Ends with 1 when a line is refused.
The cookie is kept in ~/.config/oneport (XDG_CONFIG_HOME), readable by you alone. NO_COLOR turns colors off.`,
  async run(args, terminal) {
    const options = parseArguments(args);
    const isInteractive = terminal.screen() !== undefined && terminal.input.isTTY === true && !options.json;
    const session = new Session(options, terminal);
    await session.signIn(isInteractive);
    return isInteractive ? new Chat(session, terminal).run() : runPipe(session, terminal);
  },
};

interface Options {
  readonly url: string;
  readonly room: string;
  readonly name: string | undefined;
  readonly history: number | undefined;
  readonly json: boolean;
  readonly read: boolean;
}

/** @throws CommandError */
function parseArguments(args: readonly string[]): Options {
  const usage = new CommandError(EXIT.usage, `usage: oneport talk [--name NAME] [--json] ${talk.args}`);
  const values = new Map<string, string>();
  const rest: string[] = [];
  const words = args.values();
  for (const word of words) {
    if (word === '--json' || word === '--read') values.set(word, '');
    else if (word === '--name' || word === '--history') {
      const { value } = words.next();
      if (value === undefined) throw usage;
      values.set(word, value);
    } else if (word.startsWith('-')) throw usage;
    else rest.push(word);
  }
  const [url = '', room] = rest;
  if (rest.length < 1 || rest.length > 2 || !/^https?:\/\//.test(url) || !URL.canParse(url)) throw usage;
  const history = values.has('--history') ? Number(values.get('--history')) : undefined;
  if (history !== undefined && !(Number.isInteger(history) && history >= 0 && history <= LIMITS.pageEvents))
    throw usage;
  const named = /\/r\/([^/]+)\/?$/.exec(new URL(url).pathname)?.[1];
  return {
    url,
    room: room ?? (named === undefined ? DEFAULT_ROOM : decodeURIComponent(named)),
    name: values.get('--name'),
    history,
    json: values.has('--json'),
    read: values.has('--read'),
  };
}

/** The user, and the server of the conversation. */
class Session {
  readonly options: Options;
  readonly #terminal: Terminal;
  readonly #cookies: CookieFolder;
  #cookie = '';
  #name = '';

  constructor(options: Options, terminal: Terminal) {
    this.options = options;
    this.#terminal = terminal;
    this.#cookies = new CookieFolder(terminal.env, new URL(options.url).origin);
  }

  /** @throws CommandError when nobody can be asked, or the server refuses the name */
  async signIn(canAsk: boolean): Promise<void> {
    const { name } = this.options;
    this.#cookie = this.#cookies.read(name);
    const room = this.enter(this.options.room);
    try {
      const me = await untilReachable(() => room.fetch('api/me'), this.#terminal);
      if (me.ok) return this.#accept(room, field(parseJsonObject(await me.text()) ?? {}, 'name'));
      if (name !== undefined) return this.#accept(room, (await room.signIn(name)).name);
      if (!canAsk) throw new CommandError(EXIT.usage, 'nobody is signed in: give --name NAME.');
      await this.#ask(room);
    } catch (error) {
      if (error instanceof OneportError) throw new CommandError(EXIT.fault, printable(error.message));
      throw error;
    } finally {
      room.close();
    }
  }

  /** A room with this session's cookie. It does not connect before it is used. */
  enter(room: string, hooks: Partial<Parameters<typeof connect>[0] & object> = {}): RoomClient {
    return connect({
      ...hooks,
      url: this.options.url,
      room,
      cookie: this.#cookie,
      WebSocket,
      onCookie: (cookie) => {
        this.#cookie = cookie;
        if (this.#name !== '') this.#cookies.write(this.#name, cookie);
      },
    });
  }

  #accept(room: RoomClient, name: unknown): void {
    this.#name = String(name);
    this.#cookie = room.cookie;
    this.#cookies.write(this.#name, this.#cookie);
  }

  async #ask(room: RoomClient): Promise<void> {
    const { input, out } = this.#terminal;
    const lines = createInterface({ input, output: out });
    try {
      for (;;) {
        const name = await new Promise<string>((resolve, reject) => {
          lines.once('close', () => reject(new CommandError(EXIT.interrupted, 'no name')));
          lines.question('Your name: ', resolve);
        });
        const user = await room.signIn(name).catch((error: Error) => {
          out.write(`${printable(error.message)}\n`);
        });
        if (user) return this.#accept(room, user.name);
      }
    } finally {
      lines.close();
    }
  }
}

const retryMs = 1000;

/** Waits for a server that is not there yet, as a log that is followed may begin before it. */
async function untilReachable(request: () => Promise<Response>, { err }: Terminal): Promise<Response> {
  for (let isTold = false; ; isTold = true) {
    const answer = await request().catch(() => undefined);
    if (answer && answer.status < 500) return answer;
    if (!isTold) err.write('The server does not answer. Waiting for it …\n');
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

/** The cookies of a user of this machine: one file for each name at each server, readable by the user alone. */
class CookieFolder {
  readonly #folder: string | undefined;
  readonly #prefix: string;

  constructor(env: Terminal['env'], origin: string) {
    const home = env['XDG_CONFIG_HOME'] || (env['HOME'] && join(env['HOME'], '.config'));
    this.#folder = home ? join(home, 'oneport') : undefined;
    this.#prefix = `${encodeURIComponent(origin)} `;
  }

  /** The cookie of a name, or the one used last; empty when there is none. */
  read(name: string | undefined): string {
    try {
      const file = name === undefined ? this.#newest() : this.#fileOf(name);
      return file === undefined ? '' : readFileSync(file, 'utf8').trim();
    } catch {
      return ''; // the first time
    }
  }

  /** Without a home, the session ends with the command. */
  write(name: string, cookie: string): void {
    const file = this.#fileOf(name);
    if (this.#folder === undefined || file === undefined || cookie === '') return;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    writeFileSync(file, `${cookie}\n`, { mode: 0o600 });
    chmodSync(file, 0o600); // it may have existed
  }

  #fileOf(name: string): string | undefined {
    return this.#folder && join(this.#folder, this.#prefix + encodeURIComponent(name));
  }

  #newest(): string | undefined {
    const folder = this.#folder ?? '';
    const files = readdirSync(folder).filter((name) => name.startsWith(this.#prefix));
    const paths = files.map((name) => join(folder, name));
    return paths.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
  }
}

/** Posts lines and writes events. Ends at the end of the input, or with the connection. */
async function runPipe(session: Session, terminal: Terminal): Promise<number> {
  const { options } = session;
  const { out, input, onStop } = terminal;
  const { json, history = 0, read } = options;
  const style = new Style(terminal);
  const room = session.enter(options.room, {
    history,
    onFrame: (frame) => {
      if (json && !('id' in frame && frame.type !== 'ack')) out.write(`${JSON.stringify(frame)}\n`);
    },
  });
  onStop(() => room.close());
  out.on('error', () => room.close()); // the reader of the pipe has gone
  const write = async () => {
    for await (const event of room) {
      out.write(`${json ? JSON.stringify(event) : style.line(event).replaceAll('\n', '\n    ')}\n`);
      onWritten(event.id);
    }
  };
  let onWritten: (id: number) => void = () => {};
  const written = write();
  if (read) return ended(written, terminal);
  const posted = postLines(room, terminal).then(async (code) => {
    const { last = 0 } = (await room.ready().catch(() => undefined)) ?? {};
    // What the history was asked for is still written.
    if ((room.position?.after ?? last) < last)
      await new Promise<void>((resolve) => {
        onWritten = (id) => id < last || resolve();
      });
    room.close();
    return code;
  });
  const code = await Promise.race([posted, ended(written, terminal).then(() => posted)]);
  await written.catch(() => {});
  input.destroy();
  return code;
}

/** The connection is over for good. */
async function ended(written: Promise<void>, { err }: Terminal): Promise<number> {
  try {
    await written;
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof OneportError)) throw error;
    err.write(`oneport: ${printable(error.message)}\n`);
    return EXIT.fault;
  }
}

/** One after the other: the next line is read once the server has stored the one before. */
async function postLines(room: RoomClient, { input, err }: Terminal): Promise<number> {
  let code: number = EXIT.ok;
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    for (const part of partsOf(line)) {
      try {
        await room.say(part);
      } catch (error) {
        if (!(error instanceof OneportError)) throw error;
        if (error.code === 'empty_text') continue; // only invisible characters
        if (room.state.state === 'ended') return EXIT.fault;
        err.write(`oneport: not posted: ${printable(error.message)}\n`);
        code = EXIT.fault;
      }
    }
  }
  return code;
}

/** A line in parts that fit into messages. */
function partsOf(line: string): string[] {
  if (line.trim() === '') return [];
  const characters = [...line];
  const parts: string[] = [];
  for (let at = 0; at < characters.length; at += LIMITS.textCodePoints)
    parts.push(characters.slice(at, at + LIMITS.textCodePoints).join(''));
  return parts;
}

const joiners = /[\u200c\u200d]/;

/**
 * Removes what controls a terminal or turns the text around: control and format characters, except line breaks and the
 * joiners of emoji and scripts.
 */
export function printable(text: string): string {
  return text
    .replace(/\t/g, '  ')
    .replace(/[\u2028\u2029]/g, '\n')
    .replace(/[\p{Cc}\p{Cf}]/gu, (character) =>
      character === '\n' || joiners.test(character) ? character : '',
    );
}

const dim = '\x1b[2m';
const reset = '\x1b[0m';
const nameColors = [31, 32, 33, 34, 35, 36];

/** Events as lines, in color where the terminal shows it. */
class Style {
  readonly #hasColor: boolean;

  constructor({ screen, env }: Terminal) {
    this.#hasColor = screen() !== undefined && !env['NO_COLOR'];
  }

  dim(text: string): string {
    return this.#hasColor ? dim + text + reset : text;
  }

  name({ id, name }: RoomEvent['user']): string {
    const shown = printable(name);
    const sum = [...id].reduce((total, character) => total + (character.codePointAt(0) ?? 0), 0);
    return this.#hasColor ? `\x1b[${nameColors[sum % nameColors.length]}m${shown}${reset}` : shown;
  }

  line(event: RoomEvent): string {
    const time = new Date(event.at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
    return `${this.dim(`${time} ${event.id}`)} ${this.name(event.user)}${this.#textOf(event)}`;
  }

  #textOf(event: RoomEvent): string {
    switch (event.type) {
      case 'chat':
        return this.#messageOf(event);
      case 'edit':
        return ` ${this.dim(`changed ${event.target}:`)} ${printable(event.data)}`;
      case 'delete':
        return ` ${this.dim(`deleted ${event.target}`)}`;
      case 'react':
        return ` ${this.dim(`reacted to ${event.target} with`)} ${printable(event.data)}`;
      case 'unreact':
        return ` ${this.dim(`took back from ${event.target}:`)} ${printable(event.data)}`;
      default:
        return ` ${this.dim('(unknown event)')}`; // of a newer server
    }
  }

  #messageOf({
    data,
    reply,
    edited,
    deleted,
    expired,
    reactions = [],
  }: Extract<RoomEvent, { type: 'chat' }>) {
    if (deleted !== undefined) return ` ${this.dim('(deleted)')}`;
    if (expired) return ` ${this.dim('(expired)')}`;
    const [excerpt = ''] = printable(reply?.data ?? '').split('\n');
    const answers = reply
      ? ` ${this.dim(`to ${reply.id} ${printable(reply.user.name)} "${excerpt.slice(0, 40)}"`)}`
      : '';
    const emoji = reactions.map((reaction) => printable(reaction.data)).join(' ');
    const notes = [edited === undefined ? '' : '(edited)', emoji].filter(Boolean).join(' ');
    return `:${answers} ${printable(data)}${notes && ` ${this.dim(notes)}`}`;
  }
}

/** A list of people has at least the user, except while the client polls. */
const unknownPeople =
  'Only long polling works from here, and it has no list of people. /rooms shows the number of people.';

const chatHelp = `  TEXT               says it
  /reply N TEXT      replies to message N
  /edit N TEXT       changes message N
  /delete N          deletes message N
  /react N EMOJI     adds a reaction; /unreact N EMOJI takes it back
  /rooms             lists the rooms; /unread only those with something new
  /join ROOM         goes to another room
  /search WORDS      finds messages; as on the page, with from: and in:
  /people            the people in the room
  /name NAME         takes another name
  /quit              leaves, as Ctrl+D
  //TEXT             says a text that begins with a slash`;

const defaultHistory = 20;

/** A person at the terminal. What arrives is written above the line that they type. */
class Chat {
  readonly #session: Session;
  readonly #terminal: Terminal;
  readonly #style: Style;
  readonly #lines: Interface;
  #room: RoomClient;
  #roomName: string;
  #people: readonly string[] = [];
  #wasLive = false;
  #last = 0;

  constructor(session: Session, terminal: Terminal) {
    this.#session = session;
    this.#terminal = terminal;
    this.#style = new Style(terminal);
    this.#lines = createInterface({ input: terminal.input, output: terminal.out, terminal: true });
    this.#roomName = session.options.room;
    this.#room = this.#enter(this.#roomName);
  }

  /** Resolves with the exit code when the person leaves or the connection is over. */
  async run(): Promise<number> {
    const over = new Promise<number>((resolve) => {
      this.#lines.once('close', () => resolve(EXIT.ok));
      this.#lines.on('SIGINT', () => resolve(EXIT.ok));
      this.#lines.on('line', (line) => void this.#onLine(line).then((goes) => goes || resolve(EXIT.ok)));
      this.#onOver = () => resolve(EXIT.fault);
    });
    this.#print(this.#style.dim('/help lists what you can do.'));
    const code = await over;
    await this.#markRead();
    this.#room.close();
    this.#lines.close();
    this.#terminal.input.destroy();
    return code;
  }
  #onOver = () => {};

  #enter(name: string): RoomClient {
    this.#roomName = name;
    this.#last = 0;
    this.#lines.setPrompt(`${printable(name)}> `);
    const { history = defaultHistory } = this.#session.options;
    const room = this.#session.enter(name, {
      history,
      onFrame: (frame) => room === this.#room && this.#onFrame(frame),
      onState: ({ state }) => this.#onState(state),
    });
    void this.#follow(room);
    return room;
  }

  async #follow(room: RoomClient): Promise<void> {
    try {
      for await (const event of room) {
        if (room !== this.#room) return;
        this.#last = event.id;
        this.#print(this.#style.line(event));
      }
    } catch (error) {
      this.#print(this.#style.dim(printable(error instanceof Error ? error.message : String(error))));
      if (room === this.#room) this.#onOver();
    }
  }

  #onFrame(frame: ServerFrame): void {
    const faint = (text: string): string => this.#style.dim(text);
    if (frame.type === 'hello') this.#people = [];
    if (frame.type === 'list') this.#people = frame.data.map(({ name }) => printable(name));
    if (frame.type === 'join' || frame.type === 'left') {
      const name = printable(frame.user.name);
      this.#people = this.#people.filter((other) => other !== name);
      if (frame.type === 'join') this.#people = [...this.#people, name];
      this.#print(faint(`${name} ${frame.type === 'join' ? 'is here' : 'has left'}`));
    }
    if (frame.type === 'room' && frame.mentions > 0 && frame.room !== this.#roomName)
      this.#print(faint(`${printable(frame.room)}: ${frame.mentions} for you`));
  }

  #onState(state: string): void {
    if (state === 'waiting' && this.#wasLive)
      this.#print(this.#style.dim('Connection lost. What you write is sent later.'));
    if (state === 'live' && !this.#wasLive) this.#lines.prompt(true);
    if (state === 'live' || state === 'waiting') this.#wasLive = state === 'live';
  }

  /** Resolves with false when the person leaves. Errors are shown, and the line can be repeated. */
  async #onLine(line: string): Promise<boolean> {
    void this.#markRead();
    const [, command = '', rest = ''] = /^\/(\w+)\s*([\s\S]*)$/.exec(line) ?? [];
    if (command === 'quit') return false;
    try {
      if (command === '') await this.#say(line.replace(/^\/\//, '/'));
      else await this.#do(command, rest.trim());
    } catch (error) {
      this.#print(this.#style.dim(printable(error instanceof Error ? error.message : String(error))));
    }
    this.#lines.prompt(true);
    return true;
  }

  /** The event that comes back takes the place of the line, unless it comes later or the line may have wrapped. */
  async #say(text: string): Promise<void> {
    const { out, screen } = this.#terminal;
    const isShort = 2 * (this.#roomName.length + text.length) < (screen()?.columns ?? 0);
    if (isShort && this.#wasLive) out.write('\x1b[1A\x1b[J');
    this.#lines.prompt(true);
    if (text.trim() !== '') await this.#room.say(text);
  }

  async #do(command: string, rest: string): Promise<void> {
    const [, number = '', text = ''] = /^(\d+)\s*([\s\S]*)$/.exec(rest) ?? [];
    const id = Number(number);
    const commands: Readonly<Record<string, () => unknown>> = {
      reply: () => this.#room.say(text, { reply: id }),
      edit: () => this.#room.edit(id, text),
      delete: () => this.#room.delete(id),
      react: () => this.#room.react(id, text),
      unreact: () => this.#room.unreact(id, text),
      rooms: () => this.#listRooms(() => true),
      unread: () => this.#listRooms((unread) => unread > 0),
      join: () => this.#join(rest),
      search: () => this.#search(rest),
      people: () => this.#print(this.#people.join(', ') || unknownPeople),
      name: () => this.#room.signIn(rest),
      help: () => this.#print(chatHelp),
    };
    const run = Object.hasOwn(commands, command) ? commands[command] : undefined;
    if (!run) throw new Error(`There is no /${command}. /help lists what there is.`);
    await run();
  }

  async #join(name: string): Promise<void> {
    if (name === '') throw new Error('/join ROOM');
    const before = this.#room;
    await this.#markRead();
    this.#wasLive = false;
    this.#room = this.#enter(name.replace(/^#/, ''));
    before.close();
  }

  async #listRooms(isShown: (unread: number) => boolean): Promise<void> {
    const rooms = listOf(await this.#get('api/rooms'));
    for (const entry of rooms) {
      const [room, unread, people] = [field(entry, 'room'), field(entry, 'unread'), field(entry, 'people')];
      if (!isShown(Number(unread))) continue;
      const news = Number(unread) > 0 ? ` ${String(unread)} unread` : '';
      this.#print(`  ${printable(String(room))}${this.#style.dim(`${news} ${String(people)} here`)}`);
    }
  }

  async #search(q: string): Promise<void> {
    const found = await this.#get(`api/search?${new URLSearchParams({ q, limit: '20' })}`);
    const hits = listOf(isObject(found) ? field(found, 'messages') : undefined);
    if (hits.length === 0) this.#print(this.#style.dim('Nothing found.'));
    for (const hit of hits.reverse()) {
      // The server's hits have the shape of SearchHit.
      const event = hit as unknown as RoomEvent;
      this.#print(`${this.#style.dim(printable(String(field(hit, 'room'))))} ${this.#style.line(event)}`);
    }
  }

  async #get(path: string): Promise<unknown> {
    const answer = await this.#room.fetch(path, { headers: { accept: 'application/json' } });
    if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
    return answer.json();
  }

  async #markRead(): Promise<void> {
    if (this.#last === 0) return;
    const path = `api/rooms/${encodeURIComponent(this.#roomName)}/read`;
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ id: this.#last });
    await this.#room.fetch(path, { method: 'PUT', headers, body }).catch(() => {});
  }

  /** Above the line that is being typed, which is drawn again below. */
  #print(text: string): void {
    const { out } = this.#terminal;
    const { rows } = this.#lines.getCursorPos();
    const up = rows > 0 ? `\x1b[${rows}A` : '';
    // readline will go up as many rows as it believes to be above the cursor
    out.write(`\r${up}\x1b[J${text.replaceAll('\n', '\n    ')}\n${'\n'.repeat(rows)}`);
    this.#lines.prompt(true);
  }
}

function listOf(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
