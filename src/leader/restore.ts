import type { Collection } from '../documents/collection.ts';
import type { Collections } from '../documents/collections.ts';
import type { Database } from '../documents/database.ts';
import { newIndexDefinition } from '../documents/index-definition.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import { DataRestore } from './restore-data.ts';
import {
  type CollectionDescription,
  readDescription,
  restoredParameters,
} from './restore-description.ts';
import { isTooLarge } from './restore-line.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** Every collection has these by itself. */
const BUILT_IN: ReadonlySet<unknown> = new Set(['primary', 'edge']);
/** Stands for an id that will be drawn. */
const ANY_ID = '1';

/** Takes in what a dump or a backup holds (contract 4). Everything is logged as any other write. */
export class Restore {
  readonly data: DataRestore;
  readonly #collections: Collections;

  constructor(
    deps: { store: Store; collections: Collections },
    options: { transactionMaxBytes: number },
  ) {
    this.data = new DataRestore(deps, options);
    this.#collections = deps.collections;
  }

  /**
   * Creates the collection that an inventory entry describes, without its indexes. What is overwritten goes in the
   * same batch. One that the backup says is deleted is left alone.
   *
   * @param options.recycleIds use the id of the backup, and overwrite what has it under another name, too
   * @throws ServiceError httpBadParameter, illegalName, unknownCollectionType, invalidKeyGenerator for what
   *   cannot be restored; duplicateName without `overwrite`; readOnly; badParameter for an id above 2^62
   */
  async collection(
    database: Database,
    body: JsonObject,
    options: { overwrite: boolean; recycleIds: boolean },
  ): Promise<void> {
    const description = readDescription(body);
    if (description.isDeleted) return;
    const parameters = restoredParameters(description, options);
    await this.#collections.restore(database, parameters, options);
  }

  /**
   * Creates the indexes of an inventory entry under their own ids; one whose id is taken, or is missing, gets another.
   * Nothing is made when one of the definitions cannot be used. One that the documents do not satisfy does not
   * keep the others from being made.
   *
   * @param options.force pass over what cannot be made instead of reporting it
   * @throws ServiceError httpBadParameter for a malformed body, badParameter naming the index for a definition
   *   that cannot be used, collectionNotFound, readOnly, uniqueConstraintViolated and capAlreadyDefined naming the
   *   index
   */
  async indexes(database: Database, body: JsonObject, options: { force: boolean }): Promise<void> {
    const description = readDescription(body);
    if (description.indexes.length === 0 || description.isDeleted) return;
    const collection = database.byName(description.name);
    if (!collection) throw new ServiceError('collectionNotFound');
    database.assertWritable(collection.name);
    const wanted = wantedIndexes(description, options);
    let failure: ServiceError | undefined;
    for (const definition of wanted) {
      try {
        await this.#createIndex(database, collection, definition);
      } catch (error) {
        if (!isOfIndex(error)) throw error;
        failure ??= aboutIndex(definition, error);
      }
    }
    if (failure && !options.force) throw failure;
  }

  async #createIndex(
    database: Database,
    collection: Collection,
    definition: JsonObject,
  ): Promise<void> {
    try {
      await this.#collections.createIndex(database, collection, definition);
    } catch (error) {
      if (!isServiceError(error, 'duplicateName')) throw error;
      await this.#collections.createIndex(database, collection, withoutId(definition));
    }
  }
}

/** The definitions that are to be made, all of them usable. */
function wantedIndexes(
  { indexes }: CollectionDescription,
  options: { force: boolean },
): JsonObject[] {
  const described = indexes.filter(({ type }) => !BUILT_IN.has(type)).map(asWanted);
  return described.filter((wanted) => {
    const { id = ANY_ID } = wanted;
    try {
      const text = typeof id === 'string' ? id : JSON.stringify(id);
      newIndexDefinition(wanted, text);
      if (isTooLarge(text)) throw new ServiceError('httpBadParameter', 'the id is above 2^62');
      return true;
    } catch (error) {
      if (!isServiceError(error, 'httpBadParameter')) throw error;
      if (options.force) return false;
      throw new ServiceError('badParameter', aboutIndex(wanted, error).message, { cause: error });
    }
  });
}

/** Without what is a figure of the server it comes from; some have ids as numbers. */
function asWanted(described: JsonObject): JsonObject {
  const kept = Object.entries(described).filter(([name]) => name !== 'selectivityEstimate');
  const { id, ...wanted }: JsonObject = Object.fromEntries(kept);
  if (id === undefined) return wanted;
  return { ...wanted, id: typeof id === 'number' ? String(id) : id };
}

/** Whether it says something of the index, and not of the collection or the server. */
function isOfIndex(error: unknown): error is ServiceError {
  return (
    isServiceError(error, 'uniqueConstraintViolated') ||
    isServiceError(error, 'capAlreadyDefined') ||
    isServiceError(error, 'httpBadParameter')
  );
}

function aboutIndex(definition: JsonObject, error: ServiceError): ServiceError {
  const { id, type } = definition;
  const name =
    typeof id === 'string' ? `index ${id}` : `the index of type ${JSON.stringify(type)} without id`;
  return new ServiceError(error.kind, `${name}: ${error.message}`, {
    cause: error,
    httpStatus: error.httpStatus,
  });
}

function withoutId(definition: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(definition).filter(([name]) => name !== 'id'));
}
