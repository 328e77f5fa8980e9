import type { KeyOptions } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { isValidKey } from '../model/names.ts';
import type { Collection } from './collection.ts';
import type { DocumentWrites } from './document-writes.ts';

/** Keys of generators stay exact as numbers up to here. */
const LAST_KEY_MAX = Number.MAX_SAFE_INTEGER;

/**
 * Checks the options of a new collection (contract 9.2: 1232).
 * @throws ServiceError invalidKeyGenerator
 */
export function validateKeyOptions(value: unknown): KeyOptions | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid('must be an object');
  const options = value as Record<string, unknown>;
  const type = options['type'] ?? 'traditional';
  const allowUserKeys = options['allowUserKeys'] ?? true;
  if (type !== 'traditional' && type !== 'autoincrement') {
    throw invalid(`type must be traditional or autoincrement, not ${JSON.stringify(type)}`);
  }
  if (typeof allowUserKeys !== 'boolean') throw invalid('allowUserKeys must be true or false');
  if (type === 'traditional') return { type, allowUserKeys };
  const offset = wholeNumber(options['offset'] ?? 0, 0, 'offset');
  const increment = wholeNumber(options['increment'] ?? 1, 1, 'increment');
  return { type, offset, increment, allowUserKeys };
}

/**
 * The key of a new document: the one given, or one made by the collection's generator.
 * @throws ServiceError illegalDocumentKey, unexpectedDocumentKey, outOfKeys
 */
export function newKey(writes: DocumentWrites, collection: Collection, given: unknown): string {
  const options = collection.parameters.keyOptions;
  if (given !== undefined) {
    if (typeof given !== 'string' || !isValidKey(given))
      throw new ServiceError('illegalDocumentKey');
    if (options?.allowUserKeys === false) throw new ServiceError('unexpectedDocumentKey');
    trackGivenKey(writes, collection, given);
    return given;
  }
  if (options?.type !== 'autoincrement') return writes.drawTick().toString();
  const next = nextNumber(options, writes.stats(collection).lastKey);
  writes.setLastKey(collection, next);
  return next.toString();
}

/** An autoincrement generator goes on above numeric keys that users, or a leader, gave. */
export function trackGivenKey(writes: DocumentWrites, collection: Collection, key: string): void {
  if (collection.parameters.keyOptions?.type !== 'autoincrement') return;
  if (!/^[0-9]{1,15}$/.test(key)) return;
  const number = Number(key);
  if (number > writes.stats(collection).lastKey) writes.setLastKey(collection, number);
}

/** The smallest offset + n * increment above the last key. */
function nextNumber(options: KeyOptions, last: number): number {
  const offset = options.offset ?? 0;
  const increment = options.increment ?? 1;
  if (last < offset) return offset === 0 ? increment : offset;
  const next = offset + (Math.floor((last - offset) / increment) + 1) * increment;
  if (next > LAST_KEY_MAX) throw new ServiceError('outOfKeys');
  return next;
}

function wholeNumber(value: unknown, least: number, name: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > 65535) {
    throw invalid(`${name} must be a whole number from ${least} to 65535`);
  }
  return value;
}

function invalid(reason: string): ServiceError {
  return new ServiceError('invalidKeyGenerator', `invalid key generator: ${reason}`);
}
