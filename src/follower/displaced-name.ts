import type { Database } from '../documents/database.ts';

/**
 * What a copy is called while the log of its leader is behind: its name there already belongs to another
 * one, which was copied as of later. The log goes on to rename or to drop it (docs/adr/0009).
 */
export function displacedName(cid: string): string {
  return `displaced-${cid}`;
}

/** The same; undefined when somebody has a collection of that name. */
export function freeDisplacedName(database: Database, cid: string): string | undefined {
  const name = displacedName(cid);
  return database.byName(name) ? undefined : name;
}
