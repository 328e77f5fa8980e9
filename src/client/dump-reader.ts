import type { Tick } from '../model/tick.ts';
import type { DumpEntry } from './log-entry.ts';
import { readPage } from './page.ts';
import type { RequestOptions, Scope } from './scope.ts';

export interface DumpOptions extends RequestOptions {
  /** Exclusive; 0 by default. */
  readonly from?: Tick | undefined;
  /** Inclusive, such as the `tick` of an inventory; everything by default. */
  readonly to?: Tick | undefined;
  /** Bytes asked for at a time, which are held in memory; 1 MiB by default. */
  readonly chunkSizeBytes?: number | undefined;
}

const CHUNK_SIZE_BYTES = 1024 * 1024;
const BATCH_PATH = '/_api/replication/batch';
/** A page may be worked on for this long. */
const BATCH_TTL_SECONDS = 600;
const EXTEND_AFTER_MS = 60_000;

/**
 * What a collection holds, in rising order of ticks (contract 3.4): documents, and removals, each the
 * newer one for its key. A batch keeps it as it is while it is read. One page is in memory.
 *
 * @throws TicklogError as the requests; also when a page is worked on for more than ten minutes
 */
export async function* readDump(
  scope: Scope,
  collection: string,
  options: DumpOptions,
): AsyncGenerator<DumpEntry, void, void> {
  const { to, signal, chunkSizeBytes = CHUNK_SIZE_BYTES } = options;
  const ttl = { ttl: BATCH_TTL_SECONDS };
  const { id } = await scope.json<{ id: string }>('POST', BATCH_PATH, { body: ttl, signal });
  const batchPath = `${BATCH_PATH}/${encodeURIComponent(id)}`;
  let from = options.from ?? 0n;
  let extendedMs = performance.now();
  try {
    for (;;) {
      if (performance.now() - extendedMs > EXTEND_AFTER_MS) {
        await scope.send('PUT', batchPath, { body: ttl, signal });
        extendedMs = performance.now();
      }
      const query = { collection, from, to, chunkSize: chunkSizeBytes };
      const page = await readPage(scope, '/_api/replication/dump', { query, signal });
      for (const line of page.lines) {
        const tick = scope.tick(line['tick'], 'tick of a document');
        yield { ...line, tick } as unknown as DumpEntry;
      }
      if (!page.checkMore) return;
      if (page.lastIncluded <= from) throw scope.invalid('a page of a dump leads nowhere');
      from = page.lastIncluded;
    }
  } finally {
    // Not with the signal: what ends the reading must not leave the batch behind.
    await scope.send('DELETE', batchPath);
  }
}
