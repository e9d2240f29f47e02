/**
 * Parsers of client input: room names, texts, cids, emoji, commands. Pure. Other code trusts what they return. Shared by the
 * server and the page.
 */
import { type ClientCommand, type ErrorCode, LIMITS, type PostCommand, type Problem } from './protocol.js';
import { canonicalEmoji, drawsNothing } from './text.js';

/** A value, or why the input is refused. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | Rejected;

interface Rejected {
  readonly ok: false;
  readonly problem: Problem;
  /** a mistake that only a faulty program makes; some in a row close the socket */
  readonly isProtocolError?: true;
}

const roomPattern = /^[\p{L}\p{N}\p{M}_-]+$/u;
/** Not allowed in new rooms: invisible characters, a mark without a letter, five marks in a row. */
const unsuitableRoomPattern = /\p{Default_Ignorable_Code_Point}|\u{16fe4}|^\p{M}|[_-]\p{M}|\p{M}{5}/u;
/** Most names. The full check costs ten times as much. */
const asciiRoomPattern = /^[a-z0-9_-]{1,64}$/;
const cidPattern = /^[A-Za-z0-9_-]{1,64}$/;
// C0 without tab and newline, DEL and C1: they control terminals and show nothing.
// biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
const controlCharacterPattern = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
/** Without the indentation of the first line that has text. */
const leadingBlankLinesPattern = /^(?:[^\S\n]*\n)+/;

/**
 * Returns the name of a room as it is compared and stored, in NFKC and lower case; undefined when it is not allowed. Older
 * versions compared rooms in NFC and allowed more: such a name is returned when `exists` knows the room.
 */
export function parseRoom(raw: string, exists: (room: string) => boolean = () => false): string | undefined {
  if (asciiRoomPattern.test(raw)) return raw;
  if (!raw.isWellFormed() || raw.length > 16 * LIMITS.roomNameLength) return undefined;
  const older = raw.normalize('NFC').toLowerCase().normalize('NFC');
  const room = older.normalize('NFKC').toLowerCase().normalize('NFKC');
  if (room !== older && isRoomName(older) && exists(older)) return older;
  if (!isRoomName(room)) return undefined;
  return unsuitableRoomPattern.test(room) && !exists(room) ? undefined : room;
}

function isRoomName(room: string): boolean {
  return roomPattern.test(room) && codePoints(room) <= LIMITS.roomNameLength;
}

/** Parses a room's name in a percent-encoded path segment. */
export function parseRoomSegment(segment: string, exists?: (room: string) => boolean): string | undefined {
  try {
    return parseRoom(decodeURIComponent(segment), exists);
  } catch {
    return undefined; // a broken escape
  }
}

/**
 * Returns the text of a message as it is stored: line ends are \n; control characters, blank lines before the text and white
 * space after it are removed. 1 to 4,000 code points of well-formed Unicode remain, and some of it is visible.
 */
export function parseText(raw: unknown): Parsed<string> {
  if (typeof raw !== 'string') return protocolError('bad_text', '"data" must be a string.');
  if (!raw.isWellFormed())
    return reject('bad_text', 'The text contains a broken character (a lone surrogate).');
  const clean = raw.replace(/\r\n?/g, '\n').replace(controlCharacterPattern, '');
  const text = clean.replace(leadingBlankLinesPattern, '').trimEnd();
  if (drawsNothing(text)) return reject('empty_text', 'The message has no visible text.');
  if (codePoints(text) > LIMITS.textCodePoints) {
    return reject(
      'text_too_long',
      `Messages can have at most ${LIMITS.textCodePoints} characters. Send it in parts.`,
    );
  }
  return { ok: true, value: text };
}

/** Parses a client's own id for a command: 1 to 64 URL-safe characters. It may be absent. */
export function parseCid(raw: unknown): Parsed<string | undefined> {
  if (raw === undefined) return { ok: true, value: undefined };
  if (typeof raw === 'string' && cidPattern.test(raw)) return { ok: true, value: raw };
  return protocolError('bad_cid', '"cid" must be 1 to 64 of the characters A-Z a-z 0-9 _ -.');
}

/** Parses a `superchat` frame. Reads known fields only; never spreads the parsed object. */
export function parseCommand(frame: string): Parsed<ClientCommand> & { readonly cid?: string } {
  const fields = parseJsonObject(frame);
  if (!fields) return protocolError('bad_command', 'A command must be one JSON object.');
  const type = field(fields, 'type');
  if (type === 'ping' || type === 'typing') return { ok: true, value: { type } };
  return parsePost(fields, type);
}

/**
 * Parses the fields of a frame or a body. `type` is a parameter because a body may leave it out. A problem comes with the
 * cid of its command, if that is valid.
 */
export function parsePost(
  fields: Fields,
  type: unknown = field(fields, 'type'),
): Parsed<PostCommand> & { readonly cid?: string } {
  const cid = parseCid(field(fields, 'cid'));
  if (!cid.ok) return cid;
  const parsed = parsePostOfType(type, fields);
  if (cid.value === undefined) return parsed;
  return parsed.ok ? accept({ ...parsed.value, cid: cid.value }) : { ...parsed, cid: cid.value };
}

type Fields = Readonly<Record<string, unknown>>;

