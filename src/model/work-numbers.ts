import type { IndexDefinition } from './collection.ts';

/** What goes once over all documents of a collection, and how far it has come. */
export interface WorkNumbers {
  /** `search`: it is found out in which documents another server differs; `count`: how many a copy has. */
  readonly kind: 'checksum' | 'index' | 'search' | 'count';
  /** What is built, where that is one index. */
  readonly index?: IndexDefinition;
  readonly documentsDone: number;
  /** As of its beginning. */
  readonly documentsExpected: number;
  /** Over the last seconds. */
  readonly documentsPerSecond: number;
  /** null where it cannot be known. */
  readonly secondsLeft: number | null;
}
