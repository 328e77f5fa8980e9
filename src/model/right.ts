/** What a user may do in a database: nothing, read, or read and write. */
export type Right = 'none' | 'ro' | 'rw';

/** Stands for every database for which a user has no right of its own. */
export const ANY_DATABASE = '*';

/** Who may write to this database is an administrator: he may make and drop databases and users. */
export const ADMIN_DATABASE = '_system';

const RIGHTS: readonly Right[] = ['none', 'ro', 'rw'];

/** The right that a text names; undefined when it names none. */
export function parseRight(text: unknown): Right | undefined {
  return RIGHTS.find((right) => right === text);
}

/** Whether who holds `held` may do what takes `needed`. */
export function includesRight(held: Right, needed: Right): boolean {
  return RIGHTS.indexOf(held) >= RIGHTS.indexOf(needed);
}
