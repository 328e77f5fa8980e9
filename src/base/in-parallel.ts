/**
 * Does something with each item, several at a time, beginning in the order of the items. After the
 * first failure no further ones are begun and the signal of those under way is aborted.
 *
 * @param width how many at a time, at least 1
 * @param work is given the item and a signal that is also aborted with `signal`
 * @throws what the first failure was, or the reason of `signal`; not before all work has ended
 */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  let next = 0;
  const takeItems = async (): Promise<void> => {
    while (next < items.length && !either.aborted) {
      const item = items[next++] as T;
      try {
        await work(item, either);
      } catch (error) {
        failed.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, takeItems));
  signal.throwIfAborted();
  failed.signal.throwIfAborted();
}
