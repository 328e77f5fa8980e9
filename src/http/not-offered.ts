import { ServiceError } from '../model/errors.ts';

const INSTEAD_OF_QUERIES =
  'read documents by their keys (/_api/document/<collection>/<key>), list the keys ' +
  '(/_api/document?collection=<name>), or read whole collections in order (/_api/replication/dump)';
const NO_AQL = `AQL is not offered here; ${INSTEAD_OF_QUERIES}`;
const NO_GRAPHS =
  'graphs are not offered here; edges are read and written as documents (/_api/edge, /_api/document)';

/** Interfaces of the databases of this family that this one does not have, by the beginnings of paths. */
const NOT_OFFERED: ReadonlyMap<string, string> = new Map([
  ['/_api/cursor', NO_AQL],
  ['/_api/query', NO_AQL],
  ['/_api/explain', NO_AQL],
  ['/_api/aqlfunction', NO_AQL],
  ['/_api/simple', `simple queries are not offered here; ${INSTEAD_OF_QUERIES}`],
  ['/_api/graph', NO_GRAPHS],
  ['/_api/gharial', NO_GRAPHS],
  ['/_api/traversal', NO_GRAPHS],
  ['/_api/edges', NO_GRAPHS],
  [
    '/_api/batch',
    'multipart batches are not offered here; send several documents as one array to ' +
      '/_api/document/<collection> or through /_api/import, other requests one after another on one connection',
  ],
]);

const NO_JAVASCRIPT =
  'JavaScript is not run here; begin a transaction with POST /_api/transaction/begin, send its ' +
  'operations with the header x-arango-trx-id, and end it with PUT /_api/transaction/<id>';

/**
 * Says of requests for what other servers have and this one has not what to use in its place (contract
 * 9.5); nothing happens for other paths.
 * @param prefix the first two segments of `path`
 * @throws ServiceError notImplemented (501/9)
 */
export function refuseNotOffered(method: string, path: string, prefix: string): void {
  const isAction = method === 'POST' && /^\/_api\/transaction\/?$/.test(path);
  const why = isAction ? NO_JAVASCRIPT : NOT_OFFERED.get(prefix);
  if (why !== undefined) throw new ServiceError('notImplemented', why);
}
