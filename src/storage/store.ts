import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { STORE_FOLDER } from '../base/data-directory.ts';
import { makeDirectory } from '../base/make-directory.ts';
import { Level as LevelDatabase } from 'level';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { CommitChain } from './commit-chain.ts';
import type { Level } from './commit-group.ts';
import {
  CEILING_KEY,
  type CommitFigures,
  type CommitOptions,
  CommitQueue,
} from './commit-queue.ts';
import { DamageGuard } from './damage-guard.ts';
import { directorySize } from './directory-size.ts';
import { StoreHealth } from './health.ts';
import { Space, metaKey, primaryKey } from './keys.ts';
import { checkLastCommit, noteLastCommit } from './last-commit.ts';
import { checkLogs } from './log-check.ts';
import { checkTableIndexes } from './store-files.ts';
import { TipMemory } from './log-tip.ts';
import { assertOwnDirectory } from './own-directory.ts';
import { type Pointer, decodePointer } from './pointer.ts';
import { OWNER_ONLY, makePrivate } from './private-directory.ts';
import { RangeEraser } from './range-eraser.ts';
import { decodeRecord, encodeRecord, unprotect } from './record.ts';
import { type Incarnation, SERVER_KEY, type ServerRecord } from './server-record.ts';
import { readStoredLine } from './stored-line.ts';
import { TableScrub } from './table-scrub.ts';
import { TickSource } from './tick-source.ts';
import { writeFailure } from './write-failure.ts';
import type { WriteTx } from './write-tx.ts';

/** Version of the layout of the whole store; a directory with another one is refused. */
export const STORE_FORMAT = 1;

const WRITE_BUFFER_BYTES = 64 * 1024 * 1024;
const CACHE_BYTES = 16 * 1024 * 1024;
const MAX_FILE_BYTES = 8 * 1024 * 1024;
const TIP_BYTES = 16 * 1024 * 1024;
const INCARNATIONS_KEPT = 1000;
const READ_ATTEMPTS_MAX = 10;

export interface StoreOptions {
  readonly directory: string;
  /** fsync every commit, not only those that ask for it. */
  readonly alwaysSync?: boolean;
  /** Take a new server id: for a directory that was copied from another server's. */
  readonly newServerId?: boolean;
  /** Paths of files that may lie in a directory that is to become a data directory. */
  readonly knownFiles?: readonly string[];
}

/**
 * The one LevelDB of a data directory: opened with its commit chain checked, written only through
 * `commit`.
 */
export class Store {
  readonly level: Level;
  readonly server: ServerRecord;
  readonly eraser: RangeEraser;
  /** What the newest blocks of all logs take in memory. */
  readonly tips: TipMemory;
  /** What was found to be wrong with it. */
  readonly health: StoreHealth;
  readonly #scrub: TableScrub;
  readonly #queue: CommitQueue;
  readonly #chain: CommitChain;
  readonly #directory: string;
  readonly #abort = new AbortController();
  #closed: Promise<void> | undefined;

