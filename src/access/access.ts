import type { Clock } from '../base/clock.ts';
import type { Store } from '../storage/store.ts';
import { Authenticator } from './authenticator.ts';
import { Passwords, type PasswordsOptions } from './password.ts';
import { Tokens, type TokensOptions } from './tokens.ts';
import { Users } from './users.ts';

/** Who may be let in, and how they say who they are. */
export interface Access {
  readonly users: Users;
  readonly authenticator: Authenticator;
  readonly tokens: Tokens;
}

/** Reads the users of a store, and makes what tells whether somebody is one of them. */
export async function openAccess(
  { store, clock }: { store: Store; clock: Clock },
  options: TokensOptions & PasswordsOptions,
): Promise<Access> {
  const passwords = new Passwords(options);
  const users = await Users.load({ store, passwords });
  const tokens = new Tokens({ clock, users }, options);
  const authenticator = new Authenticator({ clock, users, passwords, tokens });
  return { users, authenticator, tokens };
}
