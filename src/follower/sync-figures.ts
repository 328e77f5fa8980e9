/** How far a sync is. */
export interface SyncFigures {
  readonly collections: number;
  readonly collectionsDone: number;
  /** Sent by the leader since this sync began, what an earlier one had copied not included. */
  readonly documents: number;
  readonly removals: number;
  readonly bytes: number;
  /** Collections that are left as they are, since nothing differs. */
  readonly kept: number;
  /** Collections that were here and were caught up from the leader's journal. */
  readonly caughtUp: number;
  /** Collections that were here and were compared by their keys, and differ. */
  readonly compared: number;
}

/** Of a sync that has done nothing yet. */
export const NO_FIGURES: SyncFigures = {
  ...{ collections: 0, collectionsDone: 0 },
  ...{ documents: 0, removals: 0, bytes: 0 },
  ...{ kept: 0, caughtUp: 0, compared: 0 },
};
