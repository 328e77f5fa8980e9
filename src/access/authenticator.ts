import { hash, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Passwords } from './password.ts';
import type { Tokens } from './tokens.ts';
import type { User } from './user.ts';
import type { Users } from './users.ts';

/** What became of credentials that were checked. */
interface Verdict {
  /** Whom they name. */
  readonly name: string;
  /** What that user's password was then; undefined when there was none, or no such user. */
  readonly password: User['password'];
  /** When it has to be checked again, in ms since 1970. */
  untilMs: number;
  /** When credentials that are used all the time have to be, too: the end of a token. */
  readonly endMs: number;
}

/** Of credentials that are good and of those that are not: many bad ones do not put out good ones. */
const GOOD_MAX = 4096;
const BAD_MAX = 256;
/** How long good credentials that nobody uses are kept. Changes of the user end them at once. */
const GOOD_MS = 60_000;
/** A client that tries wrong credentials again and again costs one check in that time. */
const BAD_MS = 2000;
const SCHEME = /^(basic|bearer) +(\S+) *$/i;

/**
 * Finds out who sends a request. A check of a password takes some hundredth of a second, so what was found is
 * kept for a while, under a hash that only this process can make. Who is known waits for nobody's check.
 */
export class Authenticator {
  readonly #clock: Clock;
  readonly #users: Users;
  readonly #passwords: Passwords;
  readonly #tokens: Tokens;
  readonly #salt = randomBytes(32).toString('hex');
  /** By the hash of the header, the oldest first. */
  readonly #good = new Map<string, Verdict>();
  readonly #bad = new Map<string, Verdict>();
  /** Requests that come together with the same credentials wait for one check. */
  readonly #checks = new Map<string, Promise<User | undefined>>();

  constructor(deps: { clock: Clock; users: Users; passwords: Passwords; tokens: Tokens }) {
    this.#clock = deps.clock;
    this.#users = deps.users;
    this.#passwords = deps.passwords;
    this.#tokens = deps.tokens;
  }

  /**
   * The active user whose credentials stand in a header `authorization`, undefined for none: at once when they
   * were checked a short time ago.
   * @throws ServiceError resourceLimit (503), as a rejection, when too many wait for a check
   */
  userOf(header: string | undefined): User | undefined | Promise<User | undefined> {
    if (header === undefined) return undefined;
    const id = this.#idOf(header);
    const good = this.#stillHolds(this.#good, id);
    if (good) {
      good.untilMs = Math.min(good.endMs, this.#clock.nowMs() + GOOD_MS);
      const user = this.#users.find(good.name);
      return user?.active === true ? user : undefined;
    }
    if (this.#stillHolds(this.#bad, id)) return undefined;
    const running = this.#checks.get(id);
    if (running) return running;
    const check = this.#check(id, header).finally(() => this.#checks.delete(id));
    this.#checks.set(id, check);
    return check;
  }

  /** The active user of this name and password. @throws ServiceError resourceLimit (503) */
  async login(name: string, password: string): Promise<User | undefined> {
    const before = this.#users.find(name)?.password;
    if (!(await this.#passwords.matches(password, before))) return undefined;
    // It may have been changed or removed meanwhile.
    const user = this.#users.find(name);
    return user?.password === before && user?.active === true ? user : undefined;
  }

  async #check(id: string, header: string): Promise<User | undefined> {
    const [, scheme = '', text = ''] = SCHEME.exec(header) ?? [];
    switch (scheme.toLowerCase()) {
      case 'basic':
        return this.#checkBasic(id, text);
      case 'bearer':
        return this.#checkBearer(id, text);
      default:
        return undefined;
    }
  }

  async #checkBasic(id: string, text: string): Promise<User | undefined> {
    const pair = Buffer.from(text, 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    if (colon < 0) return undefined;
    const name = pair.slice(0, colon);
    const password = this.#users.find(name)?.password;
    const user = await this.login(name, pair.slice(colon + 1));
    const isGood = user !== undefined;
    const untilMs = this.#clock.nowMs() + (isGood ? GOOD_MS : BAD_MS);
    const verdict = { name, password, untilMs, endMs: Infinity };
    if (isGood) keep(this.#good, GOOD_MAX, id, verdict);
    // Who is not active may become so without another password.
    else if (this.#users.find(name)?.active !== false) keep(this.#bad, BAD_MAX, id, verdict);
    return user;
  }

  async #checkBearer(id: string, token: string): Promise<User | undefined> {
    const checked = await this.#tokens.check(token);
    if (!checked) return undefined;
    const { user, untilMs: endMs } = checked;
    const untilMs = Math.min(endMs, this.#clock.nowMs() + GOOD_MS);
    keep(this.#good, GOOD_MAX, id, { name: user.name, password: user.password, untilMs, endMs });
    return user;
  }

  /** What was found out about these credentials, unless it is too long ago or the user has another password now. */
  #stillHolds(verdicts: Map<string, Verdict>, id: string): Verdict | undefined {
    const verdict = verdicts.get(id);
    if (!verdict) return undefined;
    const isFresh = this.#clock.nowMs() < verdict.untilMs;
    if (isFresh && this.#users.find(verdict.name)?.password === verdict.password) return verdict;
    verdicts.delete(id);
    return undefined;
  }

  #idOf(header: string): string {
    return hash('sha256', this.#salt + header, 'base64');
  }
}

function keep(verdicts: Map<string, Verdict>, max: number, id: string, verdict: Verdict): void {
  verdicts.set(id, verdict);
  for (const [oldest] of verdicts) {
    if (verdicts.size <= max) return;
    verdicts.delete(oldest);
  }
}
