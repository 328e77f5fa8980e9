import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import type { CollectionParameters, IndexDefinition } from '../model/collection.ts';
import type { Tick } from '../model/tick.ts';
import { metaKey } from '../storage/keys.ts';
import { encodeRecord } from '../storage/record.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { DifferencesBy } from './copy-seeds.ts';
import type { RestrictType } from './restriction.ts';

/** A collection that a sync copies, as the leader listed it when the sync began. */
export interface PlannedCollection {
  readonly parameters: CollectionParameters;
  readonly indexes: readonly IndexDefinition[];
  /** Its documents as of the plan's tick; only ticklog leaders tell. */
  readonly count?: number;
  /** Of its dump lines, superseded ones included; only ticklog leaders tell. */
  readonly bytes?: number;
}

/** What a sync copies, and up to where: written once, before the first copy is made. */
export interface SyncPlan {
  readonly leaderId: string;
  /** The run of a ticklog leader in which the plan was made. */
  readonly incarnation?: string;
  /** Database on the leader. */
  readonly leaderDatabase: string;
  readonly restriction: {
    readonly type: RestrictType;
    readonly names: readonly string[];
    readonly includeSystem: boolean;
  };
  /** L, the one tick at which all copies end and following begins (P7); 0 for no bound. */
  readonly tick: Tick;
  /** The leader's logger was stopped: changes above the tick reach nobody. */
  readonly leaderWasStopped: boolean;
  /** What of what is here copies may begin from; absent when all are made whole. */
  readonly by?: DifferencesBy | undefined;
  /** As of which tick of the leader what is here of a collection is what the leader had, by its id. */
  readonly bases?: Readonly<Record<string, Tick>> | undefined;
  /** In the leader's order. */
  readonly collections: readonly PlannedCollection[];
}

/** How far the copy of one collection is; written in the batch of the lines it covers (P3). */
export interface CopyPosition {
  /** The collection's id on the leader. */
  readonly cid: string;
  /** The leader's tick of the last line that is in the copy. */
  readonly position: Tick;
  /** Counted and indexed; nothing is missing but the switch. */
  readonly complete: boolean;
}

const KIND = 'y';

/**
 * The stored progress of the sync of a database, by which a later one goes on where this one ended
 * (P6): one record of the plan, and a small one for each hidden copy.
 */
export class SyncProgress {
  readonly #store: Store;
  readonly #database: Database;

  constructor(deps: { store: Store; database: Database }) {
    this.#store = deps.store;
    this.#database = deps.database;
  }

  /** @throws ServiceError storageDamaged */
  plan(): SyncPlan | undefined {
    return this.#store.record<SyncPlan>(this.#planKey());
  }

  writePlan(tx: WriteTx, plan: SyncPlan): void {
    const key = this.#planKey();
    tx.put(key, encodeRecord(key, plan));
  }

  /** @throws ServiceError storageDamaged */
  position(copy: Collection): CopyPosition | undefined {
    return this.#store.record<CopyPosition>(this.#positionKey(copy));
  }

  writePosition(tx: WriteTx, copy: Collection, position: CopyPosition): void {
    const key = this.#positionKey(copy);
    tx.put(key, encodeRecord(key, position));
  }

  removePlan(tx: WriteTx): void {
    tx.del(this.#planKey());
  }

  removePosition(tx: WriteTx, copy: Collection): void {
    tx.del(this.#positionKey(copy));
  }

  #planKey(): Buffer {
    return metaKey(KIND, this.#database.number);
  }

  #positionKey(copy: Collection): Buffer {
    return metaKey(KIND, this.#database.number, copy.number);
  }
}