  private constructor(
    deps: {
      level: Level;
      queue: CommitQueue;
      chain: CommitChain;
      tips: TipMemory;
      clock: Clock;
      logger: Logger;
    },
    options: { server: ServerRecord; directory: string },
  ) {
    const { signal } = this.#abort;
    this.health = new StoreHealth(deps);
    this.#scrub = new TableScrub(
      { guard: new DamageGuard(deps), health: this.health, logger: deps.logger },
      { storeDirectory: storeIn(options.directory), signal },
    );
    this.level = deps.level;
    this.server = options.server;
    this.#queue = deps.queue;
    this.#chain = deps.chain;
    this.tips = deps.tips;
    this.#directory = options.directory;
    this.eraser = new RangeEraser(
      { level: deps.level, queue: deps.queue, logger: deps.logger },
      { signal },
    );
  }

  /**
   * Opens or creates a data directory.
   * @throws ServiceError storeLocked when another process has it open, unknownFormat for a layout of
   * another version, storageDamaged when commits are missing, badParameter for a directory of something else.
   */
  static async open(deps: { clock: Clock; logger: Logger }, options: StoreOptions): Promise<Store> {
    await makeDirectory(options.directory, OWNER_ONLY);
    await assertOwnDirectory(options.directory, options.knownFiles);
    const location = storeIn(options.directory);
    await makePrivate(deps, location);
    // Before the database object is made, for that opens by itself and removes its old log.
    await checkLogs(location);
    await checkTableIndexes(location);
    const level: Level = new LevelDatabase(location, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      writeBufferSize: WRITE_BUFFER_BYTES,
      cacheSize: CACHE_BYTES,
      maxFileSize: MAX_FILE_BYTES,
      compression: false,
    });
    await openLevel(level, options.directory);
    try {
      checkFormat(level);
      const chain = new CommitChain({ writeBufferBytes: WRITE_BUFFER_BYTES });
      chain.load(await allRecords(level, Space.commit));
      const hasLastCommit = await checkLastCommit(options.directory, level, chain);
      // From its first commit on a store says that it has the file.
      if (!hasLastCommit) await noteLastCommit(options.directory, chain);
      const { ticks, server } = begin(level, chain, deps.clock, options.newServerId ?? false);
      const tips = new TipMemory({ maxBytes: TIP_BYTES });
      const queue = new CommitQueue(
        { level, ticks, chain, clock: deps.clock, tips },
        {
          alwaysSync: options.alwaysSync ?? false,
          lastCommitted: chain.last?.tick ?? ticks.last,
        },
      );
      const store = new Store(
        { level, queue, chain, tips, ...deps },
        { server, directory: options.directory },
      );
      await queue.commit((tx) => tx.put(SERVER_KEY, encodeRecord(SERVER_KEY, server)), {
        sync: true,
      });
      // Fsynced, so that nothing but damage can take it back.
      await noteLastCommit(options.directory, chain);
      await store.eraser.start();
      store.#scrub.start();
      return store;
    } catch (error) {
      await level.close();
      throw error;
    }
  }

  /** Writes in commit order; see CommitQueue.commit. */
  commit<T>(run: (tx: WriteTx) => T, options?: CommitOptions): Promise<T> {
    return this.#queue.commit(run, options);
  }

  /** Resolves when all that is committed by now would survive a power cut. */
  flush(): Promise<void> {
    return this.#queue.commit(() => undefined, { sync: true });
  }

  /** A tick that may be shown at once; see CommitQueue.drawTick. */
  drawTick(): Promise<Tick> {
    return this.#queue.drawTick();
  }

  get commits(): Readonly<CommitFigures> {
    return this.#queue.figures;
  }

  /** What the store takes on the disk. */
  size(): Promise<{ readonly bytes: number; readonly files: number }> {
    return directorySize(storeIn(this.#directory));
  }

  /** Tick of the last completed commit. */
  get lastCommitted(): Tick {
    return this.#queue.lastCommitted;
  }

  /**
   * Resolves when all tables have been read once since the start. Whoever removes data because something else is not
   * there must wait for this: what is damaged may only seem not to be there.
   */
  get scrubbed(): Promise<void> {
    return this.#scrub.readOnce;
  }

  /** Why writes are refused, if they are. */
  get failure(): ServiceError | undefined {
    return this.#queue.failure;
  }

  /** Resolves when writes begin to be refused, before anybody is told of it; never without that. */
  get failed(): Promise<ServiceError> {
    return this.#queue.failed;
  }

  /** No tick of this server is smaller, as far back as it remembers its runs. */
  get firstTick(): Tick {
    return this.server.incarnations[0]?.firstTick ?? 0n;
  }

  get incarnation(): Incarnation {
    const current = this.server.incarnations.at(-1);
    if (!current) throw new ServiceError('internal', 'the server record names no incarnation');
    return current;
  }

  /** The pointer to the live entry of a document, as committed. */
  pointer(number: number, documentKey: string): Pointer | undefined {
    const value = this.level.getSync(primaryKey(number, documentKey));
    return value && decodePointer(value);
  }

  /**
   * The live line of a document, as committed, without newline. When a commit moves the entry between
   * the two reads, the pointer is read again (design, rule 7).
   * @throws ServiceError storageDamaged when the block is missing or damaged.
   */
  readLine(number: number, documentKey: string): { pointer: Pointer; line: string } | undefined {
    for (let attempt = 1; ; attempt++) {
      const pointer = this.pointer(number, documentKey);
      if (!pointer) return undefined;
      try {
        const line = readStoredLine(this.level, number, pointer);
        checkKey(line, documentKey);
        return { pointer, line };
      } catch (error) {
        const now = this.pointer(number, documentKey);
        const moved = now?.tick !== pointer.tick || now.distance !== pointer.distance;
        if (!moved || attempt >= READ_ATTEMPTS_MAX) throw error;
      }
    }
  }

  /** The record under a meta key. */
  record<T>(key: Buffer): T | undefined {
    const value = this.level.getSync(key);
    return value && decodeRecord<T>(key, value);
  }

  /** All records of a meta kind, in key order. */
  async records<T>(kind: string): Promise<{ key: Buffer; record: T }[]> {
    const prefix = metaKey(kind);
    const found: { key: Buffer; record: T }[] = [];
    const end = Buffer.from(prefix);
    end[1] = (end[1] ?? 0) + 1;
    for await (const [key, value] of this.level.iterator({ gte: prefix, lt: end })) {
      found.push({ key, record: decodeRecord<T>(key, value) });
    }
    return found;
  }

  /** Waits for what is under way, notes the last commit, and closes. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#abort.abort();
    await this.eraser.stopped();
    await this.#scrub.stopped();
    await this.#queue.drain();
    try {
      // Fsynced, so that a power cut after the stop cannot take back what is noted then.
      if (!this.#queue.failure) await this.flush();
    } finally {
      await this.level.close();
    }
    if (!this.#queue.failure) await noteLastCommit(this.#directory, this.#chain);
  }
}

/** Where LevelDB has its files. */
function storeIn(directory: string): string {
  return join(directory, STORE_FOLDER);
}

/** A pointer has no checksum of its own: what it leads to must be about its document. */
function checkKey(line: string, documentKey: string): void {
  if (line.startsWith(`"key":${JSON.stringify(documentKey)},`, line.indexOf('"key":'))) return;
  throw new ServiceError(
    'storageDamaged',
    `the pointer of document '${documentKey}' leads to an entry of another one`,
  );
}

async function openLevel(level: Level, directory: string): Promise<void> {
  try {
    await level.open();
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'LEVEL_LOCKED') {
      throw new ServiceError(
        'storeLocked',
        `another server has the data directory ${directory} open; stop it, or choose another directory`,
        { cause: error },
      );
    }
    const failure = writeFailure(cause ?? error);
    if (failure.kind === 'filesystemFull') throw failure;
    const reason = cause instanceof Error ? cause.message : String(error);
    throw new ServiceError(
      'storageDamaged',
      `the data directory ${directory} cannot be opened: ${reason}`,
      { cause: error },
    );
  }
}

async function allRecords(level: Level, space: number): Promise<{ key: Buffer; value: Buffer }[]> {
  const range = { gte: Buffer.from([space]), lt: Buffer.from([space + 1]) };
  const found = await level.iterator(range).all();
  return found.map(([key, value]) => ({ key, value }));
}

/** Comes before everything that rests on the format. */
function checkFormat(level: Level): void {
  const stored = level.getSync(SERVER_KEY);
  if (!stored) return;
  const { format } = decodeRecord<ServerRecord>(SERVER_KEY, stored);
  if (format === STORE_FORMAT) return;
  throw new ServiceError(
    'unknownFormat',
    `this data directory has store format ${format}, this program knows ${STORE_FORMAT} only`,
  );
}

/** Reads who this server is and where its counter goes on, and adds the incarnation of this run. */
function begin(
  level: Level,
  chain: CommitChain,
  clock: Clock,
  newServerId: boolean,
): { ticks: TickSource; server: ServerRecord } {
  const stored = level.getSync(SERVER_KEY);
  const known = stored && decodeRecord<ServerRecord>(SERVER_KEY, stored);
  const ceilingValue = level.getSync(CEILING_KEY);
  // A new server's counter starts at its birth in units of 10 microseconds, so that the ids of collections
  // made on different servers do not meet by accident when one follows the other.
  const next = ceilingValue
    ? unprotect(CEILING_KEY, ceilingValue).readBigUInt64BE(0)
    : BigInt(clock.nowMs()) * 100n;
  const incarnation: Incarnation = {
    id: randomBytes(8).toString('hex'),
    firstTick: next,
    foundTick: chain.last?.tick ?? 0n,
  };
  const fresh = !known || newServerId;
  const server: ServerRecord = {
    format: STORE_FORMAT,
    serverId: fresh ? newId() : known.serverId,
    incarnations: [...(fresh ? [] : known.incarnations), incarnation].slice(-INCARNATIONS_KEPT),
    hasLastCommit: true,
  };
  return { ticks: new TickSource({ next, ceiling: next }), server };
}

/** A random server id of 48 bits, never 0 (contract 1.2). */
function newId(): string {
  return String(randomBytes(6).readUIntBE(0, 6) + 1);
}
