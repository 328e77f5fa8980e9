import { randomBytes } from 'node:crypto';
import { ServiceError } from '../model/errors.ts';
import type { Right } from '../model/right.ts';
import { metaKey } from '../storage/keys.ts';
import { encodeRecord } from '../storage/record.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { PasswordHash, Passwords } from './password.ts';
import type { User } from './user.ts';

/** Of a new user, or in place of what there was; what is left out has its default. */
export interface UserSettings {
  readonly password?: string | undefined;
  readonly active?: boolean | undefined;
  /** JSON text. */
  readonly extra?: string | undefined;
}

/** How a user is stored: in space m under `u` and the name. */
type UserRecord = Omit<User, 'rights'> & { readonly rights: readonly (readonly [string, Right])[] };

const NAME_MAX_BYTES = 128;
/** A colon parts name and password in a header, a slash the segments of a path. */
const BAD_IN_NAME = /[:/\p{Cc}\p{Cs}]/u;
const NO_EXTRA = '{}';
const PASSWORD_ID_BYTES = 8;
const DURABLY = { exclusive: true, sync: true } as const;

/**
 * The users of this server. They are no documents: nothing of them is in the log, in an inventory or a dump
 * (contract 2.7). Every change is fsynced, and seen once it is committed.
 */
export class Users {
  readonly #store: Store;
  readonly #passwords: Passwords;
  /** Each change puts a new object in the place of the old one. */
  readonly #users = new Map<string, User>();

  private constructor(deps: { store: Store; passwords: Passwords }) {
    this.#store = deps.store;
    this.#passwords = deps.passwords;
  }

  /** Reads the users of an opened store. */
  static async load(deps: { store: Store; passwords: Passwords }): Promise<Users> {
    const users = new Users(deps);
    for (const { record } of await deps.store.records<UserRecord>('u')) {
      users.#users.set(record.name, { ...record, rights: new Map(record.rights) });
    }
    return users;
  }

  /** In the order of their names. */
  get all(): readonly User[] {
    return [...this.#users.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  find(name: string): User | undefined {
    return this.#users.get(name);
  }

  /** @throws ServiceError userNotFound (1703) */
  get(name: string): User {
    const user = this.#users.get(name);
    if (!user) throw new ServiceError('userNotFound', `user '${name}' not found`);
    return user;
  }

  /**
   * Adds a user, active unless the settings say otherwise.
   * @param rights those it begins with; none by default
   * @throws ServiceError userInvalidName (1700), userDuplicate (1702); as `Passwords.hash`
   */
  async create(
    name: string,
    settings: UserSettings,
    rights: ReadonlyMap<string, Right> = new Map(),
  ): Promise<User> {
    if (!isValidUserName(name)) throw new ServiceError('userInvalidName');
    if (this.#users.has(name)) throw duplicate(name);
    const password = await this.#hash(settings.password);
    const { active = true, extra = NO_EXTRA } = settings;
    return this.#store.commit((tx) => {
      if (this.#users.has(name)) throw duplicate(name);
      const passwordId = newPasswordId();
      return this.#put(tx, { name, active, extra, password, passwordId, rights });
    }, DURABLY);
  }

  /** Sets all that can be set; rights stay. @throws ServiceError userNotFound (1703) */
  replace(name: string, settings: UserSettings): Promise<User> {
    const { password = '', active = true, extra = NO_EXTRA } = settings;
    return this.update(name, { password, active, extra });
  }

  /** Sets what is given. @throws ServiceError userNotFound (1703); as `Passwords.hash` */
  async update(name: string, settings: UserSettings): Promise<User> {
    this.get(name);
    const isNew = settings.password !== undefined;
    const password = await this.#hash(settings.password);
    return this.#store.commit((tx) => {
      const user = this.get(name);
      return this.#put(tx, {
        ...user,
        active: settings.active ?? user.active,
        extra: settings.extra ?? user.extra,
        ...(isNew ? { password, passwordId: newPasswordId() } : {}),
      });
    }, DURABLY);
  }

  /** @throws ServiceError userNotFound (1703) */
  remove(name: string): Promise<void> {
    return this.#store.commit((tx) => {
      this.get(name);
      tx.del(userKey(name));
      tx.afterCommit(() => this.#users.delete(name));
    }, DURABLY);
  }

  /**
   * Gives a user a right, or takes away the one for this database so that that for `*` holds.
   * @throws ServiceError userNotFound (1703)
   */
  grant(name: string, database: string, right: Right | undefined): Promise<User> {
    return this.#store.commit((tx) => {
      const user = this.get(name);
      const rights = new Map(user.rights);
      if (right === undefined) rights.delete(database);
      else rights.set(database, right);
      return this.#put(tx, { ...user, rights });
    }, DURABLY);
  }

  /**
   * Takes away all rights for a database that is dropped in this batch, so that they do not hold for another
   * one of its name. The batch must be exclusive.
   */
  forgetDatabase(tx: WriteTx, database: string): void {
    for (const user of this.#users.values()) {
      if (!user.rights.has(database)) continue;
      const rights = new Map(user.rights);
      rights.delete(database);
      this.#put(tx, { ...user, rights });
    }
  }

  #put(tx: WriteTx, user: User): User {
    const key = userKey(user.name);
    const record: UserRecord = { ...user, rights: [...user.rights] };
    tx.put(key, encodeRecord(key, record));
    tx.afterCommit(() => this.#users.set(user.name, user));
    return user;
  }

  #hash(password: string | undefined): Promise<PasswordHash> | undefined {
    return password === undefined || password === '' ? undefined : this.#passwords.hash(password);
  }
}

function newPasswordId(): string {
  return randomBytes(PASSWORD_ID_BYTES).toString('hex');
}

function userKey(name: string): Buffer {
  return Buffer.concat([metaKey('u'), Buffer.from(name)]);
}

/** Whether a user may bear this name; otherwise 1700. */
export function isValidUserName(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= NAME_MAX_BYTES && !BAD_IN_NAME.test(name);
}

function duplicate(name: string): ServiceError {
  return new ServiceError('userDuplicate', `there is a user '${name}' already`);
}
