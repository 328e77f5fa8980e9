import type { Tick } from '../model/tick.ts';

/** What the primary space says of a live document. */
export interface Pointer {
  /** Tick of the live entry in the journal. */
  readonly tick: Tick;
  /** Distance from that tick to the last tick of its block: the block's key. */
  readonly distance: number;
  readonly rev: string;
}

const FLAG_REV_IS_TICK = 1;
const HEAD_BYTES = 13;

/*
 * u8 flags, u64 tick, u32 distance, and the revision unless it is the tick in decimal. The distance
 * is known only when the block is closed, so it is filled in then.
 */

/** A pointer to an entry of a block that is still open. */
export function encodePointer(tick: Tick, rev: string, distance = 0): Buffer {
  const own = rev === tick.toString();
  const pointer = Buffer.allocUnsafe(own ? HEAD_BYTES : HEAD_BYTES + Buffer.byteLength(rev));
  pointer[0] = own ? FLAG_REV_IS_TICK : 0;
  pointer.writeBigUInt64BE(tick, 1);
  pointer.writeUInt32BE(distance, 9);
  if (!own) pointer.write(rev, HEAD_BYTES);
  return pointer;
}

export function decodePointer(value: Buffer): Pointer {
  const tick = value.readBigUInt64BE(1);
  const own = ((value[0] ?? 0) & FLAG_REV_IS_TICK) !== 0;
  return {
    tick,
    distance: value.readUInt32BE(9),
    rev: own ? tick.toString() : value.toString('utf8', HEAD_BYTES),
  };
}

/** The tick alone, for loops that need nothing else. */
export function pointerTick(value: Buffer): Tick {
  return value.readBigUInt64BE(1);
}

/** Fills in where the block ends. */
export function setPointerDistance(value: Buffer, distance: number): void {
  value.writeUInt32BE(distance, 9);
}
