import { type Tick, tickText } from '../model/tick.ts';
import type { Scratch } from './scratch.ts';

/** What the primary space says of a live document. */
export interface Pointer {
  /** Tick of the live entry in the journal. */
  readonly tick: Tick;
  /** Distance from that tick to the last tick of its block: the block's key. */
  readonly distance: number;
  readonly rev: string;
}

/** Eight bytes that a number is put in, big-endian, to be copied: cheaper than taking it apart. */
const WORD = new DataView(new ArrayBuffer(8));
const WORD_BYTES = new Uint8Array(WORD.buffer);

const FLAG_REV_IS_TICK = 1;
const HEAD_BYTES = 13;
/** No stored pointer is shorter. */
export const POINTER_MIN_BYTES = HEAD_BYTES;

/** What a batch that is being put together will leave under a primary key. */
export abstract class PendingPointer implements Pointer {
  abstract readonly tick: Tick;
  abstract readonly distance: number;
  abstract readonly rev: string;
}

/** A pointer to an entry whose block is still open: `distance` is set when that is closed. */
export class OpenPointer extends PendingPointer {
  readonly tick: Tick;
  readonly rev: string;
  distance = 0;
  /** Found out when the text of the tick is at hand. */
  readonly isRevTick: boolean;

  constructor(tick: Tick, rev: string) {
    super();
    this.tick = tick;
    this.rev = rev;
    this.isRevTick = rev === tickText(tick);
  }
}

/*
 * u8 flags, u64 tick, u32 distance, and the revision unless it is the tick in decimal.
 */

/** The stored form. @param scratch where it is put, if it is copied at once */
export function encodePointer(pointer: Pointer, scratch?: Scratch): Buffer {
  const { tick, rev, distance } = pointer;
  const own = pointer instanceof OpenPointer ? pointer.isRevTick : rev === tick.toString();
  const bytes = own ? HEAD_BYTES : HEAD_BYTES + Buffer.byteLength(rev);
  const value = scratch ? scratch.take(bytes) : Buffer.allocUnsafe(bytes);
  value[0] = own ? FLAG_REV_IS_TICK : 0;
  WORD.setBigUint64(0, tick);
  for (let i = 0; i < WORD_BYTES.length; i++) value[1 + i] = WORD_BYTES[i] ?? 0;
  write32(value, 9, distance);
  if (!own) value.write(rev, HEAD_BYTES);
  return value;
}

/**
 * As `encodePointer`, with a revision whose bytes stand in a buffer, for loops.
 * @param tickHigh the upper 32 bits of the tick, `tickLow` the lower
 * @param rev undefined when it is the tick; nothing else is looked for
 */
export function encodePointerBytes(
  tickHigh: number,
  tickLow: number,
  distance: number,
  rev: { readonly source: Buffer; readonly start: number; readonly end: number } | undefined,
  scratch: Scratch,
): Buffer {
  const value = scratch.take(HEAD_BYTES + (rev ? rev.end - rev.start : 0));
  value[0] = rev ? 0 : FLAG_REV_IS_TICK;
  write32(value, 1, tickHigh);
  write32(value, 5, tickLow);
  write32(value, 9, distance);
  if (!rev) return value;
  const { source, start, end } = rev;
  for (let i = start, at = HEAD_BYTES; i < end; i++, at++) value[at] = source[i] ?? 0;
  return value;
}

/** Big-endian. */
function write32(target: Buffer, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
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

/** Whether the revision of a stored pointer is its tick, in decimal. */
export function isPointerRevTick(value: Buffer): boolean {
  return ((value[0] ?? 0) & FLAG_REV_IS_TICK) !== 0;
}
