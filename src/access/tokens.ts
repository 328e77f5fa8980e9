import { errors, jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../base/clock.ts';
import type { User } from './user.ts';
import type { Users } from './users.ts';

export interface TokensOptions {
  /** Signs and checks tokens by HS256; whoever knows it is let in as anyone. */
  readonly secret: Buffer;
  /** How long a token is good, in ms. */
  readonly lifetimeMs: number;
}

/** Whose a token is, and until when, in ms since 1970. */
export interface CheckedToken {
  readonly user: User;
  readonly untilMs: number;
}

const ALGORITHM = 'HS256';
const ISSUER = 'arangodb';
/** Names the user, as in the tokens of servers of 3.x. */
const USER_CLAIM = 'preferred_username';
/** Which password it was given for: another password ends the tokens of the former one. */
const PASSWORD_CLAIM = 'ticklog_password';

/** JSON Web Tokens: made when somebody logs in, checked when they come back. */
export class Tokens {
  readonly #clock: Clock;
  readonly #users: Users;
  readonly #secret: Buffer;
  readonly #lifetimeMs: number;

  constructor(deps: { clock: Clock; users: Users }, options: TokensOptions) {
    this.#clock = deps.clock;
    this.#users = deps.users;
    this.#secret = options.secret;
    this.#lifetimeMs = options.lifetimeMs;
  }

  /** A token that says who its holder is. */
  issue(user: User): Promise<string> {
    const nowMs = this.#clock.nowMs();
    return new SignJWT({ [USER_CLAIM]: user.name, [PASSWORD_CLAIM]: user.passwordId })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setIssuedAt(Math.floor(nowMs / 1000))
      .setExpirationTime(Math.floor((nowMs + this.#lifetimeMs) / 1000))
      .sign(this.#secret);
  }

  /** Undefined for a token that is not good: forged, expired, without an end, or of nobody who is here. */
  async check(token: string): Promise<CheckedToken | undefined> {
    let claims;
    try {
      const options = {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        requiredClaims: ['exp'],
        currentDate: new Date(this.#clock.nowMs()),
      };
      claims = (await jwtVerify(token, this.#secret, options)).payload;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
    const { [USER_CLAIM]: name, [PASSWORD_CLAIM]: passwordId, exp = 0 } = claims;
    const user = typeof name === 'string' ? this.#users.find(name) : undefined;
    if (!user?.active) return undefined;
    if (passwordId !== undefined && passwordId !== user.passwordId) return undefined;
    return { user, untilMs: exp * 1000 };
  }
}
