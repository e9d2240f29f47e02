/** Exports the events of a room as they were sent, with the fields that the hash chain needs; and checks such a file. */
import { field, isObject, parseJsonObject } from '../shared/parse.js';
import type { User } from '../shared/protocol.js';
import { contentHash, eventHash, type NamedHead, zeroHash } from './chain.js';
import { limitClause, openReadOnly } from './database.js';
import { parseMentions } from './rows.js';

/** One line of an export. */
export interface ExportedEvent {
  readonly room: string;
  readonly id: number;
  readonly type: string;
  readonly user: User;
  readonly target?: number;
  readonly reply?: number;
  /** absent in a deletion, and once the message is deleted */
  readonly data?: string;
  /** people mentioned in the text as sent; not covered by the hash */
  readonly mentions?: readonly User[];
  readonly at: number;
  readonly cid?: string;
  /** absent once the text is deleted */
  readonly salt?: string;
  readonly content: string;
  readonly hash: string;
}

interface Row {
  readonly id: number;
  readonly type: string;
  readonly userId: string;
  readonly name: string;
  readonly target: number | null;
  readonly reply: number | null;
  readonly data: string | null;
  readonly mentions: string | null;
  readonly at: number;
  readonly cid: string | null;
  readonly content: string;
  readonly hash: string;
}

/** The log for a reader in another process. Each page includes all events committed before it is read. */
interface ExportReader {
  last(room: string): number;
  /** At most `limit` events after number `id`, ascending. */
  after(room: string, id: number, limit: number): readonly ExportedEvent[];
  close(): void;
}

/** @throws OpenError */
export function openExport(file: string): ExportReader {
  const db = openReadOnly(file);
  const last = db.prepare<[string], number>('SELECT last FROM rooms WHERE name = ?').pluck();
  const after = db.prepare<
    [string, number, number],
    Row
  >(`SELECT e.id, e.type, p.id AS userId, e.name, e.target,
      e.reply, e.data, e.mentions, e.at, e.cid, lower(hex(e.content)) AS content, lower(hex(e.hash)) AS hash
    FROM events e CROSS JOIN people p USING (person)
    WHERE e.room = (SELECT room FROM rooms WHERE name = ?) AND e.id > ? ORDER BY e.id ${limitClause}`);
  return {
    last: (room) => last.get(room) ?? 0,
    after: (room, id, limit) => after.all(room, id, limit).map((row) => toExported(room, row)),
    close: () => db.close(),
  };
}

function toExported(room: string, row: Row): ExportedEvent {
  const { id, type, target, reply, data, mentions, at, cid, hash } = row;
  const salt = data === '' ? undefined : row.content.slice(0, 32);
  return {
    ...{ room, id, type, user: { id: row.userId, name: row.name } },
    ...(target !== null && { target }),
    ...(reply !== null && { reply }),
    ...(data !== null && data !== '' && { data }),
    ...(mentions !== null && { mentions: parseMentions(mentions) }),
    at,
    ...(cid !== null && { cid }),
    ...(salt === undefined ? { content: row.content } : { salt, content: contentHash(salt, data, reply) }),
    hash,
  };
}

interface ExportResult {
  /** the first line that does not fit; undefined when every line fits */
  readonly finding: string | undefined;
  readonly heads: readonly NamedHead[];
  readonly events: number;
}

/** Recomputes the chain of an export, or of several exports one after the other. */
export async function checkExport(lines: AsyncIterable<string>): Promise<ExportResult> {
  const heads = new Map<string, NamedHead>();
  let events = 0;
  for await (const line of lines) {
    const event = parseExported(line);
    const finding = event ? checkEvent(event, heads) : `line ${events + 1} is not an event of an export`;
    if (finding !== undefined) return { finding, heads: [...heads.values()], events };
    events++;
  }
  return { finding: undefined, heads: [...heads.values()], events };
}

function checkEvent(event: ExportedEvent, heads: Map<string, NamedHead>): string | undefined {
  const { room, id, type, user, target, reply, data, at, cid, salt } = event;
  const head = heads.get(room) ?? { last: 0, hash: zeroHash };
  if (id !== head.last + 1) return `room ${room}: number ${head.last + 1} is missing, ${id} comes next`;
  const content = salt === undefined ? event.content : contentHash(salt, data ?? null, reply ?? null);
  const fields = { room, id, type, target: target ?? null, userId: user.id, name: user.name };
  const hash = eventHash(head.hash, { ...fields, at, cid: cid ?? null, content });
  if (content !== event.content)
    return `room ${room}: number ${id} is not as it was written: its content does not fit`;
  if (hash !== event.hash)
    return `room ${room}: number ${id} is not as it was written: its hash does not fit`;
  heads.set(room, { room, last: id, hash });
  return undefined;
}

const fieldTypes: Readonly<Record<string, RegExp>> = {
  ...{ room: /string/, type: /string/, content: /string/, hash: /string/ },
  ...{ id: /number/, at: /number/ },
  ...{ data: /string|undefined/, cid: /string|undefined/, salt: /string|undefined/ },
  ...{ target: /number|undefined/, reply: /number|undefined/ },
};

function parseExported(line: string): ExportedEvent | undefined {
  const fields = parseJsonObject(line);
  if (!fields || !isObject(field(fields, 'user'))) return undefined;
  const fits = Object.entries(fieldTypes).every(([name, type]) => type.test(typeof field(fields, name)));
  return fits ? (fields as unknown as ExportedEvent) : undefined; // the types of its fields were checked
}
