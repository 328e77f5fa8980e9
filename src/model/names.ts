/** Longest name of a database or a collection, in bytes (contract 9.1). */
export const MAX_NAME_BYTES = 64;

/** Longest document key, in characters, which are all ASCII (contract 9.3). */
export const MAX_KEY_LENGTH = 254;

const NAME = /^[a-zA-Z][a-zA-Z0-9_-]*$/;
const SYSTEM_NAME = /^_[a-zA-Z0-9_-]+$/;
const KEY = /^[a-zA-Z0-9_:.@()+,=;$!*'%-]{1,254}$/;
const CID = /^[0-9]{1,20}$/;

/**
 * Never logged, never in an inventory, never applied: what 1.4 or 3.0 leave out (contract 2.7).
 * `_users` is 1.4's: rights belong to a server, not to its data.
 */
const EXCLUDED: ReadonlySet<string> = new Set([
  ...['_replication', '_trx', '_users', '_aal', '_fishbowl', '_modules', '_routing'],
  ...['_apps', '_configuration', '_cluster_kickstarter_plans', '_foxxlog', '_jobs', '_queues'],
  '_sessions',
]);
const EXCLUDED_PREFIX = '_statistics';

/** Whether a name belongs to the system: it starts with `_`. */
export function isSystemName(name: string): boolean {
  return name.startsWith('_');
}

/** Whether a collection of this name never takes part in replication, on either side. */
export function isExcludedFromReplication(name: string): boolean {
  return isSystemName(name) && (EXCLUDED.has(name) || name.startsWith(EXCLUDED_PREFIX));
}

/**
 * Whether a collection may bear this name (contract 9.1): a letter, then letters, digits, `_`
 * and `-`, at most 64 bytes. Otherwise 1208.
 *
 * @param allowSystem also admit names starting with `_`
 */
export function isValidCollectionName(name: string, allowSystem: boolean): boolean {
  return isValidName(name, allowSystem);
}

/**
 * Whether a database may bear this name (contract 9.1). Otherwise 1229. `_system` exists
 * already and is the only one that starts with `_`.
 */
export function isValidDatabaseName(name: string): boolean {
  return isValidName(name, false);
}

/**
 * Whether the text can be a document's key (contract 9.3): 1 to 254 of the characters that 3.0
 * allows, in every mode. Otherwise 1221.
 */
export function isValidKey(key: string): boolean {
  return KEY.test(key);
}

/** The two halves of a document id such as `orders/a1`. */
export interface DocumentHandle {
  /** A collection's name, or its id when it starts with a digit. */
  readonly collection: string;
  readonly key: string;
}

/**
 * Splits a document id. The collection need not exist; its part may be a name or an id.
 *
 * @returns undefined when the text is no well-formed handle (1205)
 */
export function parseHandle(handle: string): DocumentHandle | undefined {
  const slash = handle.indexOf('/');
  if (slash <= 0) return undefined;
  const collection = handle.slice(0, slash);
  const key = handle.slice(slash + 1);
  if (!CID.test(collection) && !isValidName(collection, true)) return undefined;
  return isValidKey(key) ? { collection, key } : undefined;
}

function isValidName(name: string, allowSystem: boolean): boolean {
  if (name.length > MAX_NAME_BYTES) return false;
  return NAME.test(name) || (allowSystem && SYSTEM_NAME.test(name));
}
