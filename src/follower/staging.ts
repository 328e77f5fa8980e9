import { ServiceError } from '../model/errors.ts';
import { parseTick } from '../model/tick.ts';
import { keyGroups } from '../storage/key-groups.ts';
import { Space, numberRange, stagingKey } from '../storage/keys.ts';
import { protect, unprotect } from '../storage/record.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { OpenTransaction } from './checkpoint.ts';

/** Lines of one transaction as they came, and whether they may be cut. */
export interface StagedChunk {
  readonly body: Buffer;
  readonly verified: boolean;
}

/** Neighbouring lines are staged together up to this size. */
const CHUNK_MAX_BYTES = 1024 * 1024;
const ERASE_STEP_KEYS = 1000;
const TID_OFFSET = 5;
const CHUNK_OFFSET = 13;

/**
 * Collects lines of open transactions out of one page and stages neighbours in one piece. The
 * transactions it is given are those of a draft of the checkpoint; `flush` brings them up to date.
 */
export class StagingWriter {
  readonly #tx: WriteTx;
  readonly #databaseNumber: number;
  readonly #verified: boolean;
  readonly #open: Map<string, OpenTransaction>;
  #tid = '';
  #start = 0;
  #end = 0;
  #lines = 0;
  #body: Buffer | undefined;

  /** @param deps.open the open transactions by their ids; `flush` replaces entries */
  constructor(
    deps: { tx: WriteTx; open: Map<string, OpenTransaction> },
    options: { databaseNumber: number; verified: boolean },
  ) {
    this.#tx = deps.tx;
    this.#open = deps.open;
    this.#databaseNumber = options.databaseNumber;
    this.#verified = options.verified;
  }

  /** Stages one line, newline included, of a transaction that is open. */
  add(tid: string, body: Buffer, lineStart: number, lineEnd: number): void {
    const fits = lineEnd - this.#start <= CHUNK_MAX_BYTES;
    if (this.#body !== body || tid !== this.#tid || lineStart !== this.#end || !fits) {
      this.flush();
      this.#body = body;
      this.#tid = tid;
      this.#start = lineStart;
    }
    this.#end = lineEnd;
    this.#lines++;
  }

  /** Writes what was collected. */
  flush(): void {
    const open = this.#open.get(this.#tid);
    if (!this.#body || !open) return;
    const lines = this.#body.subarray(this.#start, this.#end);
    const key = stagingKey(this.#databaseNumber, tidNumber(this.#tid), open.chunks);
    const payload = Buffer.allocUnsafe(1 + lines.length);
    payload[0] = this.#verified ? 1 : 0;
    lines.copy(payload, 1);
    this.#tx.put(key, protect(key, payload));
    this.#open.set(this.#tid, {
      ...open,
      chunks: open.chunks + 1,
      lines: open.lines + this.#lines,
      bytes: open.bytes + lines.length,
    });
    this.#body = undefined;
    this.#lines = 0;
  }
}

/** @throws ServiceError storageDamaged when the piece is gone or fails its checksum */
export function readStaged(
  tx: WriteTx,
  databaseNumber: number,
  tid: string,
  chunk: number,
): StagedChunk {
  const key = stagingKey(databaseNumber, tidNumber(tid), chunk);
  const stored = tx.get(key);
  if (!stored) {
    throw new ServiceError('storageDamaged', `a staged part of transaction ${tid} is missing`);
  }
  const payload = unprotect(key, stored);
  return { body: payload.subarray(1), verified: payload[0] === 1 };
}

/** Removes one piece. */
export function dropStaged(tx: WriteTx, databaseNumber: number, tid: string, chunk: number): void {
  tx.del(stagingKey(databaseNumber, tidNumber(tid), chunk));
}

/** Removes all that is staged of a transaction. */
export function dropAllStaged(tx: WriteTx, databaseNumber: number, open: OpenTransaction): void {
  for (let chunk = open.appliedChunks; chunk < open.chunks; chunk++) {
    dropStaged(tx, databaseNumber, open.tid, chunk);
  }
}

/**
 * Removes what is staged for transactions that no checkpoint knows: those of a position that was
 * forgotten. In bounded steps; nothing may be staged at the same time.
 */
export async function removeOrphans(
  store: Store,
  databaseNumber: number,
  open: readonly OpenTransaction[],
): Promise<void> {
  const known = new Set(open.map(({ tid }) => tidNumber(tid)));
  const range = numberRange(Space.staging, databaseNumber);
  for await (const found of keyGroups(store.level, range, ERASE_STEP_KEYS)) {
    const orphans = found.filter((key) => !known.has(key.readBigUInt64BE(TID_OFFSET)));
    if (orphans.length === 0) continue;
    await store.commit((tx) => {
      for (const key of orphans) tx.putBlind(key, null);
    });
  }
}

/** Which piece of which transaction is stored under a key. */
export function stagedAt(key: Buffer): { tid: bigint; chunk: bigint } {
  return { tid: key.readBigUInt64BE(TID_OFFSET), chunk: key.readBigUInt64BE(CHUNK_OFFSET) };
}

/** @throws ServiceError invalidTransaction (1408) for an id that is no number */
export function tidNumber(tid: string): bigint {
  const number = parseTick(tid);
  if (number === undefined) {
    throw new ServiceError('invalidTransaction', `'${tid}' is no transaction id`);
  }
  return number;
}
