import { MarkerType } from '../model/marker.ts';
import type { LoggerConfig } from '../model/logger-config.ts';
import type { Tick } from '../model/tick.ts';
import { readBlocks } from '../storage/block-reader.ts';
import { Space, blockKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { Changelog } from './changelog.ts';

type LogCaps = Pick<LoggerConfig, 'maxEvents' | 'maxEventsSize'>;

/** What of a log is to stay although it is over its caps. */
export interface LogKeep {
  /** What is newer than this tick, whatever its size. */
  readonly above?: Tick | undefined;
  /** What is newer than this tick, for followers, as long as the log is no larger than so many bytes; 0 for any size. */
  readonly clients?: { readonly above: Tick; readonly maxBytes: number } | undefined;
}

interface Removal {
  /** What the log was when this was planned. */
  readonly after: Tick;
  readonly lastTick: Tick;
  upTo: Tick;
  /** Tick of the oldest event that stays, 0 when none does. */
  firstTick: Tick;
  events: number;
  bytes: number;
}

/**
 * Removes the oldest events of a changelog that is over one of its caps, whole transactions only.
 * First the mark moves, in one batch; the blocks are erased in the background.
 *
 * @param keepAbove what is newer than this tick stays, even above the caps; absent for no such bound
 * @param caps in place of its own
 * @returns whether something was removed.
 */
export async function enforceCaps(
  store: Store,
  changelog: Changelog,
  keepAbove?: Tick,
  caps: LogCaps = changelog.config,
): Promise<boolean> {
  const { maxEvents, maxEventsSize } = caps;
  const { events, bytes } = changelog.state;
  const surplusEvents = maxEvents > 0 ? events - maxEvents : 0;
  const surplusBytes = maxEventsSize > 0 ? bytes - maxEventsSize : 0;
  if (surplusEvents <= 0 && surplusBytes <= 0) return false;
  const surplus = { events: surplusEvents, bytes: surplusBytes };
  const removal = await planRemoval(store, changelog, surplus, keepAbove);
  if (!removal) return false;
  return store.commit((tx) => {
    if (changelog.dropped || !changelog.noteRemoved(tx, removal)) return false;
    store.eraser.erase(tx, {
      start: blockKey(Space.changelog, changelog.databaseNumber, 0n),
      end: blockKey(Space.changelog, changelog.databaseNumber, removal.upTo + 1n),
    });
    return true;
  });
}

/**
 * As `enforceCaps`, for the sake of followers in two steps: first what none of them needs, and, if the log is then
 * above its caps and above what it may hold for them, also what they do.
 * @returns whether something was removed.
 */
export async function retainLog(
  store: Store,
  changelog: Changelog,
  { above, clients }: LogKeep,
): Promise<boolean> {
  const lowest = smaller(above, clients?.above);
  const removed = await enforceCaps(store, changelog, lowest);
  if (clients === undefined || clients.maxBytes === 0 || !isOverCaps(changelog)) return removed;
  const maxEventsSize = Math.max(clients.maxBytes, changelog.config.maxEventsSize);
  const more = await enforceCaps(store, changelog, above, { maxEvents: 0, maxEventsSize });
  return removed || more;
}

function isOverCaps({ config, state }: Changelog): boolean {
  const { maxEvents, maxEventsSize } = config;
  return (
    (maxEvents > 0 && state.events > maxEvents) ||
    (maxEventsSize > 0 && state.bytes > maxEventsSize)
  );
}

function smaller(a: Tick | undefined, b: Tick | undefined): Tick | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}

/** The smallest run of whole transactions from the start that brings the log under its caps. */
async function planRemoval(
  store: Store,
  changelog: Changelog,
  surplus: { readonly events: number; readonly bytes: number },
  keepAbove: Tick | undefined,
): Promise<Removal | undefined> {
  const { removedTick, lastTick } = changelog.state;
  const removal: Removal = {
    after: removedTick,
    lastTick,
    upTo: 0n,
    firstTick: 0n,
    events: 0,
    bytes: 0,
  };
  let events = 0;
  let bytes = 0;
  let done = false;
  /** First event of the transaction that is being passed, 0 outside of one. */
  let begun: Tick = 0n;
  const range = {
    space: Space.changelog,
    number: changelog.databaseNumber,
    from: removedTick,
  } as const;
  for await (const block of readBlocks(store.level, range)) {
    for (let i = block.firstAbove(removedTick); i < block.count; i++) {
      const tick = block.tick(i);
      if (tick > lastTick) return removal.events > 0 ? removal : undefined;
      if (done || (keepAbove !== undefined && tick > keepAbove)) {
        return removal.events > 0
          ? { ...removal, firstTick: begun > 0n ? begun : tick }
          : undefined;
      }
      if (begun === 0n) begun = tick;
      events++;
      bytes += block.lineEnd(i) - block.lineStart(i);
      const whole = block.transaction(i) === 0n || block.type(i) === MarkerType.transactionCommit;
      if (!whole) continue;
      begun = 0n;
      Object.assign(removal, { upTo: tick, events, bytes });
      done = events >= surplus.events && bytes >= surplus.bytes;
    }
  }
  return removal.events > 0 ? removal : undefined;
}
