import type { Database } from '../documents/database.ts';
import type { ApplierConfig } from '../model/applier-config.ts';
import { isServiceError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { loadApplierConfig } from './applier-config.ts';
import {
  type Checkpoint,
  UNKNOWN_LEADER,
  checkpointAt,
  readCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts';
import type { SyncPosition } from './initial-syncer.ts';
import type { LeaderIncarnation } from './leader-answers.ts';
import { holdsHistory } from './leader-check.ts';
import { Restriction } from './restriction.ts';

interface Follower {
  readonly store: Store;
  readonly database: Database;
}

/** What a sync has copied, and up to where. */
export interface SyncEnd {
  readonly position: SyncPosition;
  /** Database on the leader. */
  readonly leaderDatabase: string;
  readonly restriction: Restriction;
  /** Runs of a ticklog leader. */
  readonly incarnations: readonly LeaderIncarnation[] | undefined;
}

/**
 * Moves the position of the database's applier to where a sync ended, in the batch that puts the
 * copies in place (P3, P7): an applier that starts from its own position then neither passes over
 * what happened after the copy, nor misses what it still has to do for collections that were not copied.
 * @returns false when it stays where it is
 */
export function moveCheckpoint(tx: WriteTx, follower: Follower, end: SyncEnd): boolean {
  if (!moves(follower, end)) return false;
  // What is staged of open transactions has no owner now, and goes when the applier starts.
  writeCheckpoint(tx, follower.database.number, checkpointAt(end.position, tx.timeMs));
  return true;
}

/**
 * Whether the applier, whose position a sync leaves where it is, has still to read what became of a
 * collection: then it needs it as it is.
 */
export function isLeftToApplier(follower: Follower, end: SyncEnd, collectionName: string): boolean {
  const { store, database } = follower;
  const stored = readableCheckpoint(store, database);
  if (!stored || moves(follower, end)) return false;
  if (stored.leaderId !== UNKNOWN_LEADER && stored.leaderId !== end.position.leaderId) return false;
  const config = loadApplierConfig(store, database.number);
  return (
    (config.database ?? database.name) === end.leaderDatabase &&
    restrictionOf(config).accepts(collectionName)
  );
}

/** Whether the applier has a position in the log of another server than the one that was copied. */
export function followsOther({ store, database }: Follower, { position }: SyncEnd): boolean {
  const stored = readableCheckpoint(store, database);
  return (
    stored !== undefined &&
    stored.leaderId !== UNKNOWN_LEADER &&
    stored.leaderId !== position.leaderId
  );
}

/** Whether the position of the applier goes to where the sync ended. */
function moves(
  { store, database }: Follower,
  { restriction, position, incarnations }: SyncEnd,
): boolean {
  if (coversApplier(store, database, restriction)) return true;
  const stored = readableCheckpoint(store, database);
  if (!stored || !isBehind(store, database, position)) return false;
  // In a history that the leader no longer has, what was not copied is not the leader's: the
  // applier must find that out.
  return (
    stored.incarnation === undefined ||
    holdsHistory(incarnations ?? [], stored.incarnation, stored.processedTick)
  );
}

/** Whether all that the applier is set to follow was copied, so that it has nothing older to do. */
function coversApplier(store: Store, database: Database, copied: Restriction): boolean {
  const config = loadApplierConfig(store, database.number);
  const isEverything = copied.type === '' && (copied.includeSystem || !config.includeSystem);
  return isEverything || copied.equals(restrictionOf(config));
}

function restrictionOf({
  restrictType,
  restrictCollections,
  includeSystem,
}: ApplierConfig): Restriction {
  return new Restriction(restrictType, restrictCollections, includeSystem);
}

/** Whether the copies are older than the applier's position: they need what came in between again. */
export function isBehind(
  store: Store,
  database: Database,
  { leaderId, tick }: Pick<SyncPosition, 'leaderId' | 'tick'>,
): boolean {
  const stored = readableCheckpoint(store, database);
  if (!stored || stored.processedTick <= tick) return false;
  return stored.leaderId === leaderId || stored.leaderId === UNKNOWN_LEADER;
}

/** The stored position of the applier; undefined when there is none, or it cannot be read. */
export function readableCheckpoint(store: Store, database: Database): Checkpoint | undefined {
  try {
    return readCheckpoint(store, database.number);
  } catch (error) {
    // The applier says so itself, with 1407, when it is started.
    if (isServiceError(error, 'invalidApplierState')) return undefined;
    throw error;
  }
}
