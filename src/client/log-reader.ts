import { sleep } from '../base/sleep.ts';
import type { Tick } from '../model/tick.ts';
import { Header } from '../protocol/headers.ts';
import { clientError } from './client-error.ts';
import type { LogEntry } from './log-entry.ts';
import { readPage } from './page.ts';
import type { PageLine, RequestOptions, Scope } from './scope.ts';

export interface LogOptions extends RequestOptions {
  /** Exclusive: only what came after it, and all of that. When absent, what the log still holds. */
  readonly from?: Tick | undefined;
  /** Inclusive: the iteration ends when the log has passed it. */
  readonly to?: Tick | undefined;
  /** Go on with what comes (default), or end with the event that is the newest at the start. */
  readonly wait?: boolean | undefined;
  /** Name or id of the only collection whose events are wanted; frames of transactions come, too. */
  readonly collection?: string | undefined;
  /** Whether events of collections whose names begin with `_` are wanted; true by default. */
  readonly includeSystem?: boolean | undefined;
  /** Bytes of log asked for at a time, which are held in memory; 1 MiB by default. */
  readonly chunkSizeBytes?: number | undefined;
}

const CHUNK_SIZE_BYTES = 1024 * 1024;
/** How long the server holds a request while there is no news. */
const WAIT_SECONDS = 30;
/** A server that can not hold requests is asked this often. */
const POLL_MS = 500;

/**
 * The events of a log in rising order of ticks, each once (contract 2.6). One page is in memory; the
 * next is asked for when the last entry of it was taken.
 *
 * @throws TicklogError 1414 where events between `from` and the log's beginning are missing, or get lost
 *   because they are not taken fast enough; the reason of the signal when that is aborted
 */
export async function* readLog(
  scope: Scope,
  options: LogOptions,
): AsyncGenerator<LogEntry, void, void> {
  const { to, wait = true, signal } = options;
  let from = options.from ?? 0n;
  let mayMiss = options.from === undefined;
  let end: Tick | undefined;
  for (;;) {
    const startedMs = performance.now();
    const page = await readPage(scope, '/_api/replication/logger-follow', {
      query: {
        from,
        to,
        chunkSize: options.chunkSizeBytes ?? CHUNK_SIZE_BYTES,
        wait: wait ? WAIT_SECONDS : undefined,
        includeSystem: options.includeSystem,
        collection: options.collection,
      },
      signal,
      ...(wait ? { extraMs: WAIT_SECONDS * 1000 } : {}),
    });
    if (page.headers[Header.fromPresent] === 'false' && !mayMiss) {
      throw clientError(
        'startTickNotPresent',
        `the log does not reach back to tick ${from}, or ends before it: events are missing`,
      );
    }
    mayMiss = false;
    for (const line of page.lines) yield entryOf(scope, line);
    const lastTick = scope.tick(page.headers[Header.lastTick], Header.lastTick);
    const scanned = scope.tick(page.headers[Header.lastScanned] ?? '0', Header.lastScanned);
    const position = scanned > page.lastIncluded ? scanned : page.lastIncluded;
    const isNews = position > from;
    if (isNews) from = position;
    if (to !== undefined && (from >= to || (lastTick >= to && !page.checkMore))) return;
    end ??= lastTick;
    if (!wait && (from >= end || !isNews)) return;
    if (!isNews && performance.now() - startedMs < POLL_MS) await sleep(POLL_MS, signal);
  }
}

/** A line of the log as an entry. @throws TicklogError (1401) when a tick of it is none */
export function entryOf(scope: Scope, line: PageLine): LogEntry {
  const tick = scope.tick(line['tick'], 'tick of an event');
  if (line['lastTick'] === undefined) return { ...line, tick } as unknown as LogEntry;
  const lastTick = scope.tick(line['lastTick'], 'lastTick of an event');
  return { ...line, tick, lastTick } as unknown as LogEntry;
}
