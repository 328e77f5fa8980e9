import type { VerifyNumbers } from '../model/verify-numbers.ts';

/** How much of a collection is read. */
export interface ReadNumbers {
  readonly documentsDone: number;
  readonly documentsExpected: number;
}

/** Measures one comparison. */
export class VerifyGauge {
  #waiting: readonly { readonly name: string; readonly documents: number }[] = [];
  #expected = { collections: 0, documents: 0 };
  #current:
    | {
        readonly name: string;
        readonly side: 'leader' | 'here';
        readonly read: () => ReadNumbers | undefined;
      }
    | undefined;

  /** What is to be compared, in the order in which that is done. */
  plan(collections: readonly { readonly name: string; readonly documents: number }[]): void {
    this.#waiting = collections;
    this.#expected = { collections: collections.length, documents: documentsOf(collections) };
  }

  /** @param read asked how much is read, by whoever looks */
  begin(name: string, side: 'leader' | 'here', read: () => ReadNumbers | undefined): void {
    this.#current = { name, side, read };
  }

  /** The collection in work, or the next one, is compared. */
  done(): void {
    this.#waiting = this.#waiting.slice(1);
    this.#current = undefined;
  }

  get numbers(): VerifyNumbers {
    const { collections, documents } = this.#expected;
    const current = this.#current;
    const read = current?.read();
    const readOnBoth = current?.side === 'here' ? (read?.documentsDone ?? 0) : 0;
    return {
      collectionsDone: collections - this.#waiting.length,
      collectionsExpected: collections,
      documentsDone: Math.min(documents, documents - documentsOf(this.#waiting) + readOnBoth),
      documentsExpected: documents,
      collection: current
        ? {
            ...{ name: current.name, side: current.side },
            documentsDone: read?.documentsDone ?? null,
            documentsExpected: read?.documentsExpected ?? null,
          }
        : null,
    };
  }
}

function documentsOf(collections: readonly { readonly documents: number }[]): number {
  return collections.reduce((sum, { documents }) => sum + documents, 0);
}
