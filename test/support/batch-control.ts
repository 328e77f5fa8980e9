import { vi } from 'vitest';
import { CommitGroup } from '../../src/storage/commit-group.ts';
import type { Store } from '../../src/storage/store.ts';
import { StoreBatch } from '../../src/storage/store-batch.ts';

type Write = () => Promise<void>;
type Interceptor = (write: Write, options: { readonly sync: boolean }) => Promise<void>;

/** By the store's database; what came last stands in front. */
const interceptors = new WeakMap<object, Interceptor[]>();

// eslint-disable-next-line @typescript-eslint/unbound-method -- called on the batch that it is asked of
const writeBatch = StoreBatch.prototype.write;
StoreBatch.prototype.write = function write(this: StoreBatch, options): Promise<void> {
  const chain = [...(interceptors.get(this.level) ?? [])];
  return chain.reduce<Write>(
    (next, intercept) => () => intercept(next, options),
    () => writeBatch.call(this, options),
  )();
};

function interceptWrites(store: Store, interceptor: Interceptor): void {
  const chain = interceptors.get(store.level) ?? [];
  interceptors.set(store.level, [...chain, interceptor]);
}

function interceptNextWrite(store: Store, interceptor: Interceptor): void {
  const once: Interceptor = (write, options) => {
    const chain = interceptors.get(store.level) ?? [];
    interceptors.set(
      store.level,
      chain.filter((other) => other !== once),
    );
    return interceptor(write, options);
  };
  interceptWrites(store, once);
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
  interceptNextWrite(store, async (write) => {
    begin();
    await released;
    if (failure) throw failure;
    await write();
  });
  return { began, release };
}

/** Lets the next batch fail before anything of it is written. */
export function failNextWrite(store: Store): void {
  interceptNextWrite(store, () => Promise.reject(new Error('no space left on device')));
}

/** Lets what comes next be run, and not become a batch. */
export function failNextFill(): void {
  vi.spyOn(CommitGroup.prototype, 'fill').mockImplementationOnce(() => {
    throw new Error('no space left on device');
  });
}

/** For each batch written from now on, whether an fsync was asked for. */
export function watchSync(store: Store): boolean[] {
  const synced: boolean[] = [];
  onWrite(store, ({ sync }) => synced.push(sync));
  return synced;
}

/** Tells of each batch that is about to be written from now on. */
export function onWrite(store: Store, tell: (options: { readonly sync: boolean }) => void): void {
  interceptWrites(store, (write, options) => {
    tell(options);
    return write();
  });
}
