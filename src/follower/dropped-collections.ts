import { MAX_TICK, type Tick } from '../model/tick.ts';
import { metaKey } from '../storage/keys.ts';
import { encodeRecord } from '../storage/record.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { LeaderIncarnation } from './leader-answers.ts';
import { holdsHistory } from './leader-check.ts';

/** A ticklog leader's database, and the history that its ticks belong to. */
export interface LeaderHistory {
  readonly leaderId: string;
  /** Database on the leader. */
  readonly database: string;
  /** Its runs; empty for leaders that do not tell, of which nothing is remembered. */
  readonly incarnations: readonly LeaderIncarnation[];
}

/** A collection that the leader does not have any more. */
export interface GoneCollection {
  readonly cid: string;
  /** As of when. */
  readonly tick: Tick;
}

/** One that a list of a ticklog leader lacks; what is known of it holds for the history of that list only. */
export interface MissedCollection extends GoneCollection {
  /** The run in which the tick was given out; undefined for leaders that do not tell. */
  readonly incarnation: string | undefined;
}

/** What is stored, of the leader followed last. */
interface DroppedRecord {
  readonly leaderId: string;
  readonly database: string;
  /** The run in which the newest of the ticks was given out, or a later one. */
  readonly incarnation: string;
  /** Ids, each with a tick as of which the leader does not have it any more; oldest first. */
  readonly dropped: readonly (readonly [cid: string, tick: Tick])[];
}

const KIND = 'x';
/**
 * Of those that are behind what is known of the log: they are asked for only when it is replayed. A record of that many
 * is some 12 KiB.
 */
const REMEMBERED_MAX = 500;

/**
 * The ids of collections that the leader of a database has dropped, so that a log which is replayed from
 * an earlier place can be told from one that speaks of what is missing here.
 */
export class DroppedCollections {
  readonly #key: Buffer;
  readonly #leader: LeaderHistory;
  /** The run that the leader is in. */
  #incarnation: string | undefined;
  #dropped: ReadonlyMap<string, Tick>;

  /**
   * Reads what is stored; nothing of it holds for another leader, or for one put back to a backup.
   * @throws ServiceError storageDamaged
   */
  constructor(deps: { store: Store }, options: { databaseNumber: number; leader: LeaderHistory }) {
    const { leader } = options;
    this.#key = metaKey(KIND, options.databaseNumber);
    this.#leader = leader;
    this.#incarnation = leader.incarnations.at(-1)?.id;
    const stored = deps.store.record<DroppedRecord>(this.#key);
    this.#dropped = new Map(stored && isOf(stored, leader) ? stored.dropped : []);
  }

  /** Says that the leader is in another run. */
  setIncarnation(incarnation: string | undefined): void {
    this.#incarnation = incarnation;
  }

  /** Whether a collection is known to be dropped behind `tick`. */
  isDroppedAfter(cid: string, tick: Tick): boolean {
    const droppedTick = this.#dropped.get(cid);
    return droppedTick !== undefined && droppedTick > tick;
  }

  /**
   * Remembers collections, each of them gone as of its tick. Needs a batch of its own. Others are forgotten, the oldest
   * first, where there are too many; never those that are gone as of a later tick, whose lines are still to be read.
   */
  add(tx: WriteTx, gone: readonly GoneCollection[]): void {
    const incarnation = this.#incarnation;
    if (gone.length === 0 || incarnation === undefined) return;
    const dropped = new Map(this.#dropped);
    for (const { cid, tick } of gone) {
      const known = dropped.get(cid) ?? 0n;
      dropped.delete(cid);
      dropped.set(cid, known > tick ? known : tick);
    }
    const tick = gone.reduce((least, each) => (each.tick < least ? each.tick : least), MAX_TICK);
    let tooMany = dropped.size - REMEMBERED_MAX;
    const newest = [...dropped].filter(([, droppedTick]) => droppedTick >= tick || tooMany-- <= 0);
    const { leaderId, database } = this.#leader;
    const record: DroppedRecord = { leaderId, database, incarnation, dropped: newest };
    tx.put(this.#key, encodeRecord(this.#key, record));
    tx.afterCommit(() => {
      this.#dropped = new Map(newest);
    });
  }
}

function isOf(record: DroppedRecord, leader: LeaderHistory): boolean {
  const { leaderId, database, incarnation, dropped } = record;
  if (leaderId !== leader.leaderId || database !== leader.database) return false;
  const newest = dropped.reduce((max, [, tick]) => (tick > max ? tick : max), 0n);
  return holdsHistory(leader.incarnations, incarnation, newest);
}
