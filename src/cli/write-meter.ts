import { sleep } from '../base/sleep.ts';
import { isServiceError } from '../model/errors.ts';
import { type WriteRate, recentRate } from '../model/write-rate.ts';
import { listAt, numberAt } from './json.ts';
import type { ServerClient } from './server-client.ts';

/** The counter of a logger at a moment. */
interface Look {
  readonly atMs: number;
  readonly totalEvents: number;
}

/** Shortest and longest time over which the counter is compared where the server tells no rate. */
const MEASURE_MS = 500;
const MEASURE_MAX_MS = 300_000;

/**
 * Tells how fast a server is written to: as an average of the last minutes where it keeps a history, else by what
 * its counter has done since it was looked at before.
 */
export class WriteMeter {
  /** The oldest first. */
  readonly #looks: Look[] = [];

  /**
   * @returns what logger-state answers, and the rate
   * @throws as ServerClient
   */
  async read(
    client: ServerClient,
    signal: AbortSignal,
  ): Promise<{ readonly logger: unknown; readonly rate: WriteRate }> {
    const [history, logger] = await Promise.all([
      client.get('/_admin/history', signal).catch((error: unknown) => {
        // Other servers, and older ones, have none.
        if (isServiceError(error)) return undefined;
        throw error;
      }),
      client.replication('GET', 'logger-state', signal),
    ]);
    const rate = rateOf(history) ?? this.#compare(logger);
    if (rate) return { logger, rate };
    await sleep(MEASURE_MS, signal);
    const again = await client.replication('GET', 'logger-state', signal);
    return { logger: again, rate: this.#compare(again) ?? { perSecond: 0, seconds: 0 } };
  }

  /** Undefined for the first look. */
  #compare(logger: unknown): WriteRate | undefined {
    const now = {
      atMs: performance.now(),
      totalEvents: numberAt(logger, 'state', 'totalEvents') ?? 0,
    };
    const looks = this.#looks;
    // A counter that is smaller was begun anew.
    if ((looks.at(-1)?.totalEvents ?? 0) > now.totalEvents) looks.length = 0;
    while (looks.length > 1 && now.atMs - (looks[0]?.atMs ?? 0) > MEASURE_MAX_MS) looks.shift();
    looks.push(now);
    const [oldest = now] = looks;
    const seconds = (now.atMs - oldest.atMs) / 1000;
    if (seconds <= 0) return undefined;
    return { perSecond: (now.totalEvents - oldest.totalEvents) / seconds, seconds };
  }
}

/** Undefined where there is no history, or none yet. */
function rateOf(history: unknown): WriteRate | undefined {
  const times = listAt(history, 'times') as readonly number[];
  const rates = listAt(history, 'series', 'loggedEvents') as readonly (number | null)[];
  return recentRate(times, rates, numberAt(history, 'interval') ?? 0);
}
