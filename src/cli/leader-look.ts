import { AdvisedError } from './describe-error.ts';
import type { LeaderSelection } from './flags.ts';
import { at, listAt, textAt } from './json.ts';
import { type Connection, isUnknownCommand, type ServerClient } from './server-client.ts';

/** A copy that somebody wants to have made. */
export interface WantedCopy {
  readonly client: ServerClient;
  /** The server that becomes the copy. */
  readonly server: Connection;
  readonly leader: LeaderSelection;
}

export interface LookOptions {
  /** What `sync` and `check-leader` take. */
  readonly body: object;
  /** Whether the leader is followed afterwards. */
  readonly follows: boolean;
  /** Collections that the leader does not have may be named. */
  readonly allowMissing: boolean;
}

/**
 * Has the server look at the leader before anything is changed. A server that cannot do that finds out when it copies
 * whether it can be followed.
 *
 * @throws AdvisedError where a collection that is named is not there, and for a leader that follows this server; what
 *   the server says of a leader that cannot be followed
 */
export async function lookAtLeader(
  copy: WantedCopy,
  { body, follows, allowMissing }: LookOptions,
  signal: AbortSignal,
): Promise<void> {
  let look: unknown;
  try {
    look = await copy.client.replication('PUT', 'check-leader', signal, { body });
  } catch (error) {
    if (!isUnknownCommand(error)) throw error;
    return;
  }
  if (follows && at(look, 'followsThis') === true) throw loopError(copy);
  const missing = listAt(look, 'missingCollections');
  if (!allowMissing && missing.length > 0) throw missingError(copy, missing);
}

/** Both would refuse what clients write, and nobody else would write. */
function loopError({ leader, server }: WantedCopy): AdvisedError {
  const { endpoint, database } = leader;
  const at = database === '_system' ? '' : ` --server.database ${database}`;
  return new AdvisedError(
    `${endpoint}, database ${database}, follows ${server.endpoint.text}, database ${server.database}: ` +
      'if each followed the other, both would refuse writes; nothing was changed',
    `If ${endpoint} is to lead: ticklog promote --server.endpoint ${endpoint}${at}; then try again.`,
  );
}

function missingError({ leader }: WantedCopy, missing: readonly unknown[]): AdvisedError {
  const { endpoint, database, includeSystem } = leader;
  const names = missing.map((each) => textAt(each, 'name') ?? '');
  const told = missing.map((each, i) => {
    const nearest = textAt(each, 'nearest');
    return `${names[i]}${nearest === undefined ? '' : ` (did you mean ${nearest}?)`}`;
  });
  const hint =
    includeSystem === false && names.some((name) => name.startsWith('_'))
      ? '; names that start with _ need --include-system-collections true'
      : '';
  return new AdvisedError(
    `${endpoint}, database ${database}, has no collection to copy that is called ${told.join(', ')}${hint}; nothing was changed`,
    'Correct --collection; for one that is created later there is --allow-missing.',
  );
}
