import type { IndexDefinition } from './collection.ts';

/** What goes once over all documents of a collection, and how far it has come. */
export interface WorkNumbers {
  readonly kind: 'checksum' | 'index';
  /** What is built, where that is one index. */
  readonly index?: IndexDefinition;
  readonly documentsDone: number;
  /** As of its beginning. */
  readonly documentsExpected: number;
}
