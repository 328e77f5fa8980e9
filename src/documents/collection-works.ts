import type { WorkNumbers } from '../model/work-numbers.ts';

/** Something that goes once over all documents of a collection, until it is disposed of. */
export class Work implements Disposable {
  readonly #begun: Omit<WorkNumbers, 'documentsDone'>;
  readonly #onEnd: () => void;
  #documents = 0;

  constructor(begun: Omit<WorkNumbers, 'documentsDone'>, onEnd: () => void) {
    this.#begun = begun;
    this.#onEnd = onEnd;
  }

  /** So many documents more are done. */
  add(documents: number): void {
    this.#documents += documents;
  }

  get numbers(): WorkNumbers {
    // What was written since the beginning may be gone over, too.
    const documentsDone = Math.min(this.#documents, this.#begun.documentsExpected);
    return { ...this.#begun, documentsDone };
  }

  [Symbol.dispose](): void {
    this.#onEnd();
  }
}

/** All that goes over a collection at the moment, for those who wait for it. */
export class CollectionWorks {
  readonly #running = new Set<Work>();

  begin(begun: Omit<WorkNumbers, 'documentsDone'>): Work {
    const work = new Work(begun, () => this.#running.delete(work));
    this.#running.add(work);
    return work;
  }

  /** In the order in which they began. */
  get numbers(): readonly WorkNumbers[] {
    return [...this.#running].map(({ numbers }) => numbers);
  }
}
