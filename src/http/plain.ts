/**
 * A room as plain HTML, for browsers without JavaScript. Reading is links and forms with GET; whatever changes something is a
 * POST, which answers 303. Each form that writes has a cid of its own, so that sending it twice writes once.
 */
import { randomBytes } from 'node:crypto';
import type Koa from 'koa';
import Router from 'koa-router';
import { type Command, type Result, toCommand } from '../chat/types.js';
import type { Config } from '../config.js';
import { knownNetworkOf } from '../origin.js';
import { newSalt } from '../session.js';
import type { Translations } from '../shared/i18n/en.js';
import { field, isObject, parsePost, parseRoom, parseWholeNumber } from '../shared/parse.js';
import {
  type ChatEvent,
  LIMITS,
  type MessagesPage,
  type PostCommand,
  type RoomSummary,
  type SearchHit,
  type User,
} from '../shared/protocol.js';
import {
  findMessages,
  type LogDeps,
  listRooms,
  messagesPage,
  type RoomListDeps,
  type SearchDeps,
} from './api.js';
import { type SessionDeps, sessionOf } from './auth.js';
import { HttpError, toError, tooFast } from './errors.js';
import { chosenTranslations, html, languageLinks, type Markup, problemText } from './html.js';
import { plainPath, roomOf, signinUrl } from './page.js';
import { intParam, textParam } from './params.js';

interface PlainDeps extends SessionDeps, LogDeps, RoomListDeps, SearchDeps {
  readonly log: LogDeps['log'];
  readonly config: Config;
  readonly now: () => number;
  readonly submit: (command: Command) => Promise<Result>;
  readonly takeToken: (user: User, text?: string, address?: string) => boolean | Promise<boolean>;
  readonly store: RoomListDeps['store'] & SearchDeps['store'];
}

/** Seconds between two reloads. */
const refreshSeconds = { least: 5, most: 3600, offered: 30 } as const;
const hitsPerPage = 30;
const maxRooms = 100;

/** What the page shows. */
interface View {
  readonly room: string;
  readonly user: User;
  readonly problem?: HttpError | undefined;
  /** What the form holds, after an error. */
  readonly draft?: string;
}

export function plainRoutes(deps: PlainDeps): Router {
  const router = new Router();
  router.get('/r/:room/plain', async (ctx) => {
    const visit = enter(ctx, deps);
    if (visit) await show(ctx, visit, deps);
  });
  router.post('/r/:room/plain', async (ctx) => {
    const visit = enter(ctx, deps);
    if (visit) await change(ctx, visit, deps);
  });
  return router;
}

/** Returns the room and the user. Redirects to the room's own address, to another room, or to the sign-in form. */
function enter(ctx: Koa.Context, deps: PlainDeps): View | undefined {
  const { site } = deps.config;
  const room = roomOf(ctx.path.replace(/\/plain\/?$/, ''), deps);
  const session = sessionOf(ctx, deps);
  if (session && decodeURIComponent(ctx.path) === `/r/${room}/plain`) return { room, user: session.user };
  ctx.status = ctx.method === 'POST' ? 303 : 302;
  ctx.redirect(session ? plainPath(site, room) + ctx.search : signinUrl(site, plainPath(site, room)));
  return undefined;
}

/** Carries out a form, and goes back to the room; after a mistake it shows the form again with what was typed. */
async function change(ctx: Koa.Context, view: View, deps: PlainDeps): Promise<void> {
  try {
    await carryOut(ctx, view, deps);
    ctx.status = 303;
    ctx.set('Cache-Control', 'no-store');
    ctx.redirect(plainPath(deps.config.site, view.room));
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    await show(ctx, { ...view, problem: error, draft: bodyText(ctx, 'data') }, deps);
  }
}

async function carryOut(ctx: Koa.Context, { room, user }: View, deps: PlainDeps): Promise<void> {
  const read = bodyText(ctx, 'read');
  const result =
    read === ''
      ? await post(ctx, room, user, deps)
      : await deps.submit({ kind: 'read', room, user, id: numberOf(read), at: deps.now() });
  if (result.kind === 'rejected') throw toError(result.problem);
}

async function post(ctx: Koa.Context, room: string, user: User, deps: PlainDeps): Promise<Result> {
  const command = commandOf(ctx);
  const address = knownNetworkOf(ctx.req, deps.config.trustedProxies);
  if (!(await deps.takeToken(user, 'data' in command ? command.data : '', address))) throw tooFast();
  return deps.submit(toCommand(command, room, user, { at: deps.now(), salt: newSalt() }));
}

