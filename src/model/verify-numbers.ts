/** How far a comparison with the leader is. */
export interface VerifyNumbers {
  readonly collectionsDone: number;
  readonly collectionsExpected: number;
  /** Read on both sides. */
  readonly documentsDone: number;
  /** As of the beginning. */
  readonly documentsExpected: number;
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
