import { ServiceError } from '../model/errors.ts';

/** As the operating system words that there is no room, or that the share of it is used up. */
const FULL = /no space left on device|disk quota exceeded|file too large/i;

/** What to tell of a batch, or a store, that could not be written. */
export function writeFailure(cause: unknown): ServiceError {
  if (cause instanceof ServiceError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (FULL.test(reason)) {
    return new ServiceError(
      'filesystemFull',
      `the disk with the data directory is full: ${reason}. Make room there; writes are taken again by ` +
        'themselves within seconds',
      { cause },
    );
  }
  return new ServiceError(
    'storageFailed',
    `the store could not be written: ${reason}. Mend the disk, or the rights; writes are taken again by ` +
      'themselves when the data directory can be written',
    { cause },
  );
}
