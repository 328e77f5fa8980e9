import { ServiceError, isServiceError } from '../model/errors.ts';
import { MAX_TICK, type Tick } from '../model/tick.ts';
import { metaKey } from '../storage/keys.ts';
import { encodeRecord } from '../storage/record.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';

/** A transaction of the leader whose end has not been read yet; its lines are staged. */
export interface OpenTransaction {
  /** Digits. */
  readonly tid: string;
  /** Tick of its 2200. */
  readonly startTick: Tick;
  /** How many pieces its lines are staged in. */
  readonly chunks: number;
  readonly lines: number;
  /** Bytes of the lines. */
  readonly bytes: number;
  /** Pieces applied, and gone; above 0 only while a transaction above the limit is being applied. */
  readonly appliedChunks: number;
  /** Lines in them. */
  readonly appliedLines: number;
}

/** A part of the log of which only some lines count: the others are applied already. */
export interface Replay {
  /** Up to here, inclusively. */
  readonly until: Tick;
  /** Transactions whose lines count. */
  readonly tids: readonly string[];
}

/** A part of a log that is read a second time: what is here may be newer than its lines. */
export interface KnownLog {
  readonly leaderId: string;
  /** The run of the leader in which the tick was given out. */
  readonly incarnation: string;
  /** Up to here, inclusively. */
  readonly tick: Tick;
}

/** How far a follower is, always written in the batch of the data it speaks of (P3). */
export interface Checkpoint {
  /** Server id of the leader, or `UNKNOWN_LEADER`. */
  readonly leaderId: string;
  /** The run of the leader that was followed last; undefined for leaders that do not say. */
  readonly incarnation: string | undefined;
  /** Newest tick after which the data is consistent: never inside a transaction. */
  readonly appliedTick: Tick;
  /** Newest tick read; lines at or below it are not applied again (P4). */
  readonly processedTick: Tick;
  /** In the order of their beginnings. */
  readonly open: readonly OpenTransaction[];
  /** The log is read a second time for transactions that were open at the position. */
  readonly replay?: Replay | undefined;
  /** Where the position was before somebody sent it back; absent when the log is not read a second time. */
  readonly known?: KnownLog | undefined;
  /** Nobody has asked yet which transactions of the leader are open here. */
  readonly isGiven?: boolean;
  /** When it was written, ms since 1970. */
  readonly updatedMs: number;
}

/** Stands for a leader that has not been asked yet: a position somebody gave. */
export const UNKNOWN_LEADER = '';

/** What is known of a position to begin at. */
export interface StartingPoint {
  readonly leaderId: string;
  readonly incarnation?: string | undefined;
  readonly tick: Tick;
}

/** Where the position of a database is stored. */
export function checkpointKey(databaseNumber: number): Buffer {
  return metaKey('k', databaseNumber);
}

/** The position of one who begins after `tick`. */
export function checkpointAt(point: StartingPoint, nowMs: number): Checkpoint {
  return {
    leaderId: point.leaderId,
    incarnation: point.incarnation,
    appliedTick: point.tick,
    processedTick: point.tick,
    open: [],
    isGiven: true,
    updatedMs: nowMs,
  };
}

/**
 * Puts a position that somebody gives in the place of the stored one. Whose it is shows when the leader is asked.
 * @throws ServiceError badParameter (10) for tick 0, and for one above 2^63
 */
export function giveCheckpoint(
  tx: WriteTx,
  store: Store,
  databaseNumber: number,
  tick: Tick,
): void {
  if (tick === 0n) {
    throw new ServiceError(
      'badParameter',
      "'from' must be a tick above 0; leave it out to go on from the stored position",
    );
  }
  if (tick >= MAX_TICK) {
    throw new ServiceError('badParameter', `tick ${tick} is above the largest one, 2^63`);
  }
  const given = checkpointAt({ leaderId: UNKNOWN_LEADER, tick }, tx.timeMs);
  const known = knownLog(store, databaseNumber);
  const isBack = known !== undefined && known.tick > tick;
  writeCheckpoint(tx, databaseNumber, { ...given, ...(isBack ? { known } : {}) });
}

/** What is known of the log by the stored position; nothing by one that cannot be read, or was only given. */
function knownLog(store: Store, databaseNumber: number): KnownLog | undefined {
  try {
    const stored = readCheckpoint(store, databaseNumber);
    if (!stored) return undefined;
    const { leaderId, incarnation, processedTick: tick, known } = stored;
    if (leaderId === UNKNOWN_LEADER || (known && known.tick > tick)) return known;
    return incarnation === undefined ? undefined : { leaderId, incarnation, tick };
  } catch (error) {
    if (isServiceError(error, 'invalidApplierState')) return undefined;
    throw error;
  }
}

/**
 * The stored position of a database; undefined when there is none.
 * @throws ServiceError invalidApplierState (1407) when it cannot be read
 */
export function readCheckpoint(store: Store, databaseNumber: number): Checkpoint | undefined {
  let stored: Checkpoint | undefined;
  try {
    stored = store.record<Checkpoint>(checkpointKey(databaseNumber));
  } catch (cause) {
    throw unreadable(cause);
  }
  if (stored !== undefined && !isCheckpoint(stored)) throw unreadable();
  return stored;
}

/**
 * The stored position as a state shows it: undefined also when it cannot be read, which is for the
 * start to fail with, and when it was given and nothing of it is applied yet as far as anybody knows.
 */
export function knownPosition(store: Store, databaseNumber: number): Checkpoint | undefined {
  try {
    const stored = readCheckpoint(store, databaseNumber);
    return stored?.leaderId === UNKNOWN_LEADER ? undefined : stored;
  } catch (error) {
    if (error instanceof ServiceError) return undefined;
    throw error;
  }
}

export function writeCheckpoint(tx: WriteTx, databaseNumber: number, checkpoint: Checkpoint): void {
  const key = checkpointKey(databaseNumber);
  tx.put(key, encodeRecord(key, checkpoint));
}

/** Forgets the position; what is staged becomes an orphan (see `removeOrphans`). */
export function deleteCheckpoint(tx: WriteTx, databaseNumber: number): void {
  tx.del(checkpointKey(databaseNumber));
}

/** Whether what is stored has the parts of a position. */
export function isCheckpoint(value: unknown): value is Checkpoint {
  if (typeof value !== 'object' || value === null) return false;
  const { leaderId, appliedTick, processedTick, open } = value as Partial<Checkpoint>;
  return (
    typeof leaderId === 'string' &&
    typeof appliedTick === 'bigint' &&
    typeof processedTick === 'bigint' &&
    Array.isArray(open)
  );
}

function unreadable(cause?: unknown): ServiceError {
  return new ServiceError(
    'invalidApplierState',
    'the stored position of the applier cannot be read',
    cause === undefined ? {} : { cause },
  );
}
