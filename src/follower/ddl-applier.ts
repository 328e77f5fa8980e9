import type { ChangeContext } from '../documents/catalogue-change.ts';
import type { Collection } from '../documents/collection.ts';
import type { ChangedProperties, Collections } from '../documents/collections.ts';
import type { Database } from '../documents/database.ts';
import { DocumentTx } from '../documents/document-tx.ts';
import {
  type CollectionParameters,
  MIN_JOURNAL_SIZE,
  parametersFromWire,
} from '../model/collection.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { MarkerType } from '../model/marker.ts';
import { isValidCollectionName } from '../model/names.ts';
import type { Tick } from '../model/tick.ts';
import type { ForeignLine } from '../protocol/line-parser.ts';
import { Space, numberRange, primaryKeyDocument } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import { displacedName, freeDisplacedName } from './displaced-name.ts';
import { isFollowed } from './followed-collection.ts';
import { adoptIndex } from './index-adoption.ts';
import type { LeaderCollections, NamedCollection } from './leader-collections.ts';
import type { Restriction } from './restriction.ts';

/**
 * What a line does when it does something: a change in a batch of its own, into which `context.also`
 * writes the position.
 */
export type DdlChange = (context: ChangeContext) => Promise<unknown>;

/** What a line asks for: nothing (`done`), nothing that is followed (`excluded`), or a change. */
export type DdlPlan = 'done' | 'excluded' | DdlChange;

const TRUNCATE_STEP_KEYS = 10_000;

/**
 * Applies events that change collections and indexes (contract 6.7). Each may come a second time:
 * what is already so is left alone. What stands in the way of a collection of a ticklog leader is
 * dropped where nothing is lost by that (docs/adr/0009).
 */
export class DdlApplier {
  readonly #store: Store;
  readonly #collections: Collections;
  readonly #database: Database;
  readonly #restriction: Restriction;
  readonly #theirs: LeaderCollections;

  constructor(
    deps: { store: Store; collections: Collections; database: Database },
    options: { restriction: Restriction; theirs: LeaderCollections },
  ) {
    this.#store = deps.store;
    this.#collections = deps.collections;
    this.#database = deps.database;
    this.#restriction = options.restriction;
    this.#theirs = options.theirs;
  }

