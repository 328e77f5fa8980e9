import type { IncomingMessage } from 'node:http';
import type { Authenticator } from '../access/authenticator.ts';
import { type User, mayAdminister, rightOf } from '../access/user.ts';
import { ServiceError } from '../model/errors.ts';
import { ADMIN_DATABASE, type Right, includesRight } from '../model/right.ts';
import type { RouteRight } from './route-rights.ts';

/** Who sends a request, as handlers find it in `ctx.state`. */
export interface Caller {
  readonly user: User;
  /** What the user may do in any database. */
  rightTo(database: string): Right;
}

/**
 * Where clients must say who they are: finds that out before a request is looked at, and says then what it
 * may. A server that does not ask has no gate.
 */
export class Gate {
  readonly #authenticator: Authenticator;
  /** Of requests under way; an error for one whose credentials could not be checked. */
  readonly #users = new WeakMap<IncomingMessage, User | Error>();

  constructor(deps: { authenticator: Authenticator }) {
    this.#authenticator = deps.authenticator;
  }

  /** Calls `go` when it is known who sends the request: at once where that was found out a short time ago. */
  enter(request: IncomingMessage, go: () => void): void {
    const found = this.#authenticator.userOf(request.headers.authorization);
    const note = (user: User | Error | undefined): void => {
      if (user) this.#users.set(request, user);
      go();
    };
    if (found instanceof Promise) found.then(note, note);
    else note(found);
  }

  /** Whether the request comes from somebody who may do in the database what takes this right. */
  allows(request: IncomingMessage, database: string, right: RouteRight): boolean {
    const user = this.#users.get(request);
    if (user === undefined || user instanceof Error) return right === 'open';
    return lacking(user, database, right) === undefined;
  }

  /**
   * Who sends the request.
   * @throws ServiceError httpUnauthorized (401); resourceLimit (503) when there was no time to find out
   */
  callerOf(request: IncomingMessage): Caller {
    const user = this.#users.get(request);
    if (user === undefined) throw new ServiceError('httpUnauthorized', whyUnknown(request));
    if (user instanceof Error) throw user;
    return { user, rightTo: (database) => rightOf(user, database) };
  }

  /**
   * For an answer that goes on for long: whether its reader may still have it, by the user and the token as they are now.
   * @throws ServiceError httpUnauthorized (401), forbidden (403/11); resourceLimit (503) when there was no time to find out
   */
  async recheck(request: IncomingMessage, database: string, right: RouteRight): Promise<void> {
    const user = await this.#authenticator.userOf(request.headers.authorization);
    if (user === undefined) throw new ServiceError('httpUnauthorized', whyUnknown(request));
    this.require({ user, rightTo: (name) => rightOf(user, name) }, database, right);
  }

  /** @throws ServiceError forbidden (403/11) when it takes more than the caller may; see `RouteRight` */
  require(caller: Caller, database: string, right: RouteRight): void {
    const lack = lacking(caller.user, database, right);
    if (!lack) return;
    throw new ServiceError(
      'forbidden',
      `user '${caller.user.name}' needs the right '${lack.right}' on database '${lack.database}'`,
    );
  }
}

/** Whether a caller is an administrator; everybody is where nobody is asked. */
export function isAdmin(caller: Caller | undefined): boolean {
  return caller === undefined || mayAdminister(caller.user);
}

/** What a user would have to have besides; undefined for one who has it. */
function lacking(
  user: User,
  database: string,
  right: RouteRight,
): { readonly right: Right; readonly database: string } | undefined {
  if (right === 'open' || right === 'user') return undefined;
  const needed = neededFor(right, database);
  return includesRight(rightOf(user, needed.database), needed.right) ? undefined : needed;
}

function neededFor(
  right: Exclude<RouteRight, 'open' | 'user'>,
  database: string,
): { readonly right: Right; readonly database: string } {
  if (right === 'admin') return { right: 'rw', database: ADMIN_DATABASE };
  return right === 'watch' ? { right: 'ro', database: ADMIN_DATABASE } : { right, database };
}

function whyUnknown({ headers }: IncomingMessage): string {
  return headers.authorization === undefined
    ? 'this server wants to know who you are: send credentials by HTTP basic, or a token of POST /_open/auth'
    : 'the credentials are not those of an active user, or the token has expired';
}
