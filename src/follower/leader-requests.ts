import type { Tick } from '../model/tick.ts';
import type { FollowForm } from './follow-target.ts';

export interface FollowRequest {
  /** Exclusive. */
  readonly from: Tick;
  /** In bytes; the page ends after the line with which it grows larger. */
  readonly chunkSizeBytes: number;
  /** How long the leader may hold the request while there is nothing newer. */
  readonly waitSeconds: number;
  readonly includeSystem?: boolean | undefined;
  /** The barrier to be moved to `from` and prolonged (contract 2.10). */
  readonly barrierId?: string | undefined;
  /** How this leader is to be asked; a plain GET without it. */
  readonly form?: FollowForm | undefined;
}

export interface DumpRequest {
  /** Name or id. */
  readonly collection: string;
  /** Exclusive. */
  readonly from: Tick;
  /** Inclusive; everything when absent. */
  readonly to?: Tick;
  /** In bytes. */
  readonly chunkSizeBytes: number;
  /** Asks leaders of 2.2 to 3.3 to make what is in their log ready for dumping first. */
  readonly flush?: boolean;
  /** Whether lines carry their ticks; they do by default. */
  readonly ticks?: boolean;
  /** Whether edges name the collections of their ends, and not only their ids; they do by default. */
  readonly translateIds?: boolean;
  /** For leaders that want to know the batch. */
  readonly batchId?: string | undefined;
}

export interface DumpCollectionsRequest {
  /** Ids. */
  readonly collections: readonly string[];
  /** Inclusive; everything when absent. */
  readonly to?: Tick;
  /** In bytes, of all of them together. */
  readonly chunkSizeBytes: number;
}
