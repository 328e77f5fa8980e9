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

/** Filled and copied: a commit may write those of a thousand collections. */
const PAYLOAD = Buffer.alloc(64);
const FIELDS = new DataView(PAYLOAD.buffer, PAYLOAD.byteOffset, PAYLOAD.length);

export function statsKey(number: number): Buffer {
  return metaKey('s', number);
}

export function encodeStats(key: Buffer, stats: CollectionStats): Buffer {
  FIELDS.setFloat64(0, stats.count);
  FIELDS.setFloat64(8, stats.entries);
  FIELDS.setFloat64(16, stats.dead);
  FIELDS.setFloat64(24, stats.bytes);
  FIELDS.setFloat64(32, stats.newBlocks);
  FIELDS.setBigUint64(40, stats.lastTick);
  FIELDS.setFloat64(48, stats.lastKey);
  FIELDS.setBigUint64(56, stats.mergedTick);
  return protect(key, PAYLOAD);
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
