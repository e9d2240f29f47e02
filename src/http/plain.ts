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
  type ErrorCode,
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
import { behind, HttpError, toError, tooFast } from './errors.js';
import type { HealthDeps } from './health.js';
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
  readonly order: HealthDeps['order'];
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
  /** The form that failed, which is shown again. */
  readonly sent?: SentForm;
}

interface SentForm {
  readonly type: PostCommand['type'];
  readonly data: string;
  /** Undefined when it cannot be sent again: it is invalid, or belongs to another command. */
  readonly cid: string | undefined;
}

export function plainRoutes(deps: PlainDeps): Router {
  const router = new Router();
  router.get('/r/:room/plain', async (ctx) => {
    const visit = enter(ctx, deps);
    if (!visit) return;
    if (!(await deps.order.waitFor(textParam(ctx, 'position') ?? ''))) throw behind();
    await show(ctx, visit, deps);
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

/**
 * Carries out a form, and goes back to the room; after a mistake it shows the form again with what was typed. Where another
 * process may answer next, the address says what that process waits for, so that it shows the change.
 */
async function change(ctx: Koa.Context, view: View, deps: PlainDeps): Promise<void> {
  try {
    await carryOut(ctx, view, deps);
    ctx.status = 303;
    ctx.set('Cache-Control', 'no-store');
    const { role, position } = deps.order;
    const path = plainPath(deps.config.site, view.room);
    ctx.redirect(role === 'single' ? path : `${path}?position=${encodeURIComponent(position)}`);
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    await show(ctx, { ...view, problem: error, sent: sentForm(ctx, error) }, deps);
  }
}

/** It keeps its cid, because a command that was refused for now may be stored all the same. */
function sentForm(ctx: Koa.Context, { code }: HttpError): SentForm {
  const isUsable = code !== 'cid_conflict' && code !== 'bad_cid';
  const cid = (isUsable && bodyText(ctx, 'cid')) || undefined;
  return { type: commandType(ctx), data: bodyText(ctx, 'data'), cid };
}

async function carryOut(ctx: Koa.Context, { room, user }: View, deps: PlainDeps): Promise<void> {
  const read = bodyText(ctx, 'read');
  if (isOfOtherLog(ctx, deps)) throw toError({ code: 'no_message', message: 'The log was replaced.' });
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
  const fields = {
    data: bodyText(ctx, 'data'),
    ...(target === '' ? {} : { target: numberOf(target) }),
    ...(reply === '' ? {} : { reply: numberOf(reply) }),
    ...(cid === '' ? {} : { cid }),
  };
  const parsed = parsePost(fields, commandType(ctx));
  if (parsed.ok) return parsed.value;
  throw new HttpError(422, parsed.problem.code, parsed.problem.message);
}

/** Whether the numbers in a form are those of a log that was replaced, where another message has them now. */
function isOfOtherLog(ctx: Koa.Context, { epoch }: LogDeps): boolean {
  const sent = bodyText(ctx, 'epoch');
  return sent !== '' && sent !== epoch;
}

function commandType(ctx: Koa.Context): 'chat' | 'edit' | 'delete' {
  if (bodyText(ctx, 'target') === '') return 'chat';
  const body: unknown = ctx.request.body;
  return isObject(body) && Object.hasOwn(body, 'delete') ? 'delete' : 'edit'; // a button without a value sends ''
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
  const targets = { edit: targetOf(ctx, 'edit', view, deps), reply: targetOf(ctx, 'reply', view, deps) };
  const code = Object.values(targets).find((target) => typeof target === 'string');
  const problem =
    view.problem ??
    (wanted === undefined ? undefined : new HttpError(404, 'invalid_room', 'No room can have this name.')) ??
    (code && toError({ code, message: t.problems[code] }));
  const page = new PlainPage(t, { ...view, problem }, deps);
  const body = await bodyOf(ctx, page, targets, deps);
  ctx.status = problem?.status ?? 200;
  ctx.set({ ...problem?.headers, 'Cache-Control': 'no-store', 'Content-Language': t.language.tag });
  ctx.type = 'html';
  ctx.body = body;
}

/** A message that a form is about, or why there is no such form; undefined when no message is named. */
type Target = ChatEvent | ErrorCode | undefined;

/** The message that a link or a form names. It may have been deleted meanwhile, or be one of a log that was replaced. */
function targetOf(ctx: Koa.Context, name: 'edit' | 'reply', { room, user }: View, deps: PlainDeps): Target {
  const sent = parseWholeNumber(bodyText(ctx, name === 'edit' ? 'target' : 'reply'));
  const id = ctx.method === 'POST' ? (isOfOtherLog(ctx, deps) ? undefined : sent) : intParam(ctx, name);
  if (id === undefined) return undefined;
  const [event] = deps.log.before(room, id + 1, 1, LIMITS.pageBytes);
  if (event?.type !== 'chat' || event.id !== id) return 'no_message';
  if (event.deleted !== undefined || event.expired) return 'deleted';
  return name === 'edit' && event.user.id !== user.id ? 'not_yours' : event;
}

async function bodyOf(
  ctx: Koa.Context,
  page: PlainPage,
  { edit, reply }: { readonly edit: Target; readonly reply: Target },
  deps: PlainDeps,
): Promise<string> {
  const q = textParam(ctx, 'q')?.trim();
  if (q !== undefined && q !== '') {
    const before = intParam(ctx, 'before');
    const hits = await findMessages(page.user, { q, room: undefined, before, limit: hitsPerPage }, deps);
    return page.render(page.hits(q, hits));
  }
  if (typeof edit === 'object') return page.render(page.editForms(edit));
  const refresh = refreshOf(ctx);
  const replyTo = typeof reply === 'object' ? reply : undefined;
  return page.render(page.messages(pageOf(ctx, page.room, deps), { refresh, reply: replyTo }), refresh);
}

/** The messages that the query asks for. */
function pageOf(ctx: Koa.Context, room: string, deps: PlainDeps): MessagesPage {
  const [at, before, after] = [intParam(ctx, 'at'), intParam(ctx, 'before'), intParam(ctx, 'after')];
  const limit = LIMITS.defaultPageEvents;
  const around = at === undefined ? before : at + limit / 2 + 1;
  return messagesPage(room, { after, before: around, limit }, deps);
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
    { refresh, reply }: { refresh: number | undefined; reply: ChatEvent | undefined },
  ): Markup {
    const { message, plain } = this.#t;
    const chats = page.messages.filter((event) => event.type === 'chat').reverse();
    const isEmpty = chats.length === 0;
    return html`${refresh === undefined ? this.#writeForm(reply) : this.#refreshNote(refresh)}
<h2 id="messages">${message.log}</h2>
${refresh === undefined && html`<p><a href="?refresh=${refreshSeconds.offered}">${plain.refresh(refreshSeconds.offered)}</a></p>`}
${this.#markForm(page)}
${this.#pageLinks(page)}
${isEmpty && html`<p>${page.last === 0 ? message.start(this.room) : plain.none}</p>`}
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

  #writeForm(to: ChatEvent | undefined): Markup {
    const { composer, plain } = this.#t;
    return html`<h2>${plain.write}</h2>
<form method="post" action="?">
${
  to &&
  html`<p>${composer.replying(to.user.name, to.id)} <a href="?">${this.#t.message.cancel}</a></p>
<input type="hidden" name="reply" value="${to.id}">
${this.#epochField()}`
}
${this.#textField('chat', this.#view.sent?.data ?? '')}
<button>${composer.send}</button>
</form>`;
  }

  #textField(type: 'chat' | 'edit', text: string): Markup {
    const { composer } = this.#t;
    return html`${this.#cidField(type)}
<p><label for="text">${composer.label}</label><br>
<textarea id="text" name="data" rows="4" cols="60" maxlength="${2 * LIMITS.textCodePoints}" required dir="auto">
${text}</textarea></p>`;
  }

  #cidField(type: PostCommand['type']): Markup {
    const { sent } = this.#view;
    const cid = (sent?.type === type && sent.cid) || newCid(this.#deps.now());
    return html`<input type="hidden" name="cid" value="${cid}">`;
  }

  /** In forms with a number, which belongs to this log only. */
  #epochField(): Markup {
    return html`<input type="hidden" name="epoch" value="${this.#deps.epoch}">`;
  }

  /** The forms that change a message of the user. */
  editForms({ id, data }: ChatEvent): Markup {
    const { composer, message } = this.#t;
    return html`<h2>${composer.editing(id)}</h2>
<form method="post" action="?edit=${id}">
<input type="hidden" name="target" value="${id}">
${this.#epochField()}
${this.#textField('edit', this.#view.sent?.data || data)}
<button>${composer.save}</button>
</form>
<form method="post" action="?edit=${id}">
<input type="hidden" name="target" value="${id}">
${this.#epochField()}
${this.#cidField('delete')}
<p>${message.confirmDelete}</p>
<button name="delete" value="1">${message.remove}</button>
</form>
<p><a href="?">${message.cancel}</a></p>`;
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
    const isPastEnd = messages.length === 0 && last > 0; // as by a link of a log that was longer
    if (first <= 1 && newest >= last && !isPastEnd) return undefined;
    return html`<p>
${(newest < last || isPastEnd) && html`<a href="?">${plain.newest}</a>`}
${newest < last && html`<a href="?after=${newest}">${plain.newer(newest)}</a>`}
${first > 1 && html`<a href="?before=${first}">${plain.older(first)}</a>`}
</p>`;
  }

  /** Moves the read mark, because reading alone changes nothing. */
  #markForm({ last }: MessagesPage): Markup | undefined {
    const unread = this.#rooms.find(({ room }) => room === this.room)?.unread ?? 0;
    if (unread === 0) return undefined;
    return html`<form method="post" action="?"><p>${this.#t.rooms.unread(unread)}</p>
<input type="hidden" name="read" value="${last}">${this.#epochField()}<button>${this.#t.plain.markRead}</button></form>`;
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
