import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import { indexBucketsOf } from '../protocol/page-of-3.ts';

/**
 * Values of `status` (contract 9.2). There is nothing to load here: what a client unloads is said to be
 * unloaded until it is used, since clients wait for that.
 */
const Status = { unloaded: 2, loaded: 3, beingUnloaded: 4 } as const;

const DEFAULT_KEY_OPTIONS = { type: 'traditional', allowUserKeys: true };

/** What every answer about a collection holds. */
export function baseAnswer(collection: Collection): Record<string, unknown> {
  const { cid, name, isSystem, type } = collection;
  const status = collection.unloaded ? Status.unloaded : Status.loaded;
  return { id: cid, name, isSystem, status, type };
}

/** The collection is then on its way out, as 1.4 says. */
export function unloadAnswer(collection: Collection): Record<string, unknown> {
  return { ...baseAnswer(collection), status: Status.beingUnloaded };
}

export function createdAnswer(collection: Collection): Record<string, unknown> {
  const { waitForSync, isVolatile, keyOptions } = collection.parameters;
  return {
    ...baseAnswer(collection),
    waitForSync,
    isVolatile,
    keyOptions: keyOptions ?? DEFAULT_KEY_OPTIONS,
  };
}

export function propertiesAnswer(collection: Collection): Record<string, unknown> {
  const { doCompact, maximalSize } = collection.parameters;
  const indexBuckets = indexBucketsOf(collection.parameters);
  return { ...createdAnswer(collection), doCompact, journalSize: maximalSize, indexBuckets };
}

/** @param count as the one who asks sees it */
export function countAnswer(
  collection: Collection,
  count = collection.stats.count,
): Record<string, unknown> {
  return { ...propertiesAnswer(collection), count };
}

/**
 * Figures in the shape of 1.4. The journal counts as the one datafile; how its bytes fall to live and
 * dead entries is not known and shared out by their numbers.
 */
export function figuresAnswer(collection: Collection): Record<string, unknown> {
  const { count, entries, dead, bytes, lastTick } = collection.stats;
  const aliveBytes = entries === 0 ? 0 : Math.round((bytes * count) / entries);
  const none = { count: 0, fileSize: 0 };
  return {
    ...countAnswer(collection),
    figures: {
      alive: { count, size: aliveBytes },
      dead: { count: dead, size: bytes - aliveBytes },
      datafiles: entries === 0 ? none : { count: 1, fileSize: bytes },
      journals: none,
      compactors: none,
      shapefiles: none,
      indexes: { count: collection.indexDefinitions.length + 1 },
      lastTick: lastTick.toString(),
    },
  };
}

/** The newest change of the collection on this server, `0` when it never held anything. */
export function revisionOf(collection: Collection): string {
  return collection.stats.lastTick.toString();
}

export function collectionLocation(database: Database, collection: Collection): string {
  return `/_db/${database.name}/_api/collection/${collection.name}`;
}
