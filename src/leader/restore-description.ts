import {
  type CollectionParameters,
  CollectionType,
  MIN_JOURNAL_SIZE,
  isCollectionType,
  parametersFromWire,
} from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** What the body of restore-collection and restore-indexes says: one entry of an inventory. */
export interface CollectionDescription {
  readonly name: string;
  /** As it came. */
  readonly parameters: JsonObject;
  /** As they came; each is an object. */
  readonly indexes: readonly JsonObject[];
  /** Marked as deleted in the backup: there is nothing to be restored. */
  readonly isDeleted: boolean;
}

/** Other generations put these in: what a collection was on its server, not what it is to be here. */
const FOREIGN_STATE: ReadonlySet<string> = new Set([
  ...['count', 'globallyUniqueId', 'isSystem', 'planId', 'shards', 'status', 'statusString'],
]);
const ID = /^[1-9][0-9]{0,18}$/;
/** Stands where an id is needed and is not used. */
const NO_ID = '0';

/**
 * Reads the body of a restore (contract 4.1). Some old backups have the indexes inside the parameters.
 *
 * @throws ServiceError httpBadParameter when it is no such entry
 */
export function readDescription(body: JsonObject): CollectionDescription {
  const { parameters } = body as { parameters?: unknown };
  if (!isObject(parameters)) throw bad("'parameters' must be an object");
  const indexes = body['indexes'] ?? parameters['indexes'];
  if (!Array.isArray(indexes) || !indexes.every(isObject)) {
    throw bad("'indexes' must be a list of objects");
  }
  const { name } = parameters as { name?: unknown };
  if (typeof name !== 'string' || name === '') throw bad("'parameters' must have a name");
  return { name, parameters, indexes, isDeleted: parameters['deleted'] === true };
}

/**
 * The parameters a restored collection gets. Unknown ones are kept, as dumps of this server have to have them.
 *
 * @param options.recycleIds take the id of the backup, too
 * @throws ServiceError httpBadParameter without an id that is wanted, unknownCollectionType, invalidKeyGenerator
 */
export function restoredParameters(
  { parameters }: CollectionDescription,
  options: { recycleIds: boolean },
): Omit<CollectionParameters, 'cid'> & { readonly cid?: string } {
  const { type = CollectionType.document, cid } = parameters as { type?: unknown; cid?: unknown };
  if (!isCollectionType(type)) {
    throw new ServiceError('unknownCollectionType', `unknown type ${JSON.stringify(type)}`);
  }
  const isId = typeof cid === 'string' && ID.test(cid);
  if (options.recycleIds && !isId) {
    throw bad("recycleIds needs a 'cid' in the parameters: a string of digits");
  }
  const known = parametersFromWire({ ...parameters, type, cid: isId ? cid : NO_ID });
  if (!known) throw bad("'parameters' do not describe a collection");
  const { cid: id, extra, ...rest } = known;
  assertKeyOptions(known);
  const kept = Object.entries(extra ?? {}).filter(([attribute]) => !FOREIGN_STATE.has(attribute));
  return {
    ...rest,
    // Other generations know no journals, and say 0 or less than ours may be.
    maximalSize: Math.max(known.maximalSize, MIN_JOURNAL_SIZE),
    ...(kept.length === 0 ? {} : { extra: Object.fromEntries(kept) }),
    ...(options.recycleIds ? { cid: id } : {}),
  };
}

/** Generators of other generations are kept as they are; ours must be able to count. */
function assertKeyOptions({ keyOptions }: CollectionParameters): void {
  if (keyOptions?.type !== 'autoincrement') return;
  const { offset = 0, increment = 1 } = keyOptions;
  if (Number.isSafeInteger(offset) && offset >= 0 && Number.isSafeInteger(increment)) {
    if (increment >= 1) return;
  }
  throw new ServiceError(
    'invalidKeyGenerator',
    'invalid key generator: offset must be a whole number from 0, increment one from 1',
  );
}

function bad(message: string): ServiceError {
  return new ServiceError('httpBadParameter', `bad parameter: ${message}`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
