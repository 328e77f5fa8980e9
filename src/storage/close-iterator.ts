interface Reading<T> {
  seek(target: Buffer): void;
  nextv(size: number): Promise<T[]>;
  close(): Promise<void>;
}

/** What a store's iterator gives: entries, or keys. */
type Item = Buffer | readonly [Buffer, Buffer];

const ITEMS_PER_READ = 1000;

/**
 * Closes an iterator that nothing is being read from, and frees what was read last, but for one entry. The driver keeps a
 * copy of that until the iterator reads again or is collected as garbage, and tells the engine nothing of it: a
 * server that does nothing but send pages would hold hundreds of MiB before anything was collected. So it reads again.
 * @param iterator without a `limit`, at which it would not
 * @param last a key that it gave; undefined when there was none
 */
export async function closeIterator(
  iterator: Reading<Item>,
  last: Buffer | undefined,
): Promise<void> {
  try {
    const isEnded = last && (await iterator.nextv(1)).length === 0;
    if (isEnded) {
      iterator.seek(last);
      await iterator.nextv(1);
    }
  } catch {
    // Nobody reads from it any more: it is only closed.
  }
  await iterator.close();
}

/**
 * What an iterator gives, in order; it is closed then.
 * @param iterator without a `limit`
 * @param limit as many items at most
 */
export async function readAll<T extends Item>(iterator: Reading<T>, limit: number): Promise<T[]> {
  const all: T[] = [];
  try {
    while (all.length < limit) {
      const items = await iterator.nextv(Math.min(ITEMS_PER_READ, limit - all.length));
      if (items.length === 0) break;
      for (const item of items) all.push(item);
    }
    return all;
  } finally {
    const last: Item | undefined = all.at(-1);
    await closeIterator(iterator, Buffer.isBuffer(last) ? last : last?.[0]);
  }
}
