import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import type { NamedCollection } from './leader-collections.ts';
import type { Restriction } from './restriction.ts';

const DIGITS = /^[0-9]*$/;

/**
 * The collection that has an id of its leader: digits, or from 3.4 on a global one, such as `h1A2B/555`, and
 * for system collections their name.
 */
export function collectionOf(database: Database, cid: string): Collection | undefined {
  const found = database.byCid(cid);
  if (found || DIGITS.test(cid)) return found;
  // It is one of the attributes that collections keep from their leader.
  for (const collection of database.collections) {
    if (collection.parameters.extra?.['globallyUniqueId'] === cid) return collection;
  }
  return cid.includes('/') ? undefined : database.byName(cid);
}

/**
 * Whether what a line says of a collection counts here. A collection that is not here, and whose name
 * the line lacks, is gone on leaders up to 3.3, which name all that they still have; later ones name
 * none, and there it may be one of those that are not to be followed.
 *
 * @param found the local counterpart
 */
export function isFollowed(
  restriction: Restriction,
  { cid, name }: NamedCollection,
  found: Collection | undefined,
): boolean {
  if (name !== '') return restriction.accepts(name);
  const isGlobal = !DIGITS.test(cid);
  const isName = isGlobal && !cid.includes('/');
  const known = found?.name ?? (isName ? cid : '');
  if (known !== '') return restriction.accepts(known);
  if (isGlobal) return restriction.type !== 'exclude';
  return cid === '';
}
