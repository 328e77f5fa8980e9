import type { Tick } from '../model/tick.ts';
import { metaKey } from './keys.ts';

/** Where a store says whose it is. */
export const SERVER_KEY = metaKey('g');

/** One run of this server, by which followers notice that it was put back to an older state. */
export interface Incarnation {
  readonly id: string;
  /** No tick of this run is smaller. */
  readonly firstTick: Tick;
  /** Last committed tick of all earlier runs that this run found in its store. */
  readonly foundTick: Tick;
}

export interface ServerRecord {
  readonly format: number;
  readonly serverId: string;
  readonly incarnations: readonly Incarnation[];
  /** The file `last-commit` was there before this was stored. Stores of earlier versions do not say so. */
  readonly hasLastCommit?: true;
}
