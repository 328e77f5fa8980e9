import { ADMIN_DATABASE, ANY_DATABASE, type Right, includesRight } from '../model/right.ts';
import type { PasswordHash } from './password.ts';

/** One who may be let in, as stored. */
export interface User {
  readonly name: string;
  /** One who is not is refused, whatever the password. */
  readonly active: boolean;
  /** JSON text of what clients keep here. */
  readonly extra: string;
  /** Undefined for a user without a password, who cannot log in. */
  readonly password: PasswordHash | undefined;
  /** Another one with each new password: tokens carry it. */
  readonly passwordId: string;
  /** By the name of a database, or `*` for all others. */
  readonly rights: ReadonlyMap<string, Right>;
}

/** What a user may do in a database: the right given for it, else that for `*`, else nothing. */
export function rightOf(user: User, database: string): Right {
  return user.rights.get(database) ?? user.rights.get(ANY_DATABASE) ?? 'none';
}

/** Whether a user may make and drop databases and users. */
export function mayAdminister(user: User): boolean {
  return includesRight(rightOf(user, ADMIN_DATABASE), 'rw');
}