/** A new type needs its parser here. */
const postParsers: { readonly [T in PostCommand['type']]: (fields: Fields) => Parsed<PostCommand> } = {
  chat: parseMessage,
  edit: parseEdit,
  delete: parseDelete,
  react: (fields) => parseReaction('react', fields),
  unreact: (fields) => parseReaction('unreact', fields),
};

function parsePostOfType(type: unknown, fields: Fields): Parsed<PostCommand> {
  if (isPostType(type)) return postParsers[type](fields);
  const types = [...Object.keys(postParsers), 'typing or ping'].join(', ');
  return protocolError('unknown_type', `"type" must be ${types}.`);
}

function isPostType(type: unknown): type is PostCommand['type'] {
  return typeof type === 'string' && Object.hasOwn(postParsers, type);
}

function parseMessage(fields: Fields): Parsed<PostCommand> {
  const reply = field(fields, 'reply');
  const target = reply === undefined ? undefined : parseTarget(reply, 'reply');
  if (target && !target.ok) return target;
  const text = parseText(field(fields, 'data'));
  if (!text.ok) return text;
  return accept({ type: 'chat', data: text.value, ...(target && { reply: target.value }) });
}

function parseEdit(fields: Fields): Parsed<PostCommand> {
  const target = parseTarget(field(fields, 'target'));
  if (!target.ok) return target;
  const text = parseText(field(fields, 'data'));
  return text.ok ? accept({ type: 'edit', target: target.value, data: text.value }) : text;
}

function parseDelete(fields: Fields): Parsed<PostCommand> {
  const target = parseTarget(field(fields, 'target'));
  return target.ok ? accept({ type: 'delete', target: target.value }) : target;
}

function parseReaction(type: 'react' | 'unreact', fields: Fields): Parsed<PostCommand> {
  const target = parseTarget(field(fields, 'target'));
  if (!target.ok) return target;
  const emoji = parseEmoji(field(fields, 'data'));
  return emoji.ok ? accept({ type, target: target.value, data: emoji.value }) : emoji;
}

function accept(value: PostCommand): Parsed<PostCommand> {
  return { ok: true, value };
}

/** The number of a message. */
function parseTarget(raw: unknown, name: 'target' | 'reply' = 'target'): Parsed<number> {
  if (typeof raw === 'number' && Number.isSafeInteger(raw) && raw > 0) return { ok: true, value: raw };
  const reason = `"${name}" must be the number of a message.`;
  return typeof raw === 'number' ? reject('bad_target', reason) : protocolError('bad_target', reason);
}

/** One emoji in its canonical spelling; a text-style one (\u2764) becomes the emoji (\u2764\uFE0F). */
export function parseEmoji(raw: unknown): Parsed<string> {
  const reason = '"data" must be exactly one emoji.';
  if (typeof raw !== 'string') return protocolError('bad_emoji', reason);
  const emoji = canonicalEmoji(raw);
  return emoji === undefined ? reject('bad_emoji', reason) : { ok: true, value: emoji };
}

/** The value of an own property; what sits on a prototype is not there. */
export function field(fields: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

/** JSON text that holds an object (not null, not an array), or undefined. Never throws. */
export function parseJsonObject(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function parseJsonArray(json: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A whole number 0 … 2^53-1 in decimal digits, as in `after=17`; undefined when it is anything else. */
export function parseWholeNumber(raw: string): number | undefined {
  if (!/^\d{1,16}$/.test(raw)) return undefined;
  const count = Number(raw);
  return Number.isSafeInteger(count) ? count : undefined;
}

/** Where a client wants its events to begin. */
export interface ResumePosition {
  readonly after: number | undefined;
  readonly epoch: string | undefined;
  /** How many events to send when there is no `after`. */
  readonly history: number;
}

/**
 * Parses `after`, `epoch` and `history`. Returns undefined when a parameter has no value, comes twice, or is no number that it
 * may be. A client with a bug would lose its position without notice if such a parameter counted as absent.
 */
export function parseResumePosition(params: URLSearchParams): ResumePosition | undefined {
  for (const name of ['after', 'epoch', 'history'])
    if (params.getAll(name).length > 1 || params.get(name) === '') return undefined;
  const after = positionParam(params.get('after'));
  const history = positionParam(params.get('history') ?? String(LIMITS.defaultPageEvents));
  if (Number.isNaN(after) || !(Number(history) <= LIMITS.pageEvents)) return undefined;
  return { after, epoch: params.get('epoch') ?? undefined, history: Number(history) };
}

/** Parses the id of a message of an event stream, `EPOCH/N`. */
export function parseEventId(raw: string): Pick<ResumePosition, 'after' | 'epoch'> | undefined {
  const [, epoch, number = ''] = /^([\w-]{1,64})\/(\d+)$/.exec(raw) ?? [];
  return epoch === undefined ? undefined : { epoch, after: positionParam(number) };
}

/** Returns a whole number, at most 2^53 - 1; NaN for anything else; undefined when it is absent. */
function positionParam(raw: string | null): number | undefined {
  if (raw === null) return undefined;
  return /^\d+$/.test(raw) ? Math.min(Number(raw), Number.MAX_SAFE_INTEGER) : Number.NaN;
}

function reject(code: ErrorCode, message: string): Rejected {
  return { ok: false, problem: { code, message } };
}

function protocolError(code: ErrorCode, message: string): Rejected {
  return { ok: false, problem: { code, message }, isProtocolError: true };
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
