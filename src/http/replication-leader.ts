import type { Leader } from '../leader/leader.ts';
import { type PageAnswerOptions, STALLED_AFTER_MS } from './replication-answer.ts';
import type { ReplicationCommands } from './replication-dispatch.ts';
import { barrierCommands } from './replication-barriers.ts';
import { dumpCommands } from './replication-dump.ts';
import { keysCommands } from './replication-keys.ts';
import { loggerCommands } from './replication-logger.ts';

/**
 * The commands a leader answers (contract 2, 3.1 to 3.5), for `replicationDispatch`.
 *
 * @param options.stalledAfterMs after which time a reader that takes nothing of a page is cut off
 */
export function leaderCommands(
  leader: Leader,
  options: Partial<PageAnswerOptions> = {},
): ReplicationCommands {
  const answering = {
    stalledAfterMs: options.stalledAfterMs ?? STALLED_AFTER_MS,
    isShort: () => leader.pageMemory.isShort,
  };
  return {
    ...loggerCommands(leader, answering),
    ...barrierCommands(leader),
    ...keysCommands(leader),
    ...dumpCommands(leader, answering),
  };
}
