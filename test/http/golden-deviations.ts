import type { CapturedVersion } from '../support/captures.ts';

/** Where this server answers differently from a real one, on purpose. */
export interface Deviation {
  readonly version?: CapturedVersion;
  /** Which recordings. */
  readonly files: RegExp;
  /** What ours answers to the request, where its status or error number differs. */
  readonly status?: number;
  readonly errorNum?: number;
  /** What ours answers to the look at the log after it, where its status differs. */
  readonly logStatus?: number;
  /** Members of bodies, by their path, or kinds of lines, that are missing here or have other values. */
  readonly lacks?: RegExp;
  /** Section of the contract, and why. */
  readonly why: string;
}

const SUPERSET = '0: what 1.4 has works for clients of 3.x, too';
const NOT_OFFERED = '9.5: not needed for replication, and not offered';
const JSON_BODIES = '1.5: a body that is no JSON is 400/400, not an exception of the server';

/** The table of the deviations. */
export const DEVIATIONS: readonly Deviation[] = [
  {
    version: '1.4.3',
    files: /logger-config-put-too-small/,
    ...{ status: 400, errorNum: 1409 },
    why: '2.5: the status 500 is a bug of 1.4.3',
  },
  {
    version: '1.4.3',
    files: /17-index-hash-existing/,
    logStatus: 204,
    why: '0: an index that exists is not logged again',
  },
  {
    version: '1.4.3',
    files: /23-document-insert-exponent/,
    ...{ status: 201, logStatus: 200 },
    why: '0: 1e10 is JSON',
  },
  {
    version: '1.4.3',
    files: /42-geojson-update/,
    ...{ status: 202, logStatus: 200 },
    why: 'INDEX: a bug of 1.4.3 with an index',
  },
  {
    version: '1.4.3',
    files: /43-geojson-remove/,
    lacks: /^\._rev$/,
    why: 'INDEX: the revision that the bug before it did not write',
  },
  {
    files: /-transaction-/,
    ...{ status: 501, errorNum: 9 },
    why: '9.5: JavaScript is not run; the log is that of the same operations in a stream transaction',
  },
  {
    version: '3.0.3',
    files: /50-transaction-multi/,
    lacks: /^lines$/,
    why: '2.7: the writes of a transaction stand collection by collection, as in 1.4',
  },
  {
    version: '1.4.3',
    files: /^follow\/(?:from-0-all|no-from)/,
    lacks: /^line (?:1000|2001)$/,
    why: '1.2: our ticks have more digits, so that a page of the same size has fewer lines',
  },
  {
    version: '3.0.3',
    files: /53-transaction-abort/,
    logStatus: 204,
    why: '2.7: only committed transactions are logged',
  },
  {
    files: /simple-|graph-create|aqlfunction/,
    ...{ status: 501, errorNum: 9 },
    lacks: /^line(?:s| 220[01])/,
    why: NOT_OFFERED,
  },
  {
    version: '3.0.3',
    files: /system-users/,
    logStatus: 204,
    lacks: /^(?:lines?|\.changePassword$)/,
    why: '2.7: users belong to a server, not to its data',
  },
  {
    version: '1.4.3',
    files: /dump\/replication-collection/,
    ...{ status: 404, errorNum: 1203 },
    why: '2.1: the log is no collection',
  },
  {
    version: '1.4.3',
    files: /batch\/create-(?:no|negative)-ttl/,
    ...{ status: 400, errorNum: 10 },
    why: '3.3: a batch without a time to live is a bug of 1.4.3',
  },
  {
    version: '1.4.3',
    files: /methods\/logger-follow-PUT/,
    ...{ status: 400, errorNum: 400 },
    why: '2.6: PUT of 2.7 works for all clients',
  },
  {
    version: '3.0.3',
    files: /logger-(?:config|start|stop)|follow\/other-database-logger-start/,
    status: 200,
    why: SUPERSET,
  },
  {
    version: '3.0.3',
    files: /logger-config-put-(?:bad-json|empty-body)/,
    ...{ status: 400, errorNum: 600 },
    why: SUPERSET,
  },
  {
    version: '3.0.3',
    files: /logger-config-put-too-small/,
    ...{ status: 400, errorNum: 1409 },
    why: SUPERSET,
  },
  {
    version: '3.0.3',
    files: /methods\/logger-(?:config|start|stop)-/,
    ...{ status: 405, errorNum: 405 },
    why: SUPERSET,
  },
  {
    version: '3.0.3',
    files: /-index-(?:bitarray|cap)/,
    ...{ status: 201, logStatus: 200 },
    why: SUPERSET,
  },
  {
    version: '3.0.3',
    files: /cap-insert|truncate-several/,
    lacks: /^lines$/,
    why: `${SUPERSET}: the cap is kept`,
  },
  {
    version: '3.0.3',
    files: /./,
    lacks: /selectivityEstimate$/,
    why: '3.2.2: no estimate is made, and none is needed',
  },
  {
    version: '3.0.3',
    files: /-index-hash/,
    lacks: /fields\[\]$/,
    why: '3.2.2: attributes stay in the order in which they were given',
  },
  {
    version: '3.0.3',
    files: /index-geo-constraint/,
    lacks: /(?:constraint|unique)$/,
    why: '3.2.2: a constraint stays what it was made as',
  },
  {
    version: '3.0.3',
    files: /./,
    lacks: /2101\.data\.id$/,
    why: '1.2: ids are strings',
  },
  {
    version: '3.0.3',
    files: /49-rotate-journal/,
    status: 200,
    why: '9.2: whatever was written can be rotated',
  },
  {
    version: '3.0.3',
    files: /^follow\//,
    lacks: /^line 2202$/,
    why: '2.7: only committed transactions are logged',
  },
  {
    version: '3.0.3',
    files: /follow\/from-overflow/,
    status: 204,
    why: '1.1: a number that is too large is the largest one',
  },
  {
    version: '3.0.3',
    files: /(?:batch|barrier).*-(?:bad-json|empty-body)/,
    ...{ status: 400, errorNum: 400 },
    why: JSON_BODIES,
  },
  {
    version: '3.0.3',
    files: /extra\/follow-collection\.http/,
    status: 200,
    why: '2.6: the real server had lost the beginning of its log by then',
  },
  {
    version: '3.0.3',
    files: /extra\/follow-compat28-header/,
    lacks: /\.(?:database|data)$/,
    why: '2.8: who says that it is older than 3.0 gets the shapes of 1.4',
  },
  {
    files: /restore\/indexes-bad-type/,
    ...{ status: 400, errorNum: 10 },
    why: '0: an index of an unknown type is refused by its name',
  },
  {
    version: '1.4.3',
    files: /restore\/data-bad-json-line-check/,
    ...{ status: 404, errorNum: 1202 },
    why: '4.3: a bad line keeps out the lines before it, too, as in 3.0',
  },
  {
    version: '3.0.3',
    files: /restore\/collection-bad-type/,
    ...{ status: 500, errorNum: 1003 },
    why: '9.2: there is no collection of type 9; as 1.4',
  },
  {
    version: '3.0.3',
    files: /restore\/indexes-unknown-collection/,
    ...{ status: 404, errorNum: 1203 },
    why: '4.2: said, and not swallowed',
  },
  {
    version: '3.0.3',
    files: /restore\/data-(?:by-cid|edge|no-trailing-newline)/,
    status: 200,
    why: '4.3: there is no 1239; a document without a revision gets one',
  },
  {
    files:
      /^sync\/applier-state-after|^applier\/(?:state-configured|start-while|state-running\.|make-slave)/,
    lacks: /Tick$/,
    why: '3.7: a sync leaves the position that following begins at, and a state shows the position',
  },
  {
    files: /^applier\/(?:start|state)-(?:unreachable|failed-(?:un|then)|same|unknown)/,
    lacks: /Tick$/,
    why: '5.2: a start from a given tick forgets the position, and a state shows none of before it',
  },
  {
    files: /^applier\/start-(?:small|before-live)/,
    lacks: /Tick$/,
    why: '5.2: a start from a given tick forgets the position, and a state shows none of before it',
  },
  {
    files: /^(?:sync\/|applier\/(?:config-put|start|state)-)malformed-endpoint/,
    ...{ status: 400, errorNum: 1410 },
    lacks: /Tick$/,
    why: '0: an endpoint that is none is refused where it is said',
  },
  {
    files: /^applier\/state-leader-gone-no-retries/,
    lacks: /errorNum$/,
    why: '5.1: no limit of retries is no end of them',
  },
  {
    version: '1.4.3',
    files: /^applier\/sync-while-running/,
    ...{ status: 400, errorNum: 1411 },
    why: '3.7: a sync under a running applier is refused',
  },
  {
    version: '3.0.3',
    files: /^applier\/config-put-array/,
    ...{ status: 400, errorNum: 1410 },
    why: JSON_BODIES,
  },
  {
    version: '3.0.3',
    files: /^applier\/state-failed-live-create/,
    lacks: /errorNum$/,
    why: '0: a bug of 3.0.3',
  },
];
