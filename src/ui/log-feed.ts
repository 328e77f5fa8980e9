import { Refused, send } from './api.ts';
import { type Entry, LogLines } from './log-lines.ts';

/** How often the server says that it lives while nothing is written, in seconds. */
export const HEARTBEAT_SECONDS = 5;

/** What ends a feed early is its last line. */
interface Failure {
  readonly error?: boolean;
  readonly code?: number;
  readonly errorNum?: number;
  readonly errorMessage?: string;
}

/** Of very large entries the first ones only. */
const PAGE_BYTES = 128 * 1024;
const FOLLOW = '/_api/replication/logger-follow';

/** What the log holds above `from` up to `to`, as much of it as fits into a page. */
export async function readPage(
  database: string,
  { from, to }: { readonly from: bigint; readonly to: bigint },
  signal: AbortSignal,
): Promise<Entry[]> {
  const query = `from=${from}&to=${to}&chunkSize=${PAGE_BYTES}`;
  const response = await send('GET', database, `${FOLLOW}?${query}`, { signal });
  return new LogLines().add(await response.text());
}

/**
 * The log above `from` as it is written, without end, in pieces. The next piece is asked for when the one before has
 * been taken, so whoever is slow keeps the server waiting and holds no more than a piece. A piece without entries says
 * that the server lives.
 *
 * @throws Refused, also in the middle: with 410 where entries above `from` are gone; LoginNeeded; the reason of `signal`
 */
export async function* readLog(
  database: string,
  from: bigint,
  signal: AbortSignal,
): AsyncGenerator<readonly Entry[], void, void> {
  const query = `from=${from}&heartbeat=${HEARTBEAT_SECONDS}`;
  const response = await send('GET', database, `${FOLLOW}?${query}`, {
    headers: { accept: 'application/x-ndjson' },
    signal,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  const lines = new LogLines();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const entries = lines.add(value);
      const failure = entries.at(-1)?.line as Failure | undefined;
      if (failure?.error !== true) {
        yield entries;
        continue;
      }
      yield entries.slice(0, -1);
      const { code = 0, errorNum = 0, errorMessage = '' } = failure;
      throw new Refused(code, errorNum, errorMessage);
    }
  } finally {
    // Whatever ended it, the connection is for others now.
    await reader.cancel().catch(() => undefined);
  }
}
