interface Reading<T> {
  seek(target: Buffer): void;
  nextv(size: number): Promise<T[]>;
  close(): Promise<void>;
}

/** Behind every key of the store. */
const BEHIND_ALL = Buffer.from([0xff]);
const ENTRIES_PER_READ = 1000;

/**
 * Closes an iterator that nothing is being read from, and frees what was read last. The driver keeps a copy of that until the
 * iterator reads again or is collected as garbage, and tells the engine nothing of it: a server that does nothing but
 * send pages would hold hundreds of MiB before anything was collected.
 */
export async function closeIterator(iterator: Reading<unknown>): Promise<void> {
  try {
    iterator.seek(BEHIND_ALL);
    await iterator.nextv(1);
  } catch {
    // Nobody reads from it any more: it is only closed.
  }
  await iterator.close();
}

/** All entries of an iterator, which is closed then. */
export async function readAll<T>(iterator: Reading<T>): Promise<T[]> {
  const all: T[] = [];
  try {
    for (;;) {
      const entries = await iterator.nextv(ENTRIES_PER_READ);
      if (entries.length === 0) return all;
      for (const entry of entries) all.push(entry);
    }
  } finally {
    await closeIterator(iterator);
  }
}
