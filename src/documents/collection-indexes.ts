import { assert } from '../base/assert.ts';
import type { IndexDefinition } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { MarkerType } from '../model/marker.ts';
import { Space, numberRange } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import { enforceCaps } from './cap-enforcement.ts';
import { CapList } from './cap-list.ts';
import type { Catalogue } from './catalogue.ts';
import {
  type ChangeContext,
  assertChangeable,
  changeCatalogue,
  logChange,
} from './catalogue-change.ts';
import type { Collection } from './collection.ts';
import type { Database } from './database.ts';
import { newIndexDefinition, sameIndex } from './index-definition.ts';
import { type FillableIndex, fillIndex, fillableIndex } from './index-builder.ts';

/** What came of asking for an index: a number to build it under, or the equal one that was there before. */
type Reservation =
  | { readonly kind: 'reserved'; readonly number: number }
  | { readonly kind: 'exists'; readonly definition: IndexDefinition }
  | { readonly kind: 'building'; readonly number: number };

/** Create and drop of indexes (contract 9.4); both are logged. */
export class CollectionIndexes {
  readonly #store: Store;
  readonly #catalogue: Catalogue;
  /** Builds under way by index number; they settle, but never reject. */
  readonly #builds = new Map<number, Promise<unknown>>();
  readonly #abort = new AbortController();

  constructor(deps: { store: Store; catalogue: Catalogue }) {
    this.#store = deps.store;
    this.#catalogue = deps.catalogue;
  }

  /**
   * Creates an index, or finds the equal one. It is kept up to date by writers from the start, filled
   * with what exists in bounded steps, and shown and logged when it is complete. What a new cap of a
   * client has no room for is removed then, the oldest documents first.
   * @throws ServiceError httpBadParameter for a bad definition, uniqueConstraintViolated,
   *   capAlreadyDefined when a client asks for a second cap
   */
  async create(
    database: Database,
    collection: Collection,
    wanted: Readonly<Record<string, unknown>>,
    context: ChangeContext,
  ): Promise<{ definition: IndexDefinition; isNew: boolean }> {
    const given = typeof wanted['id'] === 'string' ? wanted['id'] : undefined;
    const id = given ?? (await this.#store.drawTick()).toString();
    const definition = newIndexDefinition(wanted, id);
    for (;;) {
      const reservation = await this.#reserve(database, collection, definition, context);
      switch (reservation.kind) {
        case 'building': {
          const build = this.#builds.get(reservation.number);
          assert(build, 'an index that is being built has somebody who builds it');
          // Whether it can be made is seen when that is done.
          await build;
          continue;
        }
        case 'exists':
          if (context.also) await changeCatalogue(this.#store, database, context, () => undefined);
          return { definition: reservation.definition, isNew: false };
        case 'reserved': {
          const { number } = reservation;
          const build = this.#make(database, collection, context, { number, definition });
          this.#builds.set(
            number,
            build.catch(() => undefined),
          );
          try {
            await build;
          } finally {
            this.#builds.delete(number);
          }
          return { definition, isNew: true };
        }
      }
    }
  }

  /** @throws ServiceError indexNotFound, also while it is still being built */
  drop(
    database: Database,
    collection: Collection,
    id: string,
    context: ChangeContext,
  ): Promise<void> {
    return changeCatalogue(this.#store, database, context, (tx) => {
      assertChangeable(database, collection, context);
      const { record } = collection;
      const index = record.indexes.find(
        ({ definition, building }) => !building && definition.id === id,
      );
      if (!index) throw new ServiceError('indexNotFound');
      const indexes = record.indexes.filter((each) => each !== index);
      collection.writeRecord(tx, { ...record, indexes });
      this.#store.eraser.erase(tx, numberRange(Space.secondary, index.number));
      logChange(tx, database, collection, context, {
        type: MarkerType.indexDrop,
        cid: collection.cid,
        cname: collection.name,
        id,
      });
    });
  }

