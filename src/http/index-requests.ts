import type { Collection } from '../documents/collection.ts';
import { CollectionType, type IndexDefinition } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';

type Json = Readonly<Record<string, unknown>>;

/** What 1.4 takes for the shortest word of a fulltext index that does not say. */
const DEFAULT_MIN_LENGTH = 2;
const PRIMARY_ID = '0';
const EDGE_ID = '1';

/**
 * Brings the body of POST `/_api/index` into the form in which definitions are stored and travel
 * (contract 3.2.2): `geo` becomes `geo1` or `geo2`, absent attributes of a type get their defaults.
 * The id is the server's to give.
 * @throws ServiceError httpBadParameter
 */
export function wantedIndex(body: Json): Json {
  const given = Object.entries(body).filter(([name]) => name !== 'id');
  const wanted: Json = Object.fromEntries(given);
  switch (wanted['type']) {
    case 'geo':
    case 'geo1':
    case 'geo2':
      return geoIndex(wanted);
    case 'fulltext':
      return fulltextIndex(wanted);
    case 'cap':
      return capIndex(wanted);
    case 'bitarray':
      return bitarrayIndex(wanted);
    default:
      return wanted;
  }
}

/** All indexes of a collection as the API shows them: with the collection's name in their ids. */
export function shownIndexes(collection: Collection): IndexDefinition[] {
  const builtIn: IndexDefinition[] = [
    { id: PRIMARY_ID, type: 'primary', unique: true, fields: ['_id'] },
  ];
  if (collection.type === CollectionType.edge) {
    builtIn.push({ id: EDGE_ID, type: 'edge', unique: false, fields: ['_from', '_to'] });
  }
  return [...builtIn, ...collection.indexDefinitions].map((each) => shownIndex(collection, each));
}

export function shownIndex(collection: Collection, definition: IndexDefinition): IndexDefinition {
  return { ...definition, id: `${collection.name}/${definition.id}` };
}

/** Whether the index is one that every collection of its type has. */
export function isBuiltIn(collection: Collection, id: string): boolean {
  return id === PRIMARY_ID || (id === EDGE_ID && collection.type === CollectionType.edge);
}

function geoIndex({ type, fields, unique, geoJson, constraint, ignoreNull, ...rest }: Json): Json {
  const names = attributeNames('geo', fields);
  const wantedCount = type === 'geo' ? names.length : type === 'geo1' ? 1 : 2;
  if (names.length > 2 || names.length !== wantedCount) {
    throw bad('a geo index is over one attribute (a list of two numbers) or over two');
  }
  const isConstraint = constraint === true || unique === true;
  return {
    type: `geo${names.length}`,
    unique: isConstraint,
    ...(names.length === 1 ? { geoJson: geoJson === true } : {}),
    constraint: isConstraint,
    ...(isConstraint ? { ignoreNull: ignoreNull === true } : {}),
    fields: names,
    ...rest,
  };
}

function fulltextIndex({ fields, minLength = DEFAULT_MIN_LENGTH, unique: _, ...rest }: Json): Json {
  const names = attributeNames('fulltext', fields);
  if (names.length !== 1) throw bad('a fulltext index is over one attribute');
  if (typeof minLength !== 'number' || !Number.isSafeInteger(minLength)) {
    throw bad("'minLength' must be a whole number");
  }
  return { ...rest, unique: false, minLength, fields: names };
}

function capIndex({ size = 0, byteSize = 0, unique: _, ...rest }: Json): Json {
  for (const bound of [size, byteSize]) {
    if (!Number.isSafeInteger(bound) || (bound as number) < 0) {
      throw bad("'size' and 'byteSize' must be whole numbers");
    }
  }
  if (size === 0 && byteSize === 0) throw bad("a cap needs 'size' or 'byteSize'");
  return { ...rest, unique: false, size, byteSize };
}

/** The API takes attribute and values in turn, the definition holds them in pairs. */
function bitarrayIndex({ fields, undefined: others, unique: _, ...rest }: Json): Json {
  if (!Array.isArray(fields) || fields.length === 0 || fields.length % 2 !== 0) {
    throw bad("a bitarray index needs 'fields': attributes, each followed by a list of values");
  }
  const pairs: unknown[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const [attribute, values] = [fields[i] as unknown, fields[i + 1] as unknown];
    if (typeof attribute !== 'string' || !Array.isArray(values)) {
      throw bad("a bitarray index needs 'fields': attributes, each followed by a list of values");
    }
    pairs.push([attribute, values]);
  }
  return { ...rest, unique: false, fields: pairs, undefined: others === true };
}

function attributeNames(type: string, fields: unknown): string[] {
  const good =
    Array.isArray(fields) &&
    fields.length > 0 &&
    fields.every((field) => typeof field === 'string' && field !== '') &&
    new Set(fields).size === fields.length;
  if (!good) throw bad(`a ${type} index needs 'fields': a list of different attribute names`);
  return fields as string[];
}

function bad(detail: string): ServiceError {
  return new ServiceError('httpBadParameter', detail);
}