  /**
   * Decides what a line asks for. The change itself rejects with what the catalogue says:
   * duplicateName, illegalName, uniqueConstraintViolated.
   *
   * @throws ServiceError collectionNotFound, illegalName, unexpectedMarker for a line that lacks something,
   *   startTickNotPresent for a collection that comes to be followed by its new name
   */
  plan(line: ForeignLine): DdlPlan {
    const { cid = '', cname = '', tick = 0n } = line;
    const collection = this.#theirs.find(cid, cname);
    if (collection && this.#theirs.copiedUpTo(collection) >= tick) return 'done';
    if (line.type === MarkerType.collectionRename) return this.#rename(line, collection);
    const name = line.cname ?? nameIn(line) ?? collection?.name ?? '';
    if (isView(line.type) || !isFollowed(this.#restriction, { cid, name }, collection)) {
      return 'excluded';
    }
    switch (line.type) {
      case MarkerType.collectionCreate:
        return this.#create(line, name);
      case MarkerType.collectionDrop:
        return collection ? this.#drop(collection, cid, tick) : 'done';
      default:
        if (!collection && this.#theirs.isOutdated({ cid, name: cname }, tick)) return 'done';
        return this.#changeWithin(line, collection ?? this.#missing(line));
    }
  }

  /** Changes that leave a collection under its name. */
  #changeWithin(line: ForeignLine, collection: Collection): DdlPlan {
    switch (line.type) {
      case MarkerType.collectionChange:
        return this.#changeProperties(line, collection);
      case MarkerType.collectionTruncate:
        return (context) => this.#truncate(collection, context);
      case MarkerType.indexCreate:
        return this.#createIndex(line, collection);
      case MarkerType.indexDrop:
        return this.#dropIndex(line, collection);
      default:
        throw new ServiceError('unexpectedMarker');
    }
  }

  #drop(collection: Collection, cid: string, tick: Tick): DdlChange {
    return (context) =>
      this.#collections.drop(this.#database, collection, {
        ...context,
        also: (tx) => {
          this.#theirs.noteDropped(tx, cid, tick);
          context.also?.(tx);
        },
      });
  }

  #create(line: ForeignLine, name: string): DdlPlan {
    const parameters = parametersFromWire({ cid: line.cid, name, ...line.payload });
    if (!parameters) throw new ServiceError('unexpectedMarker', 'collection is not described');
    if (!isValidCollectionName(parameters.name, true)) throw new ServiceError('illegalName');
    const { tick = 0n } = line;
    const same = this.#database.byCid(parameters.cid);
    const named = this.#database.byName(parameters.name);
    const existing = this.#theirs.isTicklog ? same : (same ?? named);
    if (existing?.type === parameters.type) return this.#adopt(existing, parameters, tick);
    if (this.#theirs.isAhead(same, tick)) return 'done';
    if (this.#theirs.isDroppedAfter(parameters.cid, tick)) return 'done';
    const ownName = this.#nameAsOf(parameters, tick);
    if (ownName === undefined) return 'done';
    const wanted = { ...parameters, name: ownName };
    return (context) =>
      this.#collections.createWith(this.#database, wanted, this.#replacing(context, wanted, tick));
  }

  /**
   * What a collection is called here that gets a name at `tick`: where another one is known to have it later, there is
   * a name to wait under for what the log says next. Undefined when that is taken, too.
   */
  #nameAsOf({ cid, name }: NamedCollection, tick: Tick): string | undefined {
    if (!this.#theirs.isAhead(this.#database.byName(name), tick)) return name;
    return freeDisplacedName(this.#database, cid);
  }

  /** Same type, and same id or name: nothing is to be done but to note whose it is. */
  #adopt(existing: Collection, { name }: CollectionParameters, tick: Tick): DdlPlan {
    if (this.#theirs.isOurs(existing) || existing.name !== name) return 'done';
    const followed = this.#theirs.followedAt(tick);
    return (context) =>
      this.#collections.follow(this.#database, existing, { ...context, followed });
  }

  /** A context in which what has the id or the name of a ticklog leader's collection makes room for it. */
  #replacing(context: ChangeContext, wanted: NamedCollection, tick: Tick): ChangeContext {
    const followed = this.#theirs.followedAt(tick);
    if (!this.#theirs.isTicklog) return { ...context, followed };
    return {
      ...context,
      followed,
      mayReplace: (inTheWay, tx) => this.#theirs.assertReplaceable(inTheWay, wanted, tx),
    };
  }

  /**
   * A collection that gets a name which is not followed keeps what it has, under that name, and is not
   * followed any more. One that gets a name which is followed cannot be made out of the log: what it
   * holds was passed over before. Where later names are known already, the present one is of the past.
   */
  #rename(line: ForeignLine, collection: Collection | undefined): DdlPlan {
    const newName = line.payload?.['name'];
    if (typeof newName !== 'string') throw new ServiceError('unexpectedMarker', 'no new name');
    const isFollowed = this.#restriction.accepts(newName);
    const { tick = 0n, cid = '' } = line;
    if (newName === collection?.name) return isFollowed ? 'done' : 'excluded';
    if (this.#theirs.isAhead(collection, tick)) return 'done';
    if (!collection && this.#theirs.isDroppedAfter(cid, tick)) return 'done';
    const { oldName } = line.payload ?? {};
    // It may have been renamed out, and come back.
    const oldNames = [line.cname, collection?.name, oldName]
      .filter((name) => typeof name === 'string')
      .filter((name) => name !== displacedName(cid));
    const wasFollowed = oldNames.every((name) => this.#restriction.accepts(name));
    if (!wasFollowed) {
      if (!isFollowed) return 'excluded';
      throw new ServiceError(
        'startTickNotPresent',
        `collection '${oldNames[0] ?? ''}' is now '${newName}', which is followed, but what it held ` +
          'before is not here; sync anew',
      );
    }
    const renamed = collection ?? this.#missing(line);
    if (!isFollowed) {
      return (context) => this.#collections.rename(this.#database, renamed, newName, context);
    }
    const wanted = { cid: renamed.cid, name: newName };
    const ownName = this.#nameAsOf(wanted, tick);
    if (ownName === undefined || ownName === renamed.name) return 'done';
    const isTheirs = renamed.cid === cid || this.#theirs.isOurs(renamed);
    return (context) => {
      const { followed, ...rest } = this.#replacing(context, wanted, tick);
      return this.#collections.rename(this.#database, renamed, ownName, {
        ...rest,
        ...(isTheirs && followed ? { followed: this.#theirs.followedAt(tick, renamed) } : {}),
      });
    };
  }

  #changeProperties(line: ForeignLine, collection: Collection): DdlPlan {
    const { waitForSync, doCompact, maximalSize, journalSize } = line.payload ?? {};
    const size = maximalSize ?? journalSize;
    const changes: ChangedProperties = {
      ...(typeof waitForSync === 'boolean' ? { waitForSync } : {}),
      ...(typeof doCompact === 'boolean' ? { doCompact } : {}),
      // Other generations know no journals, and say 0 or less than ours may be.
      ...(typeof size === 'number' && size >= MIN_JOURNAL_SIZE ? { journalSize: size } : {}),
    };
    return (context) =>
      this.#collections.changeProperties(this.#database, collection, changes, context);
  }

  #createIndex(line: ForeignLine, collection: Collection): DdlPlan {
    const definition = line.payload ?? {};
    if (typeof definition['id'] !== 'string' || typeof definition['type'] !== 'string') {
      throw new ServiceError('unexpectedMarker', 'index is not described');
    }
    const { type } = definition;
    if (type === 'primary' || type === 'edge') return 'done';
    const deps = { store: this.#store, collections: this.#collections, database: this.#database };
    return (context) => adoptIndex(deps, collection, definition, context);
  }

  #dropIndex(line: ForeignLine, collection: Collection): DdlPlan {
    const id = line.payload?.['id'];
    if (typeof id !== 'string') throw new ServiceError('unexpectedMarker', 'no index id');
    if (!collection.indexDefinitions.some((each) => each.id === id)) return 'done';
    return async (context) => {
      try {
        await this.#collections.dropIndex(this.#database, collection, id, context);
      } catch (error) {
        // Dropped by a client in between: then only the position is left to write.
        if (!isServiceError(error, 'indexNotFound')) throw error;
        await this.#store.commit((tx) => context.also?.(tx));
      }
    };
  }

  /** @throws ServiceError collectionNotFound, always */
  #missing({ cid = '', cname = '' }: ForeignLine): never {
    throw this.#theirs.missing({ cid, name: cname });
  }

  /** Leaders of 3.4 on do not log the single removals. In steps; the last one has the position. */
  async #truncate(collection: Collection, context: ChangeContext): Promise<void> {
    const { start, end } = numberRange(Space.primary, collection.number);
    for (let after = start; ;) {
      const keys = await this.#store.level
        .keys({ gt: after, lt: end, limit: TRUNCATE_STEP_KEYS })
        .all();
      const last = keys.at(-1);
      if (!last) break;
      after = last;
      await this.#store.commit((tx) => {
        this.#database.assertAlive();
        collection.assertAlive();
        const writes = new DocumentTx(
          { tx, database: this.#database },
          { origin: context.origin, grouped: true },
        );
        for (const stored of keys) {
          const key = primaryKeyDocument(stored);
          const pointer = writes.pointer(collection, key);
          if (pointer) writes.remove(collection, key, pointer);
        }
        writes.finish();
      });
    }
    await this.#store.commit((tx) => context.also?.(tx));
  }
}

/** The name a creation has in its payload only. */
function nameIn(line: ForeignLine): string | undefined {
  const name = line.type === MarkerType.collectionCreate ? line.payload?.['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

function isView(type: number): boolean {
  return type >= MarkerType.viewCreate && type <= MarkerType.viewChange;
}
