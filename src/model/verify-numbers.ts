/** `rechecking`: a collection that differs is compared again, as what was written may have been on its way. */
export type VerifyPhase = 'preparing' | 'comparing' | 'rechecking';

/** How far a comparison with the leader is. */
export interface VerifyNumbers {
  readonly phase: VerifyPhase;
  readonly collectionsDone: number;
  readonly collectionsExpected: number;
  /** Read on both sides: what is read on one of them so far counts half. */
  readonly documentsDone: number;
  /** As of the beginning. */
  readonly documentsExpected: number;
  /** Of `documentsDone`, over the last seconds. */
  readonly documentsPerSecond: number;
  /** null where it cannot be known. */
  readonly secondsLeft: number | null;
  /** The one in work; null before the first, and behind the last. */
  readonly collection: {
    readonly name: string;
    /** Where it is read: on the leader first, and then here. */
    readonly side: 'leader' | 'here';
    /** Read there; null where an older leader does not tell. */
    readonly documentsDone: number | null;
    readonly documentsExpected: number | null;
  } | null;
}