  /** Ends what is being built; it is taken away again, or by the next start. */
  async close(): Promise<void> {
    this.#abort.abort(new ServiceError('shuttingDown'));
    await Promise.all(this.#builds.values());
  }

  /** Removes what earlier runs left half-built, and fills caps of which only the definition was kept. */
  async removeUnfinished(): Promise<void> {
    for (const database of this.#catalogue.databases) {
      for (const collection of database.collections) {
        const unfinished = collection.record.indexes.filter(({ building }) => building);
        for (const { number } of unfinished) await this.#abandon(collection, number);
        for (const cap of collection.caps) await this.#keep(collection, cap);
      }
    }
  }

  #reserve(
    database: Database,
    collection: Collection,
    definition: IndexDefinition,
    { origin }: ChangeContext,
  ): Promise<Reservation> {
    return changeCatalogue(this.#store, database, { origin }, (tx): Reservation => {
      assertChangeable(database, collection, { origin });
      const { record } = collection;
      const equal = record.indexes.find((each) => sameIndex(each.definition, definition));
      if (equal?.building) return { kind: 'building', number: equal.number };
      if (equal) return { kind: 'exists', definition: equal.definition };
      if (record.indexes.some((each) => each.definition.id === definition.id)) {
        throw new ServiceError('duplicateName', `index id ${definition.id} is taken`);
      }
      const isCap = definition.type === 'cap';
      // A leader's is not questioned: the own one is in its way only until the leader's word is applied.
      if (isCap && origin === 'local' && collection.caps.length > 0) {
        throw new ServiceError('capAlreadyDefined');
      }
      tx.observeTick(BigInt(definition.id));
      const number = this.#catalogue.drawNumber(tx);
      const indexes = [...record.indexes, { number, definition, building: true }];
      collection.writeRecord(tx, { ...record, indexes });
      CapList.from(number, definition)?.create(tx);
      return { kind: 'reserved', number };
    });
  }

  async #make(
    database: Database,
    collection: Collection,
    context: ChangeContext,
    index: { number: number; definition: IndexDefinition },
  ): Promise<void> {
    await this.#build(database, collection, context, index);
    if (context.origin !== 'local' || index.definition.type !== 'cap') return;
    await enforceCaps(this.#store, database, collection, this.#signal(context));
  }

  async #build(
    database: Database,
    collection: Collection,
    context: ChangeContext,
    { number, definition }: { number: number; definition: IndexDefinition },
  ): Promise<void> {
    try {
      const index = fillableIndex(number, definition);
      if (index) await this.#fill(collection, index, definition, this.#signal(context));
      await changeCatalogue(this.#store, database, context, (tx) => {
        assertChangeable(database, collection, context);
        const { record } = collection;
        const others = record.indexes.filter((each) => each.number !== number);
        collection.writeRecord(tx, { ...record, indexes: [...others, { number, definition }] });
        CapList.from(number, definition)?.complete(tx);
        logChange(tx, database, collection, context, {
          type: MarkerType.indexCreate,
          cid: collection.cid,
          cname: collection.name,
          index: definition,
        });
      });
    } catch (error) {
      if (!collection.dropped) await this.#abandon(collection, number);
      throw error;
    }
  }

  async #keep(collection: Collection, cap: CapList): Promise<void> {
    const progress = await this.#store.commit((tx) => {
      const found = cap.progress(tx);
      if (!found) cap.create(tx);
      return found;
    });
    if (progress === 'complete') return;
    await this.#fill(collection, cap, undefined, this.#abort.signal);
    await this.#store.commit((tx) => cap.complete(tx));
  }

  async #fill(
    collection: Collection,
    index: FillableIndex,
    definition: IndexDefinition | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    using work = collection.works.begin({
      kind: 'index',
      ...(definition ? { index: definition } : {}),
      documentsExpected: collection.stats.count,
    });
    await fillIndex(this.#store, collection, index, { work, signal });
  }

  #signal({ signal }: ChangeContext): AbortSignal {
    return signal ? AbortSignal.any([this.#abort.signal, signal]) : this.#abort.signal;
  }

  #abandon(collection: Collection, number: number): Promise<void> {
    return this.#store.commit(
      (tx) => {
        if (collection.dropped) return;
        const { record } = collection;
        const indexes = record.indexes.filter((each) => each.number !== number);
        collection.writeRecord(tx, { ...record, indexes });
        this.#store.eraser.erase(tx, numberRange(Space.secondary, number));
      },
      { exclusive: true },
    );
  }
}
