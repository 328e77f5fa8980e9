import { type ScryptOptions, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { ByteBudget } from '../base/byte-budget.ts';
import { ServiceError } from '../model/errors.ts';

/** What is kept of a password. The costs stand beside it so that later ones may be higher. */
export interface PasswordHash {
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelization: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

export interface PasswordsOptions {
  /** N of scrypt, a power of two. With blocks of 8 it takes a KiB of memory for each. */
  readonly cost?: number;
}

const COST = 2 ** 15;
const BLOCK_SIZE = 8;
const PARALLELIZATION = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const SPARE_BYTES = 1024 * 1024;
/** Each takes 32 MiB, and one of the four threads on which the store reads and writes, too. */
const CONCURRENT = 2;
/** Further ones are refused: nobody would wait for their turn. */
const WAITING_MAX = 256;

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** Hashes and checks passwords with scrypt, a few at a time. */
export class Passwords {
  readonly #cost: number;
  readonly #turns = new ByteBudget(CONCURRENT);
  /** Checked in place of that of a user that does not exist, so that time does not tell. */
  readonly #decoy: PasswordHash;

  constructor(options: PasswordsOptions = {}) {
    this.#cost = options.cost ?? COST;
    this.#decoy = { ...this.#fresh(), hash: randomBytes(HASH_BYTES) };
  }

  /** @throws ServiceError resourceLimit (503) when too many wait already */
  async hash(password: string): Promise<PasswordHash> {
    const kept = this.#fresh();
    return { ...kept, hash: await this.#derive(password, kept) };
  }

  /**
   * Whether the password is the one that was hashed. Without a hash it is not, after the same time.
   * @throws ServiceError resourceLimit (503) when too many wait already
   */
  async matches(password: string, kept: PasswordHash | undefined): Promise<boolean> {
    const { hash, ...settings } = kept ?? this.#decoy;
    const derived = await this.#derive(password, settings);
    return timingSafeEqual(derived, hash) && kept !== undefined;
  }

  #fresh(): Omit<PasswordHash, 'hash'> {
    return {
      cost: this.#cost,
      blockSize: BLOCK_SIZE,
      parallelization: PARALLELIZATION,
      salt: randomBytes(SALT_BYTES),
    };
  }

  async #derive(
    password: string,
    { cost, blockSize, parallelization, salt }: Omit<PasswordHash, 'hash'>,
  ): Promise<Buffer> {
    if (this.#turns.waitingCount >= WAITING_MAX) {
      throw new ServiceError('resourceLimit', 'too many passwords are being checked', {
        httpStatus: 503,
      });
    }
    const release = await this.#turns.acquire(1);
    try {
      // The default of Node would not let a cost of 2^15 pass.
      const maxmem = 256 * cost * blockSize + SPARE_BYTES;
      const options = { N: cost, r: blockSize, p: parallelization, maxmem };
      return await derive(password, salt, HASH_BYTES, options);
    } finally {
      release();
    }
  }
}
