import { expect } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import type { Collection } from '../../../src/documents/collection.ts';
import { checkpointAt, readCheckpoint, writeCheckpoint } from '../../../src/follower/checkpoint.ts';
import { LeaderCollections } from '../../../src/follower/leader-collections.ts';
import { PageApplier, type PageApplierOptions } from '../../../src/follower/page-applier.ts';
import { Restriction } from '../../../src/follower/restriction.ts';
import { removeOrphans } from '../../../src/follower/staging.ts';
import { Space, numberRange } from '../../../src/storage/keys.ts';
import { TestCore, type TestCoreOptions } from '../../support/store.ts';

/** Where it begins. */
export const START = 1000n;
const OPTIONS: Omit<PageApplierOptions, 'theirs'> = {
  restriction: new Restriction('', [], true),
  transactionMaxBytes: 64 * 1024 * 1024,
  ignoreErrors: 0,
  interleaved: false,
  equalTicks: false,
  knownTick: 0n,
};

/** A database that follows a log made up by the test, with the leader's collections `c` and `e`. */
export class PageFollower implements AsyncDisposable {
  readonly core: TestCore;
  readonly options: Omit<PageApplierOptions, 'theirs'>;
  applier: PageApplier;

  private constructor(core: TestCore, options: PageFollower['options']) {
    this.core = core;
    this.options = options;
    this.applier = this.#newApplier();
  }

  static async open(
    options: Partial<PageApplierOptions> = {},
    coreOptions: TestCoreOptions = {},
  ): Promise<PageFollower> {
    const core = await TestCore.open(coreOptions);
    const follower = new PageFollower(core, { ...OPTIONS, ...options });
    await follower.apply([created(901, '77', 'c'), created(902, '78', 'e', 3)], { from: 900n });
    await core.store.commit((tx) =>
      writeCheckpoint(tx, core.system.number, checkpointAt({ leaderId: '1', tick: START }, 0)),
    );
    follower.applier = follower.#newApplier();
    return follower;
  }

  get c(): Collection {
    return this.core.system.get('c');
  }

  /** Applies one page; without `verified` its lines are parsed. */
  async apply(
    lines: readonly string[],
    page: { verified?: boolean; scannedTo?: bigint; from?: bigint } = {},
  ): Promise<void> {
    if (page.from !== undefined) this.applier = this.#newApplier(page.from);
    await this.applier.apply(
      {
        body: Buffer.from(lines.map((line) => `${line}\n`).join('')),
        verified: page.verified ?? false,
        scannedTo: page.scannedTo ?? 0n,
      },
      new AbortController().signal,
    );
    await this.applier.settled();
  }

  /** Closes everything and opens it again, as a restart does. */
  async restart(): Promise<void> {
    await this.core.reopen();
    const checkpoint = readCheckpoint(this.core.store, this.core.system.number);
    await removeOrphans(this.core.store, this.core.system.number, checkpoint?.open ?? []);
    this.applier = this.#newApplier();
  }

  /** Keys and values of a collection. */
  async content(name = 'c'): Promise<Record<string, unknown>> {
    const collection = this.core.system.get(name);
    const keys = await this.core.store.level
      .keys({ ...range(Space.primary, collection.number) })
      .all();
    const found: Record<string, unknown> = {};
    for (const stored of keys) {
      const key = stored.toString('utf8', 5);
      const line = this.core.store.readLine(collection.number, key)?.line ?? '';
      const { data } = JSON.parse(line) as { data: { v: unknown } };
      found[key] = data.v;
    }
    return found;
  }

  async stagedCount(): Promise<number> {
    const keys = await this.core.store.level
      .keys(range(Space.staging, this.core.system.number))
      .all();
    return keys.length;
  }

  /** Types of the events that this server logged itself. */
  async logged(): Promise<number[]> {
    const page = await this.core.system.changelog.readPage({
      from: 0n,
      to: 2n ** 63n,
      limitBytes: 1e9,
    });
    const lines = page.body.toString().split('\n').slice(0, -1);
    return lines.map((line) => (JSON.parse(line) as { type: number }).type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.core[Symbol.asyncDispose]();
  }

  #newApplier(from?: bigint): PageApplier {
    const { store, collections, system } = this.core;
    const checkpoint =
      (from === undefined ? readCheckpoint(store, system.number) : undefined) ??
      checkpointAt({ leaderId: '1', tick: from ?? START }, 0);
    return new PageApplier(
      { store, collections, database: system, logger: silentLogger },
      {
        ...this.options,
        theirs: new LeaderCollections(
          { store, database: system },
          { id: '1', database: '_system', incarnations: undefined },
        ),
      },
      checkpoint,
    );
  }
}

function range(space: number, number: number): { gte: Buffer; lt: Buffer } {
  const { start, end } = numberRange(space, number);
  return { gte: start, lt: end };
}

/** A 2000. */
export function created(tick: number, cid: string, name: string, type = 2): string {
  const collection = { version: 4, type, cid, name, waitForSync: false };
  return JSON.stringify({ tick: String(tick), type: 2000, cid, cname: name, collection });
}

/** What a document line may have otherwise than usual. */
export interface LineOptions {
  readonly tid?: string;
  readonly cid?: string;
  readonly cname?: string;
  readonly rev?: string;
}

/** A 2300 as our own leaders print it. */
export function put(tick: number, key: string, v: unknown, options: LineOptions = {}): string {
  const { tid, cid = '77', cname = 'c', rev = String(tick) } = options;
  return JSON.stringify({
    tick: String(tick),
    type: 2300,
    ...(tid === undefined ? {} : { tid }),
    cid,
    cname,
    key,
    rev,
    data: { _key: key, _rev: rev, v },
  });
}

/** A 2302. */
export function del(tick: number, key: string, options: LineOptions = {}): string {
  const { tid, cid = '77', cname = 'c' } = options;
  const type = 2302;
  const rev = String(tick);
  return JSON.stringify({
    tick: String(tick),
    type,
    ...(tid === undefined ? {} : { tid }),
    cid,
    cname,
    key,
    rev,
  });
}

/** A 2200. */
export function begin(tick: number, tid: string): string {
  return JSON.stringify({ tick: String(tick), type: 2200, tid, collections: [] });
}

/** A 2201. */
export function commit(tick: number, tid: string): string {
  return JSON.stringify({ tick: String(tick), type: 2201, tid, collections: [] });
}

/** An event about the collection `c`, or another one. */
export function ddl(tick: number, type: number, more: Record<string, unknown>, cid = '77'): string {
  return JSON.stringify({ tick: String(tick), type, cid, cname: 'c', ...more });
}

/** A 2100: a unique index over `v`. */
export function uniqueIndex(tick: number, id = '990'): string {
  return ddl(tick, 2100, { index: { id, type: 'hash', unique: true, fields: ['v'] } });
}

/** Matches an error of this number. */
export function errorNum(num: number): Error {
  return expect.objectContaining({ errorNum: num }) as Error;
}
