import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import { parametersToWire } from '../model/collection.ts';
import { globalCollectionId, indexOf3, parametersOf3 } from '../protocol/page-of-3.ts';
import type { Store } from '../storage/store.ts';
import type { LeaderLogger, LoggerState } from './logger.ts';

/** One collection of an inventory (contract 3.2). */
export interface InventoryCollection {
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly indexes: readonly Readonly<Record<string, unknown>>[];
  /** Addition, for followers that are ticklog too. */
  readonly ticklog: {
    /** From this tick on the removals in the collection's dump are complete. */
    readonly deletionsSince: string;
    /** Live documents. */
    readonly count: number;
    /** Bytes of lines in its dump, superseded ones included. */
    readonly bytes: number;
  };
}

export interface InventoryOptions {
  readonly includeSystem: boolean;
  /** Print parameters and indexes as 3.x has them. */
  readonly shapeOf3: boolean;
}

/** The answer to inventory. */
export interface Inventory {
  readonly collections: readonly InventoryCollection[];
  readonly state: LoggerState;
  /** Last completed commit: the upper bound for dumping what is listed. */
  readonly tick: string;
}

/**
 * Lists what a follower has to copy: documents before edges, then by name without regard to case;
 * never what is excluded from replication (contract 3.2, 2.7). List, log position and tick belong to
 * one moment (P7): everything is taken from memory, as committed, without a pause.
 */
export function readInventory(
  deps: { store: Store; logger: LeaderLogger },
  database: Database,
  options: InventoryOptions,
): Inventory {
  const collections = database.collections
    .filter((each) => !each.excluded && (options.includeSystem || !each.isSystem))
    .sort(inOrderOfCreation)
    .map((each) => entryOf(each, options.shapeOf3, deps.logger.serverId));
  return {
    collections,
    state: deps.logger.state(database),
    tick: deps.store.lastCommitted.toString(),
  };
}

function entryOf(collection: Collection, shapeOf3: boolean, serverId: string): InventoryCollection {
  const { count, bytes } = collection.stats;
  const parameters = parametersToWire(collection.parameters);
  // By which readers of `wal/tail` know it; that of the leader it may be a copy from is another.
  const globallyUniqueId = globalCollectionId(serverId, collection.cid);
  const indexes = [...collection.indexDefinitions].sort((a, b) => compareDigits(a.id, b.id));
  return {
    parameters: shapeOf3 ? { ...parametersOf3(parameters), globallyUniqueId } : parameters,
    indexes: shapeOf3 ? indexes.map(indexOf3) : indexes,
    ticklog: { deletionsSince: collection.deletionsSince.toString(), count, bytes },
  };
}

/** The order in which appliers create: an edge collection may refer to any other. */
function inOrderOfCreation(a: Collection, b: Collection): number {
  return (
    a.type - b.type ||
    compareText(a.name.toLowerCase(), b.name.toLowerCase()) ||
    compareText(a.name, b.name)
  );
}

/** Ids are decimal numbers of up to 64 bits. */
function compareDigits(a: string, b: string): number {
  return a.length - b.length || compareText(a, b);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
