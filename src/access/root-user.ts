import { ServiceError } from '../model/errors.ts';
import { ANY_DATABASE } from '../model/right.ts';
import { type User, mayAdminister } from './user.ts';
import type { Users } from './users.ts';

/** The user that a server begins with. */
export const ROOT_USER = 'root';

/**
 * Makes sure that somebody can log in who may do everything: where nobody can, the first time that a server asks who
 * its clients are, `root` is made one who can. Otherwise all users stay as they are.
 * @param password empty when none was given
 * @throws ServiceError badParameter when one is needed and none was given
 */
export async function ensureRoot(users: Users, password: string): Promise<void> {
  if (users.all.some(canAdminister)) return;
  if (password === '') {
    throw new ServiceError(
      'badParameter',
      `authentication needs a password for the user ${ROOT_USER}: put it into the environment as ` +
        'TICKLOG_ROOT_PASSWORD, or into a file that --server.root-password-file names',
    );
  }
  const rights = new Map([[ANY_DATABASE, 'rw']] as const);
  if (users.find(ROOT_USER)) await users.remove(ROOT_USER);
  await users.create(ROOT_USER, { password }, rights);
}

function canAdminister(user: User): boolean {
  return user.active && user.password !== undefined && mayAdminister(user);
}
