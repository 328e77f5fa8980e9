import { listAt, numberAt, textAt, at } from './json.ts';
import type { CollectionProgress } from './progress.ts';

/** Of types that every collection has without being told; these are not made. */
const BUILT_IN: ReadonlySet<string> = new Set(['primary', 'edge']);

/** Tells how far the indexes of a restored collection are, which its server makes one after another. */
export class IndexProgress {
  readonly #name: string;
  /** In the order in which they are made. */
  readonly #indexes: readonly string[];

  /** @param structure JSON text of `{"parameters":..,"indexes":..}` */
  constructor({ name, structure }: { readonly name: string; readonly structure: string }) {
    this.#name = name;
    this.#indexes = listAt(JSON.parse(structure), 'indexes')
      .filter((index) => !BUILT_IN.has(textAt(index, 'type') ?? ''))
      .map(kindOf);
  }

  /**
   * Reads what goes over the collection.
   * @param works the answer of a ticklog server
   * @returns undefined while no index is being made
   */
  read(works: unknown): CollectionProgress | undefined {
    const work = listAt(works, 'works').findLast((each) => textAt(each, 'kind') === 'index');
    if (work === undefined) return undefined;
    const documentsExpected = numberAt(work, 'documentsExpected') ?? 0;
    const documentsPerSecond = numberAt(work, 'documentsPerSecond') ?? 0;
    const left = numberAt(work, 'secondsLeft');
    const index = this.#indexes.indexOf(kindOf(at(work, 'index')));
    const isOne = index < 0 || this.#indexes.length === 1;
    const behind = isOne ? 0 : (this.#indexes.length - index - 1) * documentsExpected;
    return {
      name: this.#name,
      indexing: isOne ? 'indexes' : `index ${index + 1} of ${this.#indexes.length}`,
      documentsDone: numberAt(work, 'documentsDone') ?? 0,
      documentsExpected,
      bytesDone: 0,
      documentsPerSecond,
      // Those behind it take their time as well.
      secondsLeft:
        left === undefined || documentsPerSecond === 0 ? left : left + behind / documentsPerSecond,
    };
  }
}

/** By which an index is found again: its id may be another. */
function kindOf(index: unknown): string {
  return JSON.stringify([textAt(index, 'type'), listAt(index, 'fields')]);
}
