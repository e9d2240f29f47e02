/**
 * What must be true of changes, reactions, mentions, marks and the index: each a fault in words and the query that finds
 * its first case. A message's row has to be what its changes come to.
 */
import type Database from 'better-sqlite3';

interface Case {
  readonly room: string;
  readonly id: number;
}

/** The seq of a room's event by its number; `late` is what the table does not reach (verify.ts). */
const placeOf = (room: string, id: string): string =>
  `coalesce((SELECT event FROM late WHERE late.room = ${room} AND late.id = ${id}),
    (SELECT event FROM numbers n WHERE n.room = ${room} AND n.id = ${id}))`;

/** `c` is a change with its state `d`, `m` the message with its own, `s`. */
const CHANGES = `FROM states d JOIN events c ON c.seq = d.event
  LEFT JOIN events m ON m.seq = ${placeOf('c.room', 'd.target')} AND m.id < c.id
  LEFT JOIN states s ON s.event = m.seq WHERE c.type <> 'chat'`;

const CHECKS: readonly (readonly [fault: string, query: string])[] = [
  [
    'is a change of nothing',
    "SELECT c.room, c.id FROM events c LEFT JOIN states d ON d.event = c.seq WHERE c.type <> 'chat' AND d.target IS NULL",
  ],
  ['changes a message that is not there', `SELECT c.room, c.id ${CHANGES} AND m.type IS NOT 'chat'`],
  [
    'deletes a message that is not deleted by it',
    `SELECT c.room, c.id ${CHANGES} AND c.type = 'delete' AND s.deleted IS NOT c.id`,
  ],
  ['was changed after it was deleted', `SELECT m.room, m.id ${CHANGES} AND c.id > s.deleted`],
  [
    'was changed by somebody else',
    `SELECT m.room, m.id ${CHANGES} AND c.type IN ('edit', 'delete') AND c.person <> m.person`,
  ],
  [
    'was deleted, and some of its text is still there',
    `SELECT m.room, m.id ${CHANGES} AND s.deleted IS NOT NULL
      AND (m.data <> '' OR s.text IS NOT NULL OR s.mentions IS NOT NULL
        OR c.type = 'edit' AND (c.data <> '' OR d.mentions IS NOT NULL))`,
  ],
  [
    'does not have the text of its last edit',
    `SELECT m.room, m.id ${CHANGES} AND c.type = 'edit' AND s.deleted IS NULL
      AND (s.edited IS NULL OR c.id > s.edited OR c.id = s.edited AND s.text IS NOT c.data)`,
  ],
  [
    'is said to be edited by what is no edit of it',
    `SELECT m.room, m.id FROM states s JOIN events m ON m.seq = s.event
      LEFT JOIN events c ON c.seq = ${placeOf('m.room', 's.edited')} LEFT JOIN states d ON d.event = c.seq
      WHERE m.type = 'chat' AND s.edited IS NOT NULL AND (c.type IS NOT 'edit' OR d.target IS NOT m.id)`,
  ],
  [
    'is said to be deleted by what is no deletion of it',
    `SELECT m.room, m.id FROM states s JOIN events m ON m.seq = s.event
      LEFT JOIN events c ON c.seq = ${placeOf('m.room', 's.deleted')} LEFT JOIN states d ON d.event = c.seq
      WHERE s.deleted IS NOT NULL AND (c.type IS NOT 'delete' OR d.target IS NOT m.id)`,
  ],
  [
    'has a reaction that nobody gave',
    `SELECT a.room, a.target AS id FROM reactions a LEFT JOIN events c ON c.seq = ${placeOf('a.room', 'a.id')}
      LEFT JOIN states d ON d.event = c.seq
      WHERE c.type IS NOT 'react' OR d.target IS NOT a.target OR c.person <> a.person OR c.data <> a.data`,
  ],
  [
    'has other reactions than were given and not taken back',
    `SELECT room, target AS id FROM (
      SELECT c.room, d.target, c.person, c.data, max(s.deleted) AS deleted,
        sum(CASE c.type WHEN 'react' THEN 1 ELSE -1 END) AS given,
        (SELECT count(*) FROM reactions a
          WHERE a.room = c.room AND a.target = d.target AND a.person = c.person AND a.data = c.data) AS stand
      ${CHANGES} AND c.type IN ('react', 'unreact') GROUP BY c.room, d.target, c.person, c.data)
      WHERE stand <> CASE WHEN deleted IS NULL THEN given ELSE 0 END`,
  ],
  [
    'counts its reactions wrongly',
    `SELECT room, id FROM (SELECT m.room, m.id, s.reacted,
        (SELECT count(*) FROM reactions a WHERE a.room = m.room AND a.target = m.id) AS stand
      FROM states s JOIN events m ON m.seq = s.event WHERE m.type = 'chat') WHERE coalesce(reacted, 0) <> stand`,
  ],
  [
    'is in a list of mentions, and calls nobody',
    `SELECT m.room, m.id FROM mentions n JOIN events m ON m.seq = n.event LEFT JOIN states s ON s.event = m.seq
      WHERE m.type <> 'chat' OR s.mentions IS NULL`,
  ],
  [
    'calls somebody, and is in no list of mentions',
    `SELECT m.room, m.id FROM states s JOIN events m ON m.seq = s.event WHERE m.type = 'chat'
      AND s.mentions IS NOT NULL AND NOT EXISTS (SELECT 1 FROM mentions n WHERE n.event = m.seq)`,
  ],
  [
    'is the last, and somebody has read further',
    'SELECT r.room, r.last AS id FROM members JOIN rooms r USING (room) WHERE read > r.last',
  ],
  [
    'is outdated in the index, which does not reach that far',
    `SELECT m.room, m.id FROM outdated o JOIN events m ON m.seq = o.event
      WHERE m.seq > (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = 'indexed')`,
  ],
];

/** The first fault, in words that name the place; undefined: sound. */
export function faultOfChanges(db: Database.Database): string | undefined {
  for (const [fault, query] of CHECKS) {
    const found = db
      .prepare<[], Case>(`SELECT r.name AS room, f.id FROM (${query} LIMIT 1) f JOIN rooms r USING (room)`)
      .get();
    if (found) return `room ${found.room}: number ${found.id} ${fault}`;
  }
  const reach = db
    .prepare<[], number>(
      "SELECT 1 FROM meta WHERE key = 'indexed' AND CAST(value AS INTEGER) > (SELECT coalesce(max(seq), 0) FROM events)",
    )
    .get();
  return reach === undefined ? undefined : 'the index reaches further than the log';
}