/** Returns the command of a form. @throws HttpError 422 */
function commandOf(ctx: Koa.Context): PostCommand {
  const [target, reply, cid] = [bodyText(ctx, 'target'), bodyText(ctx, 'reply'), bodyText(ctx, 'cid')];
  const type = target === '' ? 'chat' : bodyText(ctx, 'delete') === '' ? 'edit' : 'delete';
  const fields = {
    data: bodyText(ctx, 'data'),
    ...(target === '' ? {} : { target: numberOf(target) }),
    ...(reply === '' ? {} : { reply: numberOf(reply) }),
    ...(cid === '' ? {} : { cid }),
  };
  const parsed = parsePost(fields, type);
  if (parsed.ok) return parsed.value;
  throw new HttpError(422, parsed.problem.code, parsed.problem.message);
}

/** Returns 0, which is no number of a message, for a text that is no number. */
function numberOf(text: string): number {
  return parseWholeNumber(text) ?? 0;
}

function bodyText(ctx: Koa.Context, name: string): string {
  const body: unknown = ctx.request.body;
  const value = isObject(body) ? field(body, name) : undefined;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

async function show(ctx: Koa.Context, view: View, deps: PlainDeps): Promise<void> {
  const t = chosenTranslations(ctx, deps.config.site);
  const wanted = textParam(ctx, 'room');
  const other =
    wanted === undefined ? undefined : parseRoom(wanted.trim(), (name) => deps.log.last(name) > 0);
  if (other !== undefined) return ctx.redirect(plainPath(deps.config.site, other));
  await deps.hub.flushMemberships(view.user);
  const problem =
    view.problem ??
    (wanted === undefined ? undefined : new HttpError(404, 'invalid_room', 'No room can have this name.'));
  const page = new PlainPage(t, { ...view, problem }, deps);
  const body = await bodyOf(ctx, page, deps);
  ctx.status = problem?.status ?? 200;
  ctx.set({ ...problem?.headers, 'Cache-Control': 'no-store', 'Content-Language': t.language.tag });
  ctx.type = 'html';
  ctx.body = body;
}

async function bodyOf(ctx: Koa.Context, page: PlainPage, deps: PlainDeps): Promise<string> {
  const q = textParam(ctx, 'q')?.trim();
  if (q !== undefined && q !== '') {
    const before = intParam(ctx, 'before');
    const hits = await findMessages(page.user, { q, room: undefined, before, limit: hitsPerPage }, deps);
    return page.render(page.hits(q, hits));
  }
  const target = intParam(ctx, 'edit') ?? (Number(bodyText(ctx, 'target')) || undefined);
  if (target !== undefined) return page.render(page.editForms(target));
  const [at, refresh] = [intParam(ctx, 'at'), refreshOf(ctx)];
  const [after, before] = [intParam(ctx, 'after'), intParam(ctx, 'before')];
  const around = at === undefined ? before : at + LIMITS.defaultPageEvents / 2 + 1;
  const events = messagesPage(page.room, { after, before: around, limit: LIMITS.defaultPageEvents }, deps);
  const reply = intParam(ctx, 'reply') ?? (Number(bodyText(ctx, 'reply')) || undefined);
  return page.render(page.messages(events, { refresh, reply }), refresh);
}

function refreshOf(ctx: Koa.Context): number | undefined {
  const seconds = intParam(ctx, 'refresh');
  const { least, most } = refreshSeconds;
  return seconds && ctx.method === 'GET' ? Math.min(most, Math.max(least, seconds)) : undefined;
}

function newCid(now: number): string {
  return `${now.toString(36)}-${randomBytes(12).toString('base64url')}`;
}

/** The HTML of one answer. */
class PlainPage {
  readonly room: string;
  readonly user: User;
  readonly #t: Translations;
  readonly #view: View;
  readonly #deps: PlainDeps;
  readonly #rooms: readonly RoomSummary[];

  constructor(t: Translations, view: View, deps: PlainDeps) {
    this.room = view.room;
    this.user = view.user;
    this.#t = t;
    this.#view = view;
    this.#deps = deps;
    this.#rooms = listRooms(view.user, deps);
  }

  /** Returns the whole page around its main part. */
  render(main: Markup, refresh?: number): string {
    const { header, rooms, language, plain } = this.#t;
    const { site } = this.#deps.config;
    const { room, user } = this;
    return html`<!doctype html>
<html lang="${language.tag}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${refresh && html`<meta http-equiv="refresh" content="${refresh}">`}
<title>${room} · ${site.name}</title>
<link rel="icon" href="${site.basePath}icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${site.basePath}plain.css">
</head>
<body>
<header>
<h1><bdi>${room}</bdi></h1>
<p>${header.signedIn(user.name)}</p>
<nav aria-label="${plain.onThisPage}">
<a href="#messages">${header.skip}</a> ·
<a href="#rooms">${rooms.title}</a> ·
<a href="#search">${header.search}</a> ·
<a href="${site.basePath}r/${encodeURIComponent(room)}">${plain.fullPage}</a>
</nav>
</header>
<main>
${this.#problem()}
${main}
</main>
<footer>
${this.#roomList()}
${this.#searchForm('')}
<form method="post" action="${site.basePath}signout"><input type="hidden" name="return" value="1"><button>${header.signOut}</button></form>
<p>${languageLinks(language.tag)}</p>
</footer>
</body>
</html>
`.text;
  }

  #problem(): Markup | undefined {
    const { problem } = this.#view;
    if (!problem) return undefined;
    const text =
      problem.code === 'cid_conflict' ? this.#t.plain.sentBefore : problemText(this.#t, problem.code);
    return html`<p class="problem" role="alert">${text}</p>`;
  }

  messages(
    page: MessagesPage,
    { refresh, reply }: { refresh: number | undefined; reply: number | undefined },
  ): Markup {
    const { message } = this.#t;
    const chats = page.messages.filter((event) => event.type === 'chat').reverse();
    const isEmpty = chats.length === 0;
    return html`${refresh === undefined ? this.#writeForm(reply) : this.#refreshNote(refresh)}
<h2 id="messages">${message.log}</h2>
${refresh === undefined && html`<p><a href="?refresh=${refreshSeconds.offered}">${this.#t.plain.refresh(refreshSeconds.offered)}</a></p>`}
${this.#markForm(page)}
${this.#pageLinks(page)}
${isEmpty && html`<p>${message.start(this.room)}</p>`}
${
  !isEmpty &&
  html`<ul class="messages">
${chats.map((event) => this.#message(event))}
</ul>`
}
${this.#pageLinks(page)}`;
  }

  /** The page reloads, so it has no form that would be emptied. */
  #refreshNote(seconds: number): Markup {
    const { plain } = this.#t;
    return html`<p>${plain.refreshes(seconds)} <a href="?">${plain.write}</a></p>`;
  }

  #writeForm(reply: number | undefined): Markup {
    const { composer, plain } = this.#t;
    const to = reply === undefined ? undefined : this.#chat(reply);
    return html`<h2>${plain.write}</h2>
<form method="post" action="?">
${
  to &&
  html`<p>${composer.replying(to.user.name, to.id)} <a href="?">${this.#t.message.cancel}</a></p>
<input type="hidden" name="reply" value="${to.id}">`
}
${this.#textField(this.#view.draft ?? '')}
<button>${composer.send}</button>
</form>`;
  }

  #textField(text: string): Markup {
    const { composer } = this.#t;
    return html`<input type="hidden" name="cid" value="${newCid(this.#deps.now())}">
<p><label for="text">${composer.label}</label><br>
<textarea id="text" name="data" rows="4" cols="60" maxlength="${2 * LIMITS.textCodePoints}" required dir="auto">
${text}</textarea></p>`;
  }

  /** The forms that change a message of the user. */
  editForms(target: number): Markup {
    const { composer, message } = this.#t;
    const chat = this.#chat(target);
    if (!chat || chat.user.id !== this.user.id || chat.deleted !== undefined || chat.expired)
      return html`<p>${this.#t.problems[chat ? (chat.deleted === undefined ? 'not_yours' : 'deleted') : 'no_message']}</p>
<p><a href="?">${message.log}</a></p>`;
    return html`<h2>${composer.editing(target)}</h2>
<form method="post" action="?edit=${target}">
<input type="hidden" name="target" value="${target}">
${this.#textField(this.#view.draft || chat.data)}
<button>${composer.save}</button>
</form>
<form method="post" action="?edit=${target}">
<input type="hidden" name="target" value="${target}">
<input type="hidden" name="cid" value="${newCid(this.#deps.now())}">
<p>${message.confirmDelete}</p>
<button name="delete" value="1">${message.remove}</button>
</form>
<p><a href="?">${message.cancel}</a></p>`;
  }

  #chat(id: number): ChatEvent | undefined {
    const [event] = this.#deps.log.before(this.room, id + 1, 1, LIMITS.pageBytes);
    return event?.type === 'chat' && event.id === id ? event : undefined;
  }

  #message(event: ChatEvent): Markup {
    const { id, user, at, reply } = event;
    const { message } = this.#t;
    const isWhole = event.deleted === undefined && !event.expired;
    const isMine = isWhole && user.id === this.user.id;
    return html`<li id="m${id}">
<p><b><bdi>${user.name}</bdi></b> ${timeOf(at)} <a href="?at=${id}#m${id}">#${id}</a>${event.edited !== undefined && html` (${message.edited})`}</p>
${reply && html`<blockquote><p>${message.inReplyTo} <a href="?at=${reply.id}#m${reply.id}">#${reply.id}</a> <bdi>${reply.user.name}</bdi>: <bdi>${reply.data}</bdi></p></blockquote>`}
<div dir="auto">${this.#text(event)}</div>
${this.#reactions(event)}
${isWhole && html`<p class="actions"><a href="?reply=${id}">${message.reply} #${id}</a>${isMine && html` <a href="?edit=${id}">${message.edit} #${id}</a>`}</p>`}
</li>
`;
  }

  #text({ data, deleted, expired }: ChatEvent): Markup {
    const { message } = this.#t;
    if (deleted !== undefined) return html`<i>${message.deleted}</i>`;
    return expired ? html`<i>${message.expired}</i>` : textMarkup(data);
  }

  #reactions({ reactions = [] }: ChatEvent): Markup | undefined {
    if (reactions.length === 0) return undefined;
    const counts = new Map<string, number>();
    for (const { data } of reactions) counts.set(data, (counts.get(data) ?? 0) + 1);
    const shown = [...counts].map(([emoji, count]) => `${emoji} ${count}`).join(', ');
    return html`<p>${this.#t.message.reactions}: ${shown}</p>`;
  }

  #pageLinks({ messages, last }: MessagesPage): Markup | undefined {
    const [first, newest] = [messages[0]?.id ?? 1, messages.at(-1)?.id ?? last];
    const { plain } = this.#t;
    if (first <= 1 && newest >= last) return undefined;
    return html`<p>
${newest < last && html`<a href="?">${plain.newest}</a> <a href="?after=${newest}">${plain.newer(newest)}</a>`}
${first > 1 && html`<a href="?before=${first}">${plain.older(first)}</a>`}
</p>`;
  }

  /** Moves the read mark, because reading alone changes nothing. */
  #markForm({ last }: MessagesPage): Markup | undefined {
    const unread = this.#rooms.find(({ room }) => room === this.room)?.unread ?? 0;
    if (unread === 0) return undefined;
    return html`<form method="post" action="?"><p>${this.#t.rooms.unread(unread)}</p>
<input type="hidden" name="read" value="${last}"><button>${this.#t.plain.markRead}</button></form>`;
  }

  hits(q: string, { messages, next, complete }: Awaited<ReturnType<typeof findMessages>>): Markup {
    const { search, message } = this.#t;
    return html`<h2 id="messages">${search.title}</h2>
<p><bdi>${q}</bdi>: ${messages.length === 0 ? search.none : search.found(messages.length)}</p>
${!complete && html`<p>${search.indexing}</p>`}
${
  messages.length > 0 &&
  html`<ul class="messages">
${messages.map((hit) => this.#hit(hit))}
</ul>`
}
${next !== undefined && html`<p><a href="?q=${encodeURIComponent(q)}&before=${next}">${search.more}</a></p>`}
<p><a href="?">${message.log}</a></p>`;
  }

  #hit({ id, room, user, at, data }: SearchHit): Markup {
    const { site } = this.#deps.config;
    return html`<li>
<p><b><bdi>${user.name}</bdi></b> ${timeOf(at)} <a href="${plainPath(site, room)}?at=${id}#m${id}"><bdi>${room}</bdi> #${id}</a></p>
<div dir="auto">${textMarkup(data)}</div>
</li>
`;
  }

  #searchForm(q: string): Markup {
    const { search, header } = this.#t;
    return html`<form method="get" role="search" id="search">
<p><label for="q">${search.field}</label> <input id="q" type="search" name="q" value="${q}" maxlength="${LIMITS.queryCodePoints}" required>
<button>${header.search}</button></p>
</form>`;
  }

  #roomList(): Markup {
    const { rooms, create } = this.#t;
    const { site } = this.#deps.config;
    return html`<h2 id="rooms">${rooms.title}</h2>
<ul>
${this.#rooms.slice(0, maxRooms).map(
  ({
    room,
    unread,
  }) => html`<li><a href="${plainPath(site, room)}"${room === this.room && html` aria-current="page"`}><bdi>${room}</bdi></a>${unread > 0 && html` (${rooms.unread(unread)})`}</li>
`,
)}
</ul>
<form method="get">
<p><label for="room">${create.field}</label> <input id="room" name="room" maxlength="${LIMITS.roomNameLength}" required>
<button>${create.open}</button></p>
</form>`;
  }
}

/** In UTC, because the server does not know the time zone of the reader. */
function timeOf(at: number): Markup {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')} UTC</time>`;
}

const linkPattern = /(https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]}])/;

/** Returns a text with its line ends, and with its addresses as links. */
function textMarkup(text: string): Markup {
  return html`${text.split('\n').map((line, n) => html`${n > 0 && html`<br>`}${linked(line)}`)}`;
}

function linked(line: string): Markup {
  return html`${line
    .split(linkPattern)
    .map((part, n) =>
      n % 2 === 1 && URL.canParse(part)
        ? html`<a href="${part}" rel="nofollow noopener noreferrer">${part}</a>`
        : part,
    )}`;
}
