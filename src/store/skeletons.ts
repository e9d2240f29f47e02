/**
 * Names are owned by their skeleton (chat/name.ts), which the database keeps. When its rule has changed since the file was
 * written, they are made anew at the opening. No new shape: the file can be written by either.
 */
import type Database from 'better-sqlite3';
import { SKELETON_RULE, skeleton } from '../chat/name.js';

interface Named {
  readonly person: number;
  readonly name: string;
  readonly skeleton: string;
  readonly seen: number;
}

export function renewSkeletons(db: Database.Database): void {
  const rule = db.prepare<[], string>("SELECT value FROM meta WHERE key = 'skeletons'").pluck().get();
  if (rule === SKELETON_RULE) return;
  db.transaction(() => {
    renew(db, outdated(db));
    db.prepare("REPLACE INTO meta VALUES ('skeletons', ?)").run(SKELETON_RULE);
  }).immediate();
}

/** Who owns a name by a skeleton that it has no more; those seen last first, and of those of one day who came first. */
function outdated(db: Database.Database): Named[] {
  const owners = db.prepare<[], Named>(
    'SELECT person, name, skeleton, seen FROM people WHERE skeleton IS NOT NULL ORDER BY seen DESC, person',
  );
  const found: Named[] = [];
  for (const owner of owners.iterate()) if (owner.skeleton !== skeleton(owner.name)) found.push(owner);
  return found;
}

/** Where two would now own the same, it belongs to the one seen last. The other is called so too, as after 30 days. */
function renew(db: Database.Database, people: readonly Named[]): void {
  const set = db.prepare<[string | null, number]>('UPDATE people SET skeleton = ? WHERE person = ?');
  const ownerOf = db.prepare<[string], Named>('SELECT * FROM people WHERE skeleton = ?');
  for (const { person } of people) set.run(null, person);
  for (const { person, name, seen } of people) {
    const shape = skeleton(name);
    const owner = ownerOf.get(shape);
    if (owner && owner.seen >= seen) continue;
    if (owner) set.run(null, owner.person);
    set.run(shape, person);
  }
}
