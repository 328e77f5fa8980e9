import type { Tick } from '../model/tick.ts';
import { metaKey } from '../storage/keys.ts';
import { protect, unprotect } from '../storage/record.ts';

/** What is known of a database's changelog; written in the same batch as the entries it counts. */
export interface LogState {
  /** Tick of the newest event, 0 when there never was one. */
  readonly lastTick: Tick;
  /** Tick of the oldest event still held, 0 when there is none. */
  readonly firstTick: Tick;
  /** Everything up to this tick was removed by retention. */
  readonly removedTick: Tick;
  /** Last tick before which the log is incomplete (design, rule 8). */
  readonly holeAt: Tick;
  /** Events and bytes of lines still held. */
  readonly events: number;
  readonly bytes: number;
  /** Blocks up to this tick need no merging. */
  readonly mergedTick: Tick;
  /** Whether a change went unlogged since the logger stopped. */
  readonly unlogged: boolean;
  /** Whether a change of the applier or a sync went unlogged since remote changes are not logged. */
  readonly unloggedRemote: boolean;
}

export const EMPTY_LOG: LogState = {
  lastTick: 0n,
  firstTick: 0n,
  removedTick: 0n,
  holeAt: 0n,
  events: 0,
  bytes: 0,
  mergedTick: 0n,
  unlogged: false,
  unloggedRemote: false,
};

const PAYLOAD_BYTES = 57;
const UNLOGGED = 1;
const UNLOGGED_REMOTE = 2;

export function logStateKey(databaseNumber: number): Buffer {
  return metaKey('l', databaseNumber);
}

export function encodeLogState(key: Buffer, state: LogState): Buffer {
  const payload = Buffer.allocUnsafe(PAYLOAD_BYTES);
  payload.writeBigUInt64BE(state.lastTick, 0);
  payload.writeBigUInt64BE(state.firstTick, 8);
  payload.writeBigUInt64BE(state.removedTick, 16);
  payload.writeBigUInt64BE(state.holeAt, 24);
  payload.writeDoubleBE(state.events, 32);
  payload.writeDoubleBE(state.bytes, 40);
  payload.writeBigUInt64BE(state.mergedTick, 48);
  payload[56] = (state.unlogged ? UNLOGGED : 0) | (state.unloggedRemote ? UNLOGGED_REMOTE : 0);
  return protect(key, payload);
}

/** @throws ServiceError storageDamaged when the checksum does not hold. */
export function decodeLogState(key: Buffer, value: Buffer): LogState {
  const payload = unprotect(key, value);
  return {
    lastTick: payload.readBigUInt64BE(0),
    firstTick: payload.readBigUInt64BE(8),
    removedTick: payload.readBigUInt64BE(16),
    holeAt: payload.readBigUInt64BE(24),
    events: payload.readDoubleBE(32),
    bytes: payload.readDoubleBE(40),
    mergedTick: payload.readBigUInt64BE(48),
    unlogged: ((payload[56] ?? 0) & UNLOGGED) !== 0,
    unloggedRemote: ((payload[56] ?? 0) & UNLOGGED_REMOTE) !== 0,
  };
}
