import { ServiceError } from '../model/errors.ts';
import type { Level } from './commit-group.ts';

/** Keys from `from` to `to`, both included, of which some cannot be read as they were written. */
export interface DamagedKeys {
  readonly from: Buffer;
  readonly to: Buffer;
  /** The table, and what is wrong with it. */
  readonly what: string;
}

interface RangeOptions {
  readonly gt?: Buffer;
  readonly gte?: Buffer;
  readonly lt?: Buffer;
  readonly lte?: Buffer;
}

type Reading = 'getSync' | 'get' | 'iterator' | 'keys' | 'values';

/**
 * Refuses readings of a LevelDB that touch damaged blocks of its tables: LevelDB itself would pass over what it cannot
 * read, and a key that is damaged is one that is not there. Costs nothing until something is damaged.
 */
export class DamageGuard {
  readonly #level: Level;
  readonly #damaged: DamagedKeys[] = [];

  constructor(deps: { level: Level }) {
    this.#level = deps.level;
  }

  /** Refuses readings of these keys from now on. */
  add(damaged: DamagedKeys): void {
    if (this.#damaged.length === 0) this.#install();
    this.#damaged.push(damaged);
  }

  #install(): void {
    const level = this.#level as unknown as Record<Reading, (...args: unknown[]) => unknown>;
    for (const name of ['getSync', 'get'] as const) {
      const original = level[name].bind(level);
      level[name] = (...args) => {
        const key = args[0] as Buffer;
        this.#expectWhole({ gte: key, lte: key });
        return original(...args);
      };
    }
    for (const name of ['iterator', 'keys', 'values'] as const) {
      const original = level[name].bind(level);
      level[name] = (...args) => {
        this.#expectWhole(args[0] ?? {});
        return original(...args);
      };
    }
  }

  /** @throws ServiceError storageDamaged */
  #expectWhole({ gt, gte, lt, lte }: RangeOptions): void {
    const start = gte ?? gt;
    const end = lte ?? lt;
    for (const { from, to, what } of this.#damaged) {
      if (start && Buffer.compare(start, to) > 0) continue;
      if (end && Buffer.compare(end, from) < 0) continue;
      throw new ServiceError(
        'storageDamaged',
        `${what}; what it holds cannot be read. Stop the server and run 'ticklog check' on its directory`,
      );
    }
  }
}
