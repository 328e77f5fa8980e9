import type { IndexDefinition } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';

/** Types whose entries are kept up to date and whose uniqueness is enforced. */
const FIELD_TYPES: ReadonlySet<string> = new Set(['hash', 'skiplist', 'persistent']);
/** Types of other generations: the definition is kept and replicated. */
const KEPT_TYPES: ReadonlySet<string> = new Set([
  ...['geo', 'geo1', 'geo2', 'fulltext', 'cap', 'bitarray', 'ttl', 'zkd', 'mdi', 'inverted'],
]);

/**
 * Makes a definition of what a client or a leader asks for; attributes it does not know are kept.
 * @throws ServiceError httpBadParameter naming what is wrong.
 */
export function newIndexDefinition(
  wanted: Readonly<Record<string, unknown>>,
  id: string,
): IndexDefinition {
  const { type, fields } = wanted;
  if (typeof type !== 'string' || !(FIELD_TYPES.has(type) || KEPT_TYPES.has(type))) {
    throw new ServiceError(
      'httpBadParameter',
      `unknown index type ${JSON.stringify(type ?? null)}`,
    );
  }
  if (FIELD_TYPES.has(type)) checkFields(type, fields);
  if (!/^[0-9]{1,19}$/.test(id))
    throw new ServiceError('httpBadParameter', `illegal index id '${id}'`);
  const { sparse } = wanted;
  const rest = Object.entries(wanted).filter(
    ([name]) => !['id', 'type', 'unique', 'isNewlyCreated', 'error', 'code'].includes(name),
  );
  return {
    id,
    type,
    unique: wanted['unique'] === true,
    ...Object.fromEntries(rest),
    ...(typeof sparse === 'boolean' ? { sparse } : {}),
  };
}

/** Whether creating `wanted` would add nothing to `existing`: same type, fields and rules. */
export function sameIndex(existing: IndexDefinition, wanted: IndexDefinition): boolean {
  const rules = (definition: IndexDefinition): string =>
    JSON.stringify([
      definition.type,
      definition.unique,
      definition.sparse ?? true,
      definition.fields ?? null,
      definition['size'] ?? null,
      definition['byteSize'] ?? null,
      definition['minLength'] ?? null,
      definition['geoJson'] ?? false,
      definition['ignoreNull'] ?? false,
      definition['undefined'] ?? false,
    ]);
  return rules(existing) === rules(wanted);
}

function checkFields(type: string, fields: unknown): void {
  const good =
    Array.isArray(fields) &&
    fields.length > 0 &&
    fields.every((field) => typeof field === 'string' && field !== '' && field !== '_id') &&
    new Set(fields).size === fields.length;
  if (!good) {
    throw new ServiceError(
      'httpBadParameter',
      `a ${type} index needs 'fields': a list of different attribute names`,
    );
  }
}
