import type { Tick } from '../model/tick.ts';

/**
 * Building the paths a client of the interface calls. Every path names its database, so that a
 * leader's default database does not matter (contract 1.1).
 */

/** Values for a query string; undefined ones are left out. */
export type QueryValues = Readonly<Record<string, string | number | boolean | Tick | undefined>>;

/** Commands of `/_api/replication/` (contract 1.4). */
export type ReplicationCommand =
  | 'applier-config'
  | 'applier-start'
  | 'applier-state'
  | 'applier-stop'
  | 'barrier'
  | 'batch'
  | 'check-leader'
  | 'determine-open-transactions'
  | 'dump'
  | 'dump-collections'
  | 'inventory'
  | 'keys'
  | 'logger-config'
  | 'logger-first-tick'
  | 'logger-follow'
  | 'logger-start'
  | 'logger-state'
  | 'logger-stop'
  | 'logger-tick-ranges'
  | 'make-follower'
  | 'make-slave'
  | 'mend-data'
  | 'restore-collection'
  | 'restore-data'
  | 'restore-indexes'
  | 'server-id'
  | 'sync'
  | 'verify';

/**
 * Path and query of any API below a database.
 *
 * @param path from `/` on, already encoded, such as `/_api/version`
 */
export function databasePath(database: string, path: string, query: QueryValues = {}): string {
  return `/_db/${encodeURIComponent(database)}${path}${queryString(query)}`;
}

/** Path and query of a replication command: `/_db/<database>/_api/replication/<command>`. */
export function replicationPath(
  database: string,
  command: ReplicationCommand,
  query: QueryValues = {},
): string {
  return databasePath(database, `/_api/replication/${command}`, query);
}

/** Path and query of the log of leaders from 3.4 on: `/_db/<database>/_api/wal/tail`. */
export function walTailPath(database: string, query: QueryValues = {}): string {
  return databasePath(database, '/_api/wal/tail', query);
}

/** Path of one dump batch, or of another thing a replication command has by id. */
export function replicationItemPath(
  database: string,
  command: 'batch' | 'barrier' | 'keys',
  id: string,
  query: QueryValues = {},
): string {
  return databasePath(database, `/_api/replication/${command}/${encodeURIComponent(id)}`, query);
}

/** Path of a document: `/_db/<database>/_api/document/<collection>/<key>`. */
export function documentPath(
  database: string,
  collection: string,
  key: string,
  query: QueryValues = {},
): string {
  const handle = `${encodeURIComponent(collection)}/${encodeURIComponent(key)}`;
  return databasePath(database, `/_api/document/${handle}`, query);
}

/** `?a=1&b=2` with everything encoded; empty when there is nothing in it. */
export function queryString(values: QueryValues): string {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(value.toString())}`);
  }
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}
