import { ServiceError } from '../model/errors.ts';
import type { Findings } from '../storage/findings.ts';
import { type KeyRange, Space, metaKeyNumber, numberRange, prefixRange } from '../storage/keys.ts';
import { type ErasureRecord, KIND as ERASURE } from '../storage/range-eraser.ts';
import { decodeRecord, unprotect } from '../storage/record.ts';
import type { StoreReader } from '../storage/store-reader.ts';
import type { DatabaseRecord } from './catalogue.ts';
import type { CheckedCollection } from './collection-check.ts';
import type { CollectionRecord } from './collection.ts';

const PLACE = 'catalogue';

/** What the records of a store say there is. */
export interface StoredCatalogue {
  readonly databases: readonly { readonly number: number; readonly name: string }[];
  /** Hidden ones included. */
  readonly collections: readonly CheckedCollection[];
  /** What is to be erased, and may be there in part. */
  readonly erasures: readonly KeyRange[];
}

/** Checks the checksums of all records, and that what they name is there. */
export async function checkCatalogue(
  reader: StoreReader,
  findings: Findings,
): Promise<StoredCatalogue> {
  const databases: { number: number; name: string }[] = [];
  const collections: CheckedCollection[] = [];
  const erasures: KeyRange[] = [];
  let nextNumber = Infinity;
  for await (const { key, value } of reader.entries(prefixRange(Buffer.from([Space.meta])))) {
    try {
      unprotect(key, value);
      switch (String.fromCharCode(key[1] ?? 0)) {
        case 'd': {
          const { name } = decodeRecord<DatabaseRecord>(key, value);
          databases.push({ number: metaKeyNumber(key), name });
          break;
        }
        case 'c': {
          const record = decodeRecord<CollectionRecord>(key, value);
          collections.push({ number: metaKeyNumber(key), record });
          break;
        }
        case 'n':
          nextNumber = decodeRecord<number>(key, value);
          break;
        case ERASURE:
          erasures.push(decodeRecord<ErasureRecord>(key, value));
          break;
      }
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      findings.add(PLACE, error.message);
    }
  }
  const known = new Set(databases.map(({ number }) => number));
  for (const { number, record } of collections) {
    if (known.has(record.database)) continue;
    findings.add(PLACE, `collection ${record.parameters.name} (${number}) has no database`);
  }
  const catalogue = { databases, collections, erasures };
  const largest = Math.max(0, ...[...numbersOf(catalogue).values()].flatMap((each) => [...each]));
  if (largest >= nextNumber) findings.add(PLACE, `number ${largest} would be given out again`);
  return catalogue;
}

/** Checks that all that is stored belongs to something, or is to be erased. */
export async function checkOwners(
  reader: StoreReader,
  catalogue: StoredCatalogue,
  findings: Findings,
): Promise<void> {
  for (const [space, numbers] of numbersOf(catalogue)) {
    const strangers = new Set<number>();
    for (const gap of gapsBetween(space, numbers)) {
      for await (const { key } of reader.entries(gap)) {
        if (!isErased(key, catalogue.erasures)) strangers.add(key.readUInt32BE(1));
      }
    }
    for (const number of strangers) {
      const name = String.fromCharCode(space);
      findings.add(PLACE, `data under '${name}' ${number} belongs to nothing that there is`);
    }
  }
}

/** The numbers that keys of a space may begin with. */
function numbersOf({ databases, collections }: StoredCatalogue): Map<number, ReadonlySet<number>> {
  const ofCollections = new Set(collections.map(({ number }) => number));
  const ofDatabases = new Set(databases.map(({ number }) => number));
  const indexes = collections.flatMap(({ record }) => record.indexes.map(({ number }) => number));
  return new Map([
    [Space.secondary, new Set(indexes)],
    [Space.journal, ofCollections],
    [Space.changelog, ofDatabases],
    [Space.primary, ofCollections],
    [Space.staging, ofDatabases],
  ]);
}

function* gapsBetween(space: number, numbers: ReadonlySet<number>): Generator<KeyRange> {
  const { start, end } = prefixRange(Buffer.from([space]));
  let at = start;
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const range = numberRange(space, number);
    yield { start: at, end: range.start };
    at = range.end;
  }
  yield { start: at, end };
}

function isErased(key: Buffer, erasures: readonly KeyRange[]): boolean {
  return erasures.some(
    ({ start, end }) => Buffer.compare(key, start) >= 0 && Buffer.compare(key, end) < 0,
  );
}
