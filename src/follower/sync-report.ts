import type { SyncRequest } from './initial-syncer.ts';
import { NO_FIGURES, type SyncFigures } from './sync-figures.ts';
import type { SyncGauge } from './sync-gauge.ts';

/** What a page, or a part of one, has brought. */
export interface Copied {
  readonly documents: number;
  readonly removals: number;
  readonly bytes: number;
}

/** What a sync tells of itself while it runs: in words, and in figures of all it has done. */
export class SyncReport {
  readonly gauge: SyncGauge;
  readonly #onProgress: NonNullable<SyncRequest['onProgress']>;
  #figures: SyncFigures = NO_FIGURES;

  constructor(gauge: SyncGauge, onProgress: NonNullable<SyncRequest['onProgress']>) {
    this.gauge = gauge;
    this.#onProgress = onProgress;
  }

  get figures(): SyncFigures {
    return this.#figures;
  }

  say(message: string): void {
    this.#onProgress(message, this.#figures);
  }

  /** So many collections are to be copied; none is done. */
  planned(collections: number): void {
    this.#figures = { ...this.#figures, collections, collectionsDone: 0 };
  }

  /** Counts what came for a collection, by the leader's id of it, and says so. */
  count(cid: string, message: string, { documents, removals, bytes }: Copied): void {
    const before = this.#figures;
    this.gauge.add(cid, documents, bytes);
    this.#figures = {
      ...before,
      documents: before.documents + documents,
      removals: before.removals + removals,
      bytes: before.bytes + bytes,
    };
    this.say(message);
  }

  /** A collection was not begun from nothing. */
  seeded(kind: 'kept' | 'caughtUp' | 'compared'): void {
    this.#figures = { ...this.#figures, [kind]: this.#figures[kind] + 1 };
  }

  /** A collection is complete, or stays as it is. */
  done(cid: string, status: 'done' | 'kept'): void {
    this.gauge.done(cid, status);
    this.#figures = { ...this.#figures, collectionsDone: this.#figures.collectionsDone + 1 };
  }
}
