import type { Collection } from '../documents/collection.ts';
import type { ChangedProperties, Collections, NewCollection } from '../documents/collections.ts';
import { validateKeyOptions } from '../documents/key-generator.ts';
import { type CollectionType, isCollectionType } from '../model/collection.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { isSystemName, isValidCollectionName } from '../model/names.ts';
import type { Exchange } from './context.ts';
import { assertOutsideTransaction } from './transaction-header.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads the body of POST `/_api/collection`. A name with `_` in front needs `isSystem:true`.
 * @throws ServiceError illegalName, invalidKeyGenerator, badParameter naming the attribute
 */
export function newCollectionOf(body: Json): NewCollection {
  const { name, type } = body;
  if (typeof name !== 'string' || !isValidCollectionName(name, body['isSystem'] === true)) {
    throw new ServiceError('illegalName', 'cannot create collection: illegal name');
  }
  const waitForSync = optionalBoolean(body, 'waitForSync');
  const isVolatile = optionalBoolean(body, 'isVolatile');
  if (isVolatile && waitForSync) {
    throw new ServiceError('badParameter', 'a volatile collection cannot have waitForSync');
  }
  const keyOptions = validateKeyOptions(body['keyOptions']);
  return {
    name,
    ...(type === undefined ? {} : { type: collectionTypeOf(type) }),
    ...propertiesOf(body),
    ...(isVolatile === undefined ? {} : { isVolatile }),
    ...(keyOptions === undefined ? {} : { keyOptions }),
  };
}

/** Reads what a collection can be changed to later. @throws ServiceError badParameter */
export function propertiesOf(body: Json): ChangedProperties {
  const waitForSync = optionalBoolean(body, 'waitForSync');
  const doCompact = optionalBoolean(body, 'doCompact');
  const journalSize = body['journalSize'];
  if (journalSize !== undefined && !Number.isSafeInteger(journalSize)) {
    throw new ServiceError('badParameter', "'journalSize' must be a number of bytes");
  }
  return {
    ...(waitForSync === undefined ? {} : { waitForSync }),
    ...(doCompact === undefined ? {} : { doCompact }),
    ...(journalSize === undefined ? {} : { journalSize: journalSize as number }),
  };
}

/**
 * The collection a write goes to; with `create`, one that is not there is made first. When others
 * make it at the same moment theirs is used. Inside a transaction none is made.
 * @throws ServiceError collectionNotFound, illegalName, transactionDisallowed; what `check` throws
 */
export async function collectionForWrite(
  collections: Collections,
  ctx: Exchange,
  name: string,
  create: {
    readonly wanted: boolean;
    readonly type: CollectionType;
    /** Throws when the write will be refused whatever the collection is: none is made for it then. */
    readonly check?: () => void;
  },
): Promise<Collection> {
  const { database } = ctx.state;
  const found = database.find(name);
  if (found || !create.wanted) return found ?? database.get(name);
  assertOutsideTransaction(ctx, 'to create a collection');
  if (isSystemName(name)) throw new ServiceError('illegalName');
  create.check?.();
  try {
    return await collections.create(database, { name, type: create.type });
  } catch (error) {
    if (!isServiceError(error, 'duplicateName')) throw error;
    return database.get(name);
  }
}

function collectionTypeOf(type: unknown): CollectionType {
  if (!isCollectionType(type)) {
    throw new ServiceError('badParameter', "'type' must be 2 (documents) or 3 (edges)");
  }
  return type;
}

function optionalBoolean(body: Json, name: string): boolean | undefined {
  const value = body[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw new ServiceError('badParameter', `'${name}' must be true or false`);
}
