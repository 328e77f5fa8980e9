import type { Clock } from '../base/clock.ts';
import { secondsLeft, toTenth } from '../base/pace.ts';
import { Rate } from '../base/rate.ts';
import type { CollectionWorks } from '../documents/collection-works.ts';
import type { Collection } from '../documents/collection.ts';
import type {
  CopyNumbers,
  CopyStatus,
  CopyingNumbers,
  Measured,
  SyncPhase,
} from '../model/sync-numbers.ts';
import type { PlannedCollection } from './sync-progress.ts';

/** What is done with a collection that is neither waiting nor done. */
type WorkPhase = Extract<SyncPhase, CopyStatus>;

interface Row {
  readonly id: string;
  readonly name: string;
  status: CopyStatus;
  documents: number;
  readonly documentsExpected: number | undefined;
  bytes: number;
  readonly bytesExpected: number | undefined;
  /** Of the copy, whose indexes are made. */
  works?: CollectionWorks;
}

const SHOWN = 100;

/**
 * Measures one sync. What was there before it, from an earlier one or from what is here, counts as done but not
 * for the rate. Superseded entries of the leader's journal are sent, too: bytes tell more than documents, which never
 * are shown as more than are expected.
 */
export class SyncGauge {
  readonly #clock: Clock;
  readonly #beganMs: number;
  readonly #documents: Rate;
  readonly #bytes: Rate;
  #rows = new Map<string, Row>();
  /** Those in work, the one that was begun first in front. */
  readonly #inWork = new Map<Row, WorkPhase>();
  #phase: SyncPhase = 'preparing';
  #resumed: { collections: number; documents: number; bytes: number } | null = null;

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
    this.#beganMs = deps.clock.nowMs();
    this.#documents = new Rate(deps);
    this.#bytes = new Rate(deps);
  }

  /** What is to be copied; all of it waits. */
  plan(collections: readonly Pick<PlannedCollection, 'parameters' | 'count' | 'bytes'>[]): void {
    this.#phase = 'preparing';
    this.#inWork.clear();
    this.#resumed = null;
    this.#rows = new Map(
      collections.map(({ parameters: { cid: id, name }, count, bytes }) => {
        const expected = { documentsExpected: count, bytesExpected: bytes };
        return [id, { id, name, status: 'waiting', documents: 0, bytes: 0, ...expected }];
      }),
    );
  }

  /**
   * What is in a copy now.
   * @param isResumed an earlier sync has left it, and this one goes on with it
   */
  has({ cid, stats }: Collection, isResumed = false): void {
    const row = this.#rows.get(cid);
    if (!row) return;
    // What is superseded is found when the copy is complete.
    row.documents = stats.entries - stats.dead;
    row.bytes = stats.bytes;
    if (!isResumed) return;
    this.#resumed ??= { collections: 0, documents: 0, bytes: 0 };
    this.#resumed.collections++;
    this.#resumed.documents += row.documents;
    this.#resumed.bytes += row.bytes;
  }

  /** A collection begins to be compared or copied. */
  begin(cid: string, phase: Exclude<WorkPhase, 'indexing'>): void {
    this.#enter(cid, phase);
  }

  /** The indexes of a copy begin to be made. */
  indexes({ cid, works }: Pick<Collection, 'cid' | 'works'>): void {
    const row = this.#enter(cid, 'indexing');
    if (row) row.works = works;
  }

  /** What came for a collection. */
  add(cid: string, documents: number, bytes: number): void {
    this.#documents.add(documents);
    this.#bytes.add(bytes);
    const row = this.#rows.get(cid);
    if (!row) return;
    row.documents += documents;
    row.bytes += bytes;
  }

  /** What was copied of a collection is given up. */
  reset(cid: string): void {
    const row = this.#rows.get(cid);
    if (row) Object.assign(row, { documents: 0, bytes: 0 });
  }

  /** A collection is complete, or stays as it is. */
  done(cid: string, status: 'done' | 'kept'): void {
    const row = this.#rows.get(cid);
    if (!row) return;
    row.status = status;
    row.documents = row.documentsExpected ?? row.documents;
    row.bytes = row.bytesExpected ?? row.bytes;
    this.#inWork.delete(row);
  }

  switching(): void {
    this.#phase = 'switching';
    this.#inWork.clear();
  }

  #enter(cid: string, phase: WorkPhase): Row | undefined {
    this.#phase = phase;
    const row = this.#rows.get(cid);
    if (!row) return undefined;
    row.status = phase;
    this.#inWork.set(row, phase);
    return row;
  }

  /** The one that is shown: of several rather one that does not only wait for its indexes. */
  get #current(): readonly [Row, WorkPhase] | undefined {
    const inWork = [...this.#inWork];
    return inWork.find(([, phase]) => phase !== 'indexing') ?? inWork[0];
  }

  get numbers(): CopyingNumbers {
    const rows = [...this.#rows.values()];
    const [current, phase = this.#phase] = this.#current ?? [];
    const total = totalOf(rows.map(measured));
    const rest = restOf(rows);
    const { perSecond: bytesPerSecond } = this.#bytes;
    return {
      phase,
      collection: current ? { id: current.id, name: current.name } : null,
      collectionsDone: rows.filter(({ status }) => status === 'done' || status === 'kept').length,
      collectionsExpected: rows.length,
      ...total,
      documentsPerSecond: toTenth(this.#documents.perSecond),
      bytesPerSecond: toTenth(bytesPerSecond),
      secondsRunning: toTenth(Math.max(0, this.#clock.nowMs() - this.#beganMs) / 1000),
      secondsLeft:
        phase === 'indexing' ? indexingLeft(rows) : rest && secondsLeft(rest, bytesPerSecond),
      resumedFrom: this.#resumed && { ...this.#resumed },
      collections: around(rows, current).map((row) => {
        const { id, name, status } = row;
        return { id, name, status, ...measured(row), ...indexingOf(row) };
      }),
    };
  }
}

function measured({ documents, documentsExpected, bytes, bytesExpected }: Row): Measured {
  return {
    documentsDone: Math.min(documents, documentsExpected ?? Infinity),
    documentsExpected: documentsExpected ?? null,
    bytesDone: Math.min(bytes, bytesExpected ?? Infinity),
    bytesExpected: bytesExpected ?? null,
  };
}

function indexingOf({ status, works }: Row): Pick<CopyNumbers, 'indexing'> {
  const work = status === 'indexing' ? works?.numbers.at(-1) : undefined;
  if (!work) return {};
  const { documentsDone, documentsExpected, documentsPerSecond, secondsLeft } = work;
  return { indexing: { documentsDone, documentsExpected, documentsPerSecond, secondsLeft } };
}

function totalOf(rows: readonly Measured[]): Measured {
  const sum = (of: (row: Measured) => number): number =>
    rows.reduce((before, row) => before + of(row), 0);
  const known = (of: (row: Measured) => number | null): number | null =>
    rows.length > 0 && rows.every((row) => of(row) !== null) ? sum((row) => of(row) ?? 0) : null;
  return {
    documentsDone: sum((row) => row.documentsDone),
    documentsExpected: known((row) => row.documentsExpected),
    bytesDone: sum((row) => row.bytesDone),
    bytesExpected: known((row) => row.bytesExpected),
  };
}

/** How long the last collection is being indexed; how long the indexes of others take nobody knows before. */
function indexingLeft(rows: readonly Row[]): number | null {
  const [row, another] = rows.filter(({ status }) => status !== 'done' && status !== 'kept');
  return row && !another ? (indexingOf(row).indexing?.secondsLeft ?? null) : null;
}

/** Bytes that are still to come; null where that is not known. */
function restOf(rows: readonly Row[]): number | null {
  const { bytesDone, bytesExpected } = totalOf(rows.map(measured));
  return bytesExpected === null ? null : bytesExpected - bytesDone;
}

/** As many as are shown, with those in front and behind the one in work. */
function around(rows: readonly Row[], current: Row | undefined): readonly Row[] {
  const at = current ? rows.indexOf(current) : rows.findLastIndex((r) => r.status !== 'waiting');
  const first = Math.min(at - SHOWN / 2, rows.length - SHOWN);
  return rows.slice(Math.max(0, first)).slice(0, SHOWN);
}
