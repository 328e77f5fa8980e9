import type { Changelog } from '../changelog/changelog.ts';
import { MarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import type { TickRange } from '../protocol/params.ts';

/** The answer to determine-open-transactions (contract 2.9). */
export interface OpenTransactions {
  /** Those begun and not ended within the range. */
  readonly tids: readonly string[];
  /** From here a follower must go on to see them whole. */
  readonly lastTick: Tick;
  /** Whether nothing is missing between `from` and the first event. */
  readonly fromPresent: boolean;
}

/**
 * The transactions that a range of the log cuts off. A transaction is written when it is committed, in
 * one piece, so that there is one at most: the one that `to` falls into.
 *
 * @throws ServiceError storageDamaged
 */
export async function openTransactions(
  changelog: Changelog,
  { from, to }: TickRange,
): Promise<OpenTransactions> {
  const last = await changelog.lastEntry(to);
  const fromPresent = changelog.holds(from);
  if (!last || last.tick <= from) return { tids: [], lastTick: 0n, fromPresent };
  // A transaction is named for the tick of its first event.
  const { tick, type, transaction } = last;
  const isOpen = transaction > from && type !== MarkerType.transactionCommit;
  if (!isOpen) return { tids: [], lastTick: tick, fromPresent };
  return { tids: [transaction.toString()], lastTick: transaction - 1n, fromPresent };
}
