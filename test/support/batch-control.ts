import { vi } from 'vitest';
import type { Store } from '../../src/storage/store.ts';

interface Batch {
  write(options: { sync: boolean }): Promise<void>;
}

function interceptWrites(
  store: Store,
  times: 'once' | 'always',
  write: (original: () => Promise<void>, options: { sync: boolean }) => Promise<void>,
): void {
  const original = store.level.batch.bind(store.level) as unknown as () => Batch;
  const make = (): Batch => {
    const batch = original();
    const writeBatch = batch.write.bind(batch);
    batch.write = (options) => write(() => writeBatch(options), options);
    return batch;
  };
  const spy = vi.spyOn(store.level, 'batch');
  if (times === 'once') spy.mockImplementationOnce(make as never);
  else spy.mockImplementation(make as never);
}

/**
 * Holds the next batch when it is about to be written, until `release`.
 * @param failure what the write then fails with, instead of being made
 */
export function holdNextWrite(
  store: Store,
  failure?: Error,
): { began: Promise<void>; release: () => void } {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  let begin = (): void => undefined;
  const began = new Promise<void>((resolve) => (begin = resolve));
  interceptWrites(store, 'once', async (write) => {
    begin();
    await released;
    if (failure) throw failure;
    await write();
  });
  return { began, release };
}

/** Lets the next batch fail before anything of it is written. */
export function failNextWrite(store: Store): void {
  vi.spyOn(store.level, 'batch').mockImplementationOnce(() => {
    throw new Error('no space left on device');
  });
}

/** For each batch written from now on, whether an fsync was asked for. */
export function watchSync(store: Store): boolean[] {
  const synced: boolean[] = [];
  interceptWrites(store, 'always', (write, { sync }) => {
    synced.push(sync);
    return write();
  });
  return synced;
}
