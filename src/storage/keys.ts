import type { Tick } from '../model/tick.ts';
import type { Scratch } from './scratch.ts';

/**
 * The key layout of the one LevelDB: the first byte names the space, numbers follow big-endian so
 * that bytes sort as numbers do. Numbers of databases, collections and indexes are given out once
 * and never used again (design: numbers, not cids, in keys).
 */
export const Space = {
  /** `z` sequence -> commit chain record. */
  commit: 0x7a,
  /** `i` index number, encoded values [, key] -> key or nothing. */
  secondary: 0x69,
  /** `j` collection number, last tick -> block of dump lines. */
  journal: 0x6a,
  /** `l` database number, last tick -> block of follow lines. */
  changelog: 0x6c,
  /** `m` kind, ... -> catalogue, configurations, positions. */
  meta: 0x6d,
  /** `p` collection number, document key -> pointer to the live entry. */
  primary: 0x70,
  /** `s` database number, transaction id, n -> lines of open foreign transactions. */
  staging: 0x73,
  /** `v` tick of a view, document key -> the pointer as it was at that tick. */
  view: 0x76,
} as const;

export type BlockSpace = typeof Space.journal | typeof Space.changelog;

/** What stands before the document key in a primary key. */
export const PRIMARY_HEAD_BYTES = 5;
/** Length in bytes of the key of a block. */
export const BLOCK_KEY_BYTES = 13;

const VIEW_HEAD_BYTES = 9;

/** Key of the block of `number` whose newest entry has `lastTick`. @param scratch where it is put, if it is copied at once */
export function blockKey(
  space: BlockSpace,
  number: number,
  lastTick: Tick,
  scratch?: Scratch,
): Buffer {
  const key = scratch?.take(BLOCK_KEY_BYTES) ?? Buffer.allocUnsafe(BLOCK_KEY_BYTES);
  key[0] = space;
  key.writeUInt32BE(number, 1);
  key.writeBigUInt64BE(lastTick, 5);
  return key;
}

/** The number in a block's key: that of its log. */
export function blockKeyNumber(key: Buffer): number {
  return key.readUInt32BE(1);
}

/** The tick in a block's key: that of its newest entry. */
export function blockKeyTick(key: Buffer): Tick {
  return key.readBigUInt64BE(5);
}

/** Key of the pointer to the live entry of a document. */
export function primaryKey(number: number, documentKey: string): Buffer {
  const key = Buffer.allocUnsafe(5 + Buffer.byteLength(documentKey));
  key[0] = Space.primary;
  key.writeUInt32BE(number, 1);
  key.write(documentKey, 5);
  return key;
}

/** As `primaryKey`, of a document key whose bytes stand in a buffer; valid as `scratch` says. */
export function primaryKeyBytes(
  number: number,
  source: Buffer,
  start: number,
  end: number,
  scratch: Scratch,
): Buffer {
  const key = scratch.take(PRIMARY_HEAD_BYTES + end - start);
  key[0] = Space.primary;
  key[1] = number >>> 24;
  key[2] = number >>> 16;
  key[3] = number >>> 8;
  key[4] = number;
  for (let i = start, at = PRIMARY_HEAD_BYTES; i < end; i++, at++) key[at] = source[i] ?? 0;
  return key;
}

/**
 * What the primary keys of a collection begin with, as latin1 text. With the key of a document, which is
 * ASCII (contract 9.3), behind it, it is the latin1 text of a primary key.
 */
export function primaryPrefix(number: number): string {
  return primaryKey(number, '').toString('latin1');
}

/** The document key in a primary key. */
export function primaryKeyDocument(key: Buffer): string {
  return key.toString('utf8', 5);
}

/**
 * What the keys that belong to the view of this tick begin with, as latin1 text; behind it stands the key of a
 * document. Ticks are never given twice, so what an ended view left behind is not met by another.
 */
export function viewPrefix(tick: Tick): string {
  return viewKey(tick, '').toString('latin1');
}

/** Where the view of this tick keeps the pointer of a document. */
export function viewKey(tick: Tick, documentKey: string): Buffer {
  const key = Buffer.allocUnsafe(VIEW_HEAD_BYTES + Buffer.byteLength(documentKey));
  key[0] = Space.view;
  key.writeBigUInt64BE(tick, 1);
  key.write(documentKey, VIEW_HEAD_BYTES);
  return key;
}

/** The document key in a key of a view. */
export function viewKeyDocument(key: Buffer): string {
  return key.toString('utf8', VIEW_HEAD_BYTES);
}

/** Key of the n-th staged line of a foreign transaction of a database. */
export function stagingKey(databaseNumber: number, tid: bigint, n: number): Buffer {
  const key = Buffer.allocUnsafe(21);
  key[0] = Space.staging;
  key.writeUInt32BE(databaseNumber, 1);
  key.writeBigUInt64BE(tid, 5);
  key.writeBigUInt64BE(BigInt(n), 13);
  return key;
}

/** Key of the commit chain record with this sequence number. */
export function commitKey(sequence: number): Buffer {
  const key = Buffer.allocUnsafe(9);
  key[0] = Space.commit;
  key.writeBigUInt64BE(BigInt(sequence), 1);
  return key;
}

/** Key of a meta record: a kind of one letter, then numbers. */
export function metaKey(kind: string, ...numbers: number[]): Buffer {
  const key = Buffer.allocUnsafe(2 + 4 * numbers.length);
  key[0] = Space.meta;
  key[1] = kind.charCodeAt(0);
  numbers.forEach((number, i) => key.writeUInt32BE(number, 2 + 4 * i));
  return key;
}

/** The n-th number in a meta key. */
export function metaKeyNumber(key: Buffer, n = 0): number {
  return key.readUInt32BE(2 + 4 * n);
}

/** A half-open range of keys, `start` included, `end` not. */
export interface KeyRange {
  readonly start: Buffer;
  readonly end: Buffer;
}

/** All keys that begin with the prefix. The prefix must not consist of 0xff bytes only. */
export function prefixRange(prefix: Buffer): KeyRange {
  const end = Buffer.from(prefix);
  let last = end.length - 1;
  while (end[last] === 0xff) last--;
  end[last] = (end[last] ?? 0) + 1;
  return { start: prefix, end: end.subarray(0, last + 1) };
}

/** All keys of a space that belong to this number. */
export function numberRange(space: number, number: number): KeyRange {
  const prefix = Buffer.allocUnsafe(5);
  prefix[0] = space;
  prefix.writeUInt32BE(number, 1);
  return prefixRange(prefix);
}
