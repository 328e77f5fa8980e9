import { ServiceError } from '../model/errors.ts';

const INSTEAD_OF_QUERIES =
  'read documents by their keys (/_api/document/<collection>/<key>), list the keys ' +
  '(/_api/document?collection=<name>), read those like an example (/_api/simple/by-example), or whole collections ' +
  '(/_api/simple/all; in the order of changes /_api/replication/dump)';
const NO_AQL = `AQL is not offered here; ${INSTEAD_OF_QUERIES}`;
const NO_GRAPHS =
  'graphs are not offered here; edges are read and written as documents (/_api/edge, /_api/document)';
const NO_FOXX = 'Foxx services are not offered here; JavaScript runs in the clients';
const NO_CLUSTER =
  'clusters are not offered here; a server on its own leads or follows (/_api/replication)';
const NO_VIEWS = `views and analyzers are not offered here; ${INSTEAD_OF_QUERIES}`;
const NO_LOGS =
  'lines of the server log are not offered here; the server writes them to standard error';
const NO_TOKENS =
  'access tokens are not offered here; send name and password, or a token of POST /_open/auth';
const NO_LICENSE = 'licenses are not offered here; nothing of this server needs one';

/** Interfaces of the databases of this family that this one does not have, by the beginnings of paths. */
const NOT_OFFERED: ReadonlyMap<string, string> = new Map([
  ['/_api/cursor', NO_AQL],
  ['/_api/query', NO_AQL],
  ['/_api/query-cache', NO_AQL],
  ['/_api/query-plan-cache', NO_AQL],
  ['/_api/explain', NO_AQL],
  ['/_api/aqlfunction', NO_AQL],
  ['/_api/aql-builtin', NO_AQL],
  [
    '/_api/simple',
    `simple queries other than 'all' and 'by-example' are not offered here; ${INSTEAD_OF_QUERIES}`,
  ],
  ['/_api/graph', NO_GRAPHS],
  ['/_api/gharial', NO_GRAPHS],
  ['/_api/traversal', NO_GRAPHS],
  ['/_api/control_pregel', NO_GRAPHS],
  ['/_api/edges', `the edges of a vertex are not offered here; ${NO_GRAPHS}`],
  ['/_api/view', NO_VIEWS],
  ['/_api/analyzer', NO_VIEWS],
  ['/_api/foxx', NO_FOXX],
  ['/_admin/foxx', NO_FOXX],
  ['/_admin/execute', NO_FOXX],
  ['/_admin/routing', NO_FOXX],
  [
    '/_api/tasks',
    'tasks are not offered here; send what is to be done again and again from outside',
  ],
  ['/_api/cluster', NO_CLUSTER],
  ['/_admin/cluster', NO_CLUSTER],
  ['/_api/token', NO_TOKENS],
  ['/_admin/license', NO_LICENSE],
  [
    '/_admin/backup',
    'hot backups are not offered here; `ticklog dump` makes a backup while the server runs',
  ],
  [
    '/_admin/compact',
    'a compaction on request is not offered here; the server compacts by itself in the background',
  ],
  ['/_admin/shutdown', 'a shutdown by request is not offered here; send the process SIGTERM'],
  [
    '/_admin/status',
    'the status page of 3.x is not offered here; see /_api/version?details=true and /_admin/statistics',
  ],
  [
    '/_admin/support-info',
    'support information is not offered here; see /_api/version?details=true',
  ],
  [
    '/_api/engine',
    'storage engines are not offered here; there is one, which is built upon LevelDB',
  ],
  [
    '/_api/batch',
    'multipart batches are not offered here; send several documents as one array to ' +
      '/_api/document/<collection> or through /_api/import, other requests one after another on one connection',
  ],
]);

const NO_JAVASCRIPT =
  'JavaScript is not run here; begin a transaction with POST /_api/transaction/begin, send its ' +
  'operations with the header x-arango-trx-id, and end it with PUT /_api/transaction/<id>';
const NO_SHARDS = 'shards are not offered here: a collection is on one server as a whole';

/** Single requests to interfaces of which there is the rest. */
const SINGLE: readonly (readonly [methods: RegExp, path: RegExp, why: string])[] = [
  [/^POST$/, /^\/_api\/transaction\/?$/, NO_JAVASCRIPT],
  [/^GET$/, /^\/_api\/collection\/[^/]+\/shards\/?$/, NO_SHARDS],
  [/^PUT$/, /^\/_api\/collection\/[^/]+\/responsibleShard\/?$/, NO_SHARDS],
  [
    /^PUT$/,
    /^\/_api\/collection\/[^/]+\/compact\/?$/,
    'a compaction on request is not offered here; the server compacts by itself in the background',
  ],
  [
    /^PUT$/,
    /^\/_api\/collection\/[^/]+\/recalculateCount\/?$/,
    'a count anew is not offered here; the count is kept with each write (/_api/collection/<name>/count)',
  ],
  [
    /^PUT$/,
    /^\/_api\/collection\/[^/]+\/loadIndexesIntoMemory\/?$/,
    'loading indexes into memory is not offered here; they are read from the store as they are needed',
  ],
  [/^GET$/, /^\/_admin\/log(?:\/entries)?\/?$/, NO_LOGS],
  [
    /^POST$/,
    /^\/_open\/auth\/renew\/?$/,
    'renewing a token is not offered here; get another one with POST /_open/auth',
  ],
  [
    /^PUT$/,
    /^\/_api\/job\/[^/]+\/cancel\/?$/,
    'cancelling a job is not offered here; DELETE /_api/job/<id> forgets its answer',
  ],
];

/**
 * Says of requests for what other servers have and this one has not what to use in its place (contract
 * 9.5); nothing happens for other paths. Asked when no route has answered.
 * @param prefix the first two segments of the path
 * @throws ServiceError notImplemented (501/9)
 */
export function refuseNotOffered(prefix: string): void {
  const why = NOT_OFFERED.get(prefix);
  if (why !== undefined) throw new ServiceError('notImplemented', why);
}

/**
 * As `refuseNotOffered`, of the single requests that routes would take for misspelled ones: asked before them.
 * @throws ServiceError notImplemented (501/9)
 */
export function refuseSingle(method: string, path: string): void {
  for (const [methods, paths, why] of SINGLE) {
    if (methods.test(method) && paths.test(path)) throw new ServiceError('notImplemented', why);
  }
}
