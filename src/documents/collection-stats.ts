import type { Tick } from '../model/tick.ts';
import { metaKey } from '../storage/keys.ts';
import { protect, unprotect } from '../storage/record.ts';

/** Figures of a collection, exact, written in the same batch as the entries they count (rule 11). */
export interface CollectionStats {
  /** Live documents. */
  readonly count: number;
  /** Entries of the journal: live, superseded and removals. */
  readonly entries: number;
  /** Entries that a newer one has superseded, and removals. */
  readonly dead: number;
  /** Bytes of lines in the journal. */
  readonly bytes: number;
  /** Commits that added blocks since they were last merged. */
  readonly newBlocks: number;
  /** Tick of the newest entry; 0 for none. */
  readonly lastTick: Tick;
  /** Last key of an autoincrement generator; 0 for none. */
  readonly lastKey: number;
  /** Blocks up to this tick need no merging. */
  readonly mergedTick: Tick;
}

export const EMPTY_STATS: CollectionStats = {
  count: 0,
  entries: 0,
  dead: 0,
  bytes: 0,
  newBlocks: 0,
  lastTick: 0n,
  lastKey: 0,
  mergedTick: 0n,
};

export function statsKey(number: number): Buffer {
  return metaKey('s', number);
}

export function encodeStats(key: Buffer, stats: CollectionStats): Buffer {
  const payload = Buffer.allocUnsafe(64);
  payload.writeDoubleBE(stats.count, 0);
  payload.writeDoubleBE(stats.entries, 8);
  payload.writeDoubleBE(stats.dead, 16);
  payload.writeDoubleBE(stats.bytes, 24);
  payload.writeDoubleBE(stats.newBlocks, 32);
  payload.writeBigUInt64BE(stats.lastTick, 40);
  payload.writeDoubleBE(stats.lastKey, 48);
  payload.writeBigUInt64BE(stats.mergedTick, 56);
  return protect(key, payload);
}

/** @throws ServiceError storageDamaged when the checksum does not hold. */
export function decodeStats(key: Buffer, value: Buffer): CollectionStats {
  const payload = unprotect(key, value);
  return {
    count: payload.readDoubleBE(0),
    entries: payload.readDoubleBE(8),
    dead: payload.readDoubleBE(16),
    bytes: payload.readDoubleBE(24),
    newBlocks: payload.readDoubleBE(32),
    lastTick: payload.readBigUInt64BE(40),
    lastKey: payload.readDoubleBE(48),
    mergedTick: payload.readBigUInt64BE(56),
  };
}
