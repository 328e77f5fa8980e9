import type { Leader } from '../leader/leader.ts';
import type { ReplicationCommands } from './replication-dispatch.ts';
import { dumpCommands } from './replication-dump.ts';
import { loggerCommands } from './replication-logger.ts';

/** The commands a leader answers (contract 2, 3.1 to 3.4), for `replicationDispatch`. */
export function leaderCommands(leader: Leader): ReplicationCommands {
  return { ...loggerCommands(leader), ...dumpCommands(leader) };
}
