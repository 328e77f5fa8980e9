import { counted } from '../base/words.ts';
import { isMarkerType, MarkerType } from '../model/marker.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { LineCutter } from '../protocol/line-cutter.ts';
import type { Block } from '../storage/block.ts';
import { walkBlocks } from '../storage/block-walk.ts';
import type { Findings } from '../storage/findings.ts';
import { Space, numberRange, primaryKeyDocument } from '../storage/keys.ts';
import { POINTER_MIN_BYTES, decodePointer, isPointerRevTick } from '../storage/pointer.ts';
import type { StoreReader } from '../storage/store-reader.ts';
import type { CollectionRecord } from './collection.ts';
import { type CollectionStats, EMPTY_STATS, decodeStats, statsKey } from './collection-stats.ts';
import { IndexChecks } from './index-check.ts';
import { PointerTable, pointerSum } from './pointer-table.ts';
import { dataOfLine } from './stored-document.ts';

const NAMED_MAX = 3;

/** A collection that is checked, hidden ones included. */
export interface CheckedCollection {
  readonly number: number;
  readonly record: CollectionRecord;
}

/**
 * Checks that journal, pointers, index entries, caps and figures of a collection say the same.
 * @returns how many documents it has
 */
export async function checkCollection(
  reader: StoreReader,
  { number, record }: CheckedCollection,
  findings: Findings,
  signal: AbortSignal,
): Promise<number> {
  const place = `collection ${record.parameters.name} (${record.parameters.cid})`;
  const walk = new CollectionWalk(reader, { place, number }, findings);
  const stats = await readStats(reader, number, place, findings);
  await walk.readPointers(stats?.count ?? 0, signal);
  // The indexes of a copy in the making are made when it is complete, and so is the count.
  const indexes = new IndexChecks(record.hidden ? [] : record.indexes);
  await walk.readJournal(indexes, signal);
  await walk.nameUnmatched();
  await indexes.compare(reader, { place, findings });
  if (stats && !record.hidden) walk.compareFigures(stats);
  return walk.count;
}

async function readStats(
  reader: StoreReader,
  number: number,
  place: string,
  findings: Findings,
): Promise<CollectionStats | undefined> {
  const key = statsKey(number);
  const value = await reader.get(key);
  if (!value) return EMPTY_STATS;
  try {
    return decodeStats(key, value);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    findings.add(place, `its figures are damaged: ${error.message}`);
    return undefined;
  }
}

class CollectionWalk {
  readonly #reader: StoreReader;
  readonly #place: string;
  readonly #number: number;
  readonly #findings: Findings;
  #pointers = new PointerTable({ expected: 0 });
  #entries = 0;
  #bytes = 0;
  #lastTick: Tick = 0n;

  constructor(
    reader: StoreReader,
    { place, number }: { place: string; number: number },
    findings: Findings,
  ) {
    this.#reader = reader;
    this.#place = place;
    this.#number = number;
    this.#findings = findings;
  }

  get count(): number {
    return this.#pointers.size;
  }

  async readPointers(expected: number, signal: AbortSignal): Promise<void> {
    this.#pointers = new PointerTable({ expected });
    for await (const { key, value } of this.#primaries()) {
      if (value.length < POINTER_MIN_BYTES) {
        this.#add(`the pointer of document '${primaryKeyDocument(key)}' is too short`);
        continue;
      }
      const { tick, distance, rev } = decodePointer(value);
      const ownRev = isPointerRevTick(value) ? '' : rev;
      const sum = pointerSum(primaryKeyDocument(key), ownRev, distance);
      if (!this.#pointers.add(tick, sum)) {
        this.#add(
          `two documents have the tick ${tick}, '${primaryKeyDocument(key)}' is one of them`,
        );
      }
    }
    signal.throwIfAborted();
  }

  async readJournal(indexes: IndexChecks, signal: AbortSignal): Promise<void> {
    const range = numberRange(Space.journal, this.#number);
    const context = { place: this.#place, findings: this.#findings };
    for await (const block of walkBlocks(this.#reader, range, context)) {
      signal.throwIfAborted();
      this.#entries += block.count;
      this.#bytes += block.lines.length;
      this.#lastTick = block.lastTick;
      this.#readBlock(block, indexes);
    }
  }

  /** Names some of the documents whose entries the journal lacks. */
  async nameUnmatched(): Promise<void> {
    const { unmatched } = this.#pointers;
    if (unmatched === 0) return;
    const named: string[] = [];
    for await (const { key, value } of this.#primaries()) {
      if (value.length < POINTER_MIN_BYTES || this.#pointers.isMatched(decodePointer(value).tick)) {
        continue;
      }
      named.push(`'${primaryKeyDocument(key)}'`);
      if (named.length === NAMED_MAX) break;
    }
    const more = unmatched > named.length ? ', …' : '';
    this.#add(`the journal lacks ${counted(unmatched, 'document')}: ${named.join(', ')}${more}`);
  }

  compareFigures(stats: CollectionStats): void {
    const found = {
      count: this.count,
      entries: this.#entries,
      dead: this.#entries - this.count,
      bytes: this.#bytes,
    };
    for (const name of ['count', 'entries', 'dead', 'bytes'] as const) {
      if (stats[name] !== found[name]) {
        this.#add(`its figures say ${name} ${stats[name]}, it has ${found[name]}`);
      }
    }
    if (stats.lastTick < this.#lastTick) {
      this.#add(`its figures say that it ends at tick ${stats.lastTick}, not ${this.#lastTick}`);
    }
  }

  #readBlock(block: Block, indexes: IndexChecks): void {
    const lines = new LineCutter(block.lines);
    for (let i = 0; i < block.count; i++) {
      const tick = block.tick(i);
      if (!cut(lines) || lines.tick !== tick || lines.type !== block.type(i)) {
        this.#add(`the line of tick ${tick} is not what its block says`);
        return;
      }
      if (lines.type === MarkerType.remove) continue;
      if (!isMarkerType(lines.type)) this.#add(`the entry with tick ${tick} is of no known type`);
      const { key, rev } = lines;
      const distance = Number(block.lastTick - tick);
      const ownRev = rev === lines.tickText ? '' : rev;
      const match = this.#pointers.match(tick, pointerSum(key, ownRev, distance));
      if (match === 'different') {
        this.#add(`the pointer to tick ${tick} is not that of document '${key}' in its block`);
      }
      if (match !== 'found' || indexes.isEmpty) continue;
      indexes.add({ tick, key, data: dataOfLine(block.lineText(i)) });
    }
  }

  #primaries(): ReturnType<StoreReader['entries']> {
    return this.#reader.entries(numberRange(Space.primary, this.#number));
  }

  #add(what: string): void {
    this.#findings.add(this.#place, what);
  }
}

/** Moves on to the next line; false where there is none that could be read. */
function cut(lines: LineCutter): boolean {
  try {
    return lines.next();
  } catch (error) {
    if (error instanceof ServiceError) return false;
    throw error;
  }
}
