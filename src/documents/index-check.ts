import { counted } from '../base/words.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Findings } from '../storage/findings.ts';
import { Space, blockKeyTick, numberRange } from '../storage/keys.ts';
import type { StoreReader } from '../storage/store-reader.ts';
import { type CapEnds, decodeCapEnds, decodeCapLink } from './cap-list.ts';
import type { IndexRecord } from './collection.ts';
import { EntrySum } from './entry-sum.ts';
import { type IndexEntries, type IndexedDocument, SecondaryIndex } from './secondary-index.ts';

interface LiveDocument {
  readonly tick: Tick;
  readonly key: string;
  /** Its text. */
  readonly data: string;
}

interface Context {
  readonly place: string;
  readonly findings: Findings;
}

interface CheckedIndex {
  add(document: LiveDocument, parsed: IndexedDocument): void;
  compare(reader: StoreReader, context: Context): Promise<void>;
}

/** What the indexes and caps of a collection must hold, gathered from its documents. */
export class IndexChecks {
  readonly #indexes: readonly CheckedIndex[];

  /** Those that are still being built are left out. */
  constructor(records: readonly IndexRecord[]) {
    this.#indexes = records.flatMap(({ number, definition, building }): CheckedIndex[] => {
      if (building) return [];
      if (definition.type === 'cap') return [new CheckedCap(number, definition.id)];
      const index = SecondaryIndex.from(number, definition);
      return index ? [new CheckedSecondary(index)] : [];
    });
  }

  get isEmpty(): boolean {
    return this.#indexes.length === 0;
  }

  add(document: LiveDocument): void {
    const parsed = JSON.parse(document.data) as IndexedDocument;
    for (const index of this.#indexes) index.add(document, parsed);
  }

  async compare(reader: StoreReader, context: Context): Promise<void> {
    for (const index of this.#indexes) await index.compare(reader, context);
  }
}

class CheckedSecondary implements CheckedIndex {
  readonly #index: SecondaryIndex;
  readonly #expected = new EntrySum();
  readonly #sink: IndexEntries = {
    get: () => undefined,
    put: (key, value) => this.#expected.add(key, value),
    del: () => undefined,
  };

  constructor(index: SecondaryIndex) {
    this.#index = index;
  }

  add({ key }: LiveDocument, parsed: IndexedDocument): void {
    this.#index.insert(this.#sink, parsed, key);
  }

  async compare(reader: StoreReader, { place, findings }: Context): Promise<void> {
    const found = new EntrySum();
    const range = numberRange(Space.secondary, this.#index.number);
    for await (const { key, value } of reader.entries(range)) found.add(key, value);
    if (found.equals(this.#expected)) return;
    findings.add(
      place,
      `index ${this.#index.definition.id} has not the entries that its documents call for: ` +
        `${found.count} instead of ${this.#expected.count}`,
    );
  }
}

/** A cap, whose list has every document once, in the order of ticks. */
class CheckedCap implements CheckedIndex {
  readonly #number: number;
  readonly #id: string;
  readonly #expected = new EntrySum();
  #bytes = 0;

  constructor(number: number, id: string) {
    this.#number = number;
    this.#id = id;
  }

  add({ tick, key, data }: LiveDocument): void {
    const bytes = Buffer.byteLength(data);
    this.#expected.add(linkText(tick, key, bytes), Buffer.alloc(0));
    this.#bytes += bytes;
  }

  async compare(reader: StoreReader, { place, findings }: Context): Promise<void> {
    const flaw = await this.#flaw(reader);
    if (flaw !== undefined) findings.add(place, `cap ${this.#id}: ${flaw}`);
  }

  async #flaw(reader: StoreReader): Promise<string | undefined> {
    const found = new EntrySum();
    let ends: CapEnds | undefined;
    let last: Tick = 0n;
    let newer: Tick | undefined;
    try {
      for await (const { key, value } of reader.entries(
        numberRange(Space.secondary, this.#number),
      )) {
        const tick = blockKeyTick(key);
        if (tick === 0n) {
          ends = decodeCapEnds(key, value);
          newer = ends.oldest;
          continue;
        }
        const link = decodeCapLink(key, value);
        if (link.older !== last || newer !== tick) return `its list is broken at tick ${tick}`;
        found.add(linkText(tick, link.key, link.bytes), Buffer.alloc(0));
        last = tick;
        ({ newer } = link);
      }
    } catch (error) {
      if (error instanceof ServiceError) return error.message;
      throw error;
    }
    // One that a leader of an earlier time had, or that is being filled; the next start does that.
    if (!ends || ends.filled !== undefined) return undefined;
    if (ends.newest !== last || newer !== 0n) return 'its list does not end where it says';
    if (ends.bytes !== this.#bytes)
      return `it says ${counted(ends.bytes, 'byte')} instead of ${this.#bytes}`;
    if (found.equals(this.#expected)) return undefined;
    return `its list has not the documents that there are: ${found.count} instead of ${this.#expected.count}`;
  }
}

function linkText(tick: Tick, key: string, bytes: number): Buffer {
  return Buffer.from(`${tick} ${bytes} ${key}`);
}
