import { ServiceError } from '../model/errors.ts';
import { MAX_TICK, type Tick } from '../model/tick.ts';
import type { LogPage } from './leader-page.ts';
import type { LeaderTraits } from './leader-traits.ts';

/**
 * Up to where the log is known after a page; `position` when the page brings nothing.
 *
 * @param leader what it is, and where, for the message
 * @throws ServiceError invalidResponse (1401) for a tick above 2^63
 */
export function endOfPage(
  { lastIncluded, lastScanned = 0n }: LogPage,
  position: Tick,
  leader: { readonly traits: LeaderTraits; readonly endpoint: string },
): Tick {
  // Other servers look at the last tick again (contract 6.5).
  const isExact = leader.traits.isTicklog || lastScanned === 0n;
  const scanned = isExact ? lastScanned : lastScanned - 1n;
  const end = lastIncluded > scanned ? lastIncluded : scanned;
  if (end >= MAX_TICK) {
    throw new ServiceError(
      'invalidResponse',
      `got invalid response from master at ${leader.endpoint}: tick ${end} is above 2^63`,
    );
  }
  return end > position ? end : position;
}

/**
 * Whether nothing is left in the log behind a page.
 * @param next what `endOfPage` says
 */
export function isLastPage(
  { lastTick, checkMore }: LogPage,
  next: Tick,
  { isTicklog }: LeaderTraits,
): boolean {
  // Others count in the tick of the log what is none of this database's.
  return next >= lastTick || (!isTicklog && !checkMore);
}
