import { counted } from '../base/words.ts';
import type { Collection, Followed } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { DroppedCollections } from './dropped-collections.ts';
import { collectionOf } from './followed-collection.ts';
import type { LeaderIncarnation } from './leader-answers.ts';
import { holdsHistory } from './leader-check.ts';

/** The leader that a log comes from. */
export interface FollowedLeader {
  readonly id: string;
  /** Database on the leader. */
  readonly database: string;
  /**
   * The runs of a leader that is one of ours: no two of its collections ever have one id, and its log
   * tells of gaps. Undefined for others.
   */
  readonly incarnations: readonly LeaderIncarnation[] | undefined;
}

/** A collection as a line names it. */
export interface NamedCollection {
  readonly cid: string;
  readonly name: string;
}

/**
 * Which collections of a database the log of one leader speaks of (contract 6.7; docs/adr/0009).
 * Those of a ticklog leader are known by their ids. The name alone finds only what is recorded as no
 * leader's copy: a restored collection has an id of its own.
 */
export class LeaderCollections {
  readonly isTicklog: boolean;
  readonly #database: Database;
  readonly #leader: FollowedLeader;
  readonly #dropped: DroppedCollections;

  /** @throws ServiceError storageDamaged when what is remembered of dropped ones cannot be read */
  constructor(deps: { store: Store; database: Database }, leader: FollowedLeader) {
    const { id: leaderId, database, incarnations } = leader;
    this.isTicklog = incarnations !== undefined;
    this.#database = deps.database;
    this.#leader = leader;
    this.#dropped = new DroppedCollections(deps, {
      databaseNumber: deps.database.number,
      leader: { leaderId, database, incarnations: incarnations ?? [] },
    });
  }

  /** Says that the leader is in another run. */
  setIncarnation(incarnation: string | undefined): void {
    this.#dropped.setIncarnation(incarnation);
  }

  /** By the leader's id first, by name only if that is unknown. */
  find(cid: string, name: string): Collection | undefined {
    const found = collectionOf(this.#database, cid);
    if (found) return found;
    const named = this.#database.byName(name);
    return this.isTicklog && named?.followed ? undefined : named;
  }

  /** Whether it is recorded as a copy of one of this leader's collections. */
  isOurs({ followed }: Collection): boolean {
    return followed?.leaderId === this.#leader.id && followed.database === this.#leader.database;
  }

  /**
   * Whether a collection is known to have its name at `tick` or later: a line of that tick about the name
   * is being replayed, and what came of it is here.
   */
  isAhead(collection: Collection | undefined, tick: Tick): boolean {
    if (!this.isTicklog || !collection?.followed) return false;
    return this.isOurs(collection) && collection.followed.tick >= tick;
  }

  /**
   * Up to which tick the log says nothing new of a collection: it was copied as it was then, while the position of
   * the applier stayed behind. 0 where it must all be applied.
   */
  copiedUpTo(collection: Collection): Tick {
    const { followed } = collection;
    const { incarnations } = this.#leader;
    if (!followed?.copied || !incarnations || !this.isOurs(collection)) return 0n;
    const { tick, incarnation } = followed.copied;
    return holdsHistory(incarnations, incarnation, tick) ? tick : 0n;
  }

  /**
   * Whether a line about a collection that is not here may be passed over: the leader has dropped it later,
   * or another one has its name at a later tick, so that the log goes on to say what became of it.
   */
  isOutdated({ cid, name }: NamedCollection, tick: Tick): boolean {
    return (
      this.#dropped.isDroppedAfter(cid, tick) || this.isAhead(this.#database.byName(name), tick)
    );
  }

  /** Whether the leader is known to have dropped a collection behind `tick`. */
  isDroppedAfter(cid: string, tick: Tick): boolean {
    return this.#dropped.isDroppedAfter(cid, tick);
  }

  /** Remembers that the leader has dropped a collection. Needs a batch of its own. */
  noteDropped(tx: WriteTx, cid: string, tick: Tick): void {
    this.#dropped.add(tx, [{ cid, tick }]);
  }

  /**
   * What a collection is recorded as that has its name by an event of this tick.
   * @param before the collection, when it is one that was here already
   */
  followedAt(tick: Tick, before?: Collection): Followed {
    const copied = before && this.isOurs(before) ? before.followed?.copied : undefined;
    const { id: leaderId, database } = this.#leader;
    return { leaderId, database, tick, ...(copied ? { copied } : {}) };
  }

  /**
   * Whether a collection may make room for one of a ticklog leader: the leader's own, of which the leader
   * says by that that it is gone, and empty ones.
   * @param wanted the collection to come, for the message
   * @throws ServiceError duplicateName (1207) for one that has documents of its own
   */
  assertReplaceable(collection: Collection, wanted: NamedCollection, tx: WriteTx): true {
    if (this.isOurs(collection)) return true;
    const { count } = collection.readStats(tx);
    if (count === 0) return true;
    const { name, cid, followed } = collection;
    throw new ServiceError(
      'duplicateName',
      `the leader's collection '${wanted.name}', id ${wanted.cid}, finds another collection '${name}', ` +
        `id ${cid}, with ${counted(count, 'document')} here, which is ` +
        `${followed ? 'of another leader' : 'not of this leader'}; rename or drop that one and ` +
        'start the applier again, or sync, which replaces it',
    );
  }

  /** What to say of a collection that must be here, and is not. */
  missing({ cid, name }: NamedCollection): ServiceError {
    const named = this.#database.byName(name);
    if (!named) return new ServiceError('collectionNotFound');
    return new ServiceError(
      'collectionNotFound',
      `collection '${name}', id ${cid}, of the leader is not here; that of the name here has the id ` +
        `${named.cid} and is a copy of another one; sync anew`,
    );
  }
}
