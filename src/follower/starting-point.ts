import type { Logger } from '../base/logger.ts';
import type { Database } from '../documents/database.ts';
import { isServiceError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import { type Checkpoint, UNKNOWN_LEADER, writeCheckpoint } from './checkpoint.ts';
import { refusedAnswer } from './classify.ts';
import { errorFields } from './failure-log.ts';
import type { LeaderState, OpenOnLeader } from './leader-answers.ts';
import { leaderTraits } from './leader-traits.ts';

export interface StartingDeps {
  readonly store: Store;
  readonly database: Database;
  readonly logger: Logger;
  /** Asks the leader which transactions were open at a tick; as LeaderClient.openTransactions. */
  readonly openTransactions: (at: bigint) => Promise<OpenOnLeader>;
}

/**
 * Makes a stored position one to follow from (contract 6.4). One that somebody gave gets the name of its
 * leader. One at which the leader may have had open transactions is moved back to before the
 * first of them: what of the log is read a second time counts for those transactions only (6.6). Both is
 * stored before anything is applied.
 *
 * @throws what `openTransactions` rejects with, but for a leader that refuses
 */
export async function settlePosition(
  deps: StartingDeps,
  state: LeaderState,
  stored: Checkpoint,
): Promise<Checkpoint> {
  const isGiven = stored.leaderId === UNKNOWN_LEADER;
  if (!isGiven && stored.isGiven !== true) return stored;
  const opened = leaderTraits(state).listsOpenTransactions ? await openAt(deps, stored) : undefined;
  const named = isGiven
    ? { ...stored, leaderId: state.serverId, incarnation: state.incarnations?.at(-1)?.id }
    : stored;
  return deps.store.commit((tx) => {
    deps.database.assertAlive();
    const checkpoint = { ...named, ...opened, isGiven: false };
    writeCheckpoint(tx, deps.database.number, checkpoint);
    return checkpoint;
  });
}

/** Where to go back to, and for which transactions; undefined when none was open. */
async function openAt(
  { logger, openTransactions }: StartingDeps,
  { appliedTick }: Checkpoint,
): Promise<Pick<Checkpoint, 'processedTick' | 'replay'> | undefined> {
  let open: OpenOnLeader;
  try {
    open = await openTransactions(appliedTick);
  } catch (error) {
    if (!isServiceError(error, 'leaderError') || !isRefusal(error)) throw error;
    logger.warn(errorFields(error), 'the leader does not tell which transactions are open');
    return undefined;
  }
  const { tids, restartTick } = open;
  if (tids.length === 0) return undefined;
  const back = restartTick > 0n && restartTick < appliedTick ? restartTick : appliedTick;
  logger.info(
    { transactions: tids.length, from: back.toString() },
    'transactions are open at the position; going back to where they began',
  );
  return { processedTick: back, replay: { until: appliedTick, tids } };
}

/** An error of the client, not one that passes. */
function isRefusal(error: unknown): boolean {
  const status = refusedAnswer(error)?.status ?? 0;
  return status >= 400 && status < 500;
}
