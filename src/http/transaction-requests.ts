import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import type { NewTransaction } from '../documents/stream-transactions.ts';
import type { CollectionAccess } from '../documents/write-locks.ts';
import { ServiceError } from '../model/errors.ts';

type Json = Readonly<Record<string, unknown>>;

/** In this order the later one counts where a collection is named several times. */
const KINDS: readonly CollectionAccess[] = ['read', 'write', 'exclusive'];
const LOCK_TIMEOUT_S = 900;
/** Longer times to wait are lowered to this: the longest a timer can run. */
const LOCK_TIMEOUT_MAX_S = 2_147_483;

/**
 * Reads the body of POST `/_api/transaction/begin`.
 * @throws ServiceError badParameter naming the attribute, collectionNotFound naming the collection
 */
export function newTransactionOf(database: Database, body: Json): NewTransaction {
  const { collections } = body;
  if (typeof collections !== 'object' || collections === null || Array.isArray(collections)) {
    throw new ServiceError('badParameter', "'collections' must be an object with the collections");
  }
  const lockTimeout = numberOf(body, 'lockTimeout', 0) ?? LOCK_TIMEOUT_S;
  return {
    access: accessOf(database, collections as Json),
    waitForSync: booleanOf(body, 'waitForSync') ?? false,
    allowImplicit:
      booleanOf(collections as Json, 'allowImplicit') ?? booleanOf(body, 'allowImplicit') ?? true,
    lockTimeoutMs: Math.min(lockTimeout, LOCK_TIMEOUT_MAX_S) * 1000,
    maxBytes: numberOf(body, 'maxTransactionSize', 1),
  };
}

function accessOf(database: Database, collections: Json): Map<Collection, CollectionAccess> {
  const access = new Map<Collection, CollectionAccess>();
  for (const kind of KINDS) {
    for (const name of namesOf(collections, kind)) {
      const collection = database.find(name);
      if (!collection) {
        throw new ServiceError('collectionNotFound', `collection not found: '${name}'`);
      }
      access.set(collection, kind);
    }
  }
  return access;
}

function namesOf(collections: Json, kind: CollectionAccess): readonly string[] {
  const value = collections[kind] ?? [];
  const names: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (names.every((name) => typeof name === 'string')) return names;
  throw new ServiceError('badParameter', `'collections.${kind}' must be a name or a list of names`);
}

function booleanOf(body: Json, name: string): boolean | undefined {
  const value = body[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw new ServiceError('badParameter', `'${name}' must be true or false`);
}

function numberOf(body: Json, name: string, least: number): number | undefined {
  const value = body[name];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && value >= least) return value;
  throw new ServiceError('badParameter', `'${name}' must be a number from ${least} on`);
}
