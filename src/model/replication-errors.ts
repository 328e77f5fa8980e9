import type { ErrorEntry } from './error-entry.ts';

/** Failures of the logger, the sync and the applier. */
export const REPLICATION_ERRORS = {
  noResponse: {
    errorNum: 1400,
    httpStatus: 500,
    message: 'no response',
    cause:
      'The leader could not be reached. Normal while it restarts: the applier tries again, and gives ' +
      'up after maxConnectRetries attempts.',
    cure:
      'Check the endpoint (ssl:// for a leader with TLS, else tcp://), that the leader runs, and the network between. An ' +
      'authority that is not known here is named with --replication.ssl-cafile when this server is started. ' +
      'If the applier has given up: ticklog applier start.',
  },
  invalidResponse: {
    errorNum: 1401,
    httpStatus: 500,
    message: 'invalid response',
    cause: 'The leader answered, but not with the headers or the body it should.',
    cure: 'Check that the endpoint is such a server and no proxy changes its answers.',
  },
  leaderError: {
    errorNum: 1402,
    httpStatus: 500,
    message: 'master error',
    cause:
      'The leader answered with a status that is no success; the message has it, and what the leader says.',
    cure:
      'Look at the log of the leader. Check the name of the database and, at HTTP 401, user and password ' +
      '(--leader.username, --leader.password-file).',
  },
  leaderIncompatible: {
    errorNum: 1403,
    httpStatus: 500,
    message: 'master incompatible',
    cause: 'The leader is of a version that this follower does not understand.',
    cure: 'Use a leader of a version that ticklog can follow: 1.4, 2.x or 3.x.',
  },
  leaderChanged: {
    errorNum: 1404,
    httpStatus: 500,
    message: 'master change',
    cause:
      'The leader is not the server, or not the history, that was followed: an exchange or a backup.',
    cure: 'Point the applier at the old leader, or sync anew; autoResync does so by itself.',
  },
  loopDetected: {
    errorNum: 1405,
    httpStatus: 500,
    message: 'loop detected',
    cause:
      'The leader has the same server id as this server: it is this server, or a copied directory.',
    cure:
      'This server would follow itself. Name another one as its leader: for make-follower and sync LEADER and ' +
      '--server.endpoint are the same server. One on a copied directory is started once with --new-server-id.',
  },
  unexpectedMarker: {
    errorNum: 1406,
    httpStatus: 500,
    message: 'unexpected marker',
    cause: 'An event or a dump line is of an unknown type, or lacks something its type needs.',
    cure: 'Check that the leader is of a version that ticklog can follow: 1.4, 2.x or 3.x, then sync anew.',
  },
  invalidApplierState: {
    errorNum: 1407,
    httpStatus: 500,
    message: 'invalid applier state',
    cause: 'The stored position of the applier can not be read.',
    cure: 'Remove it with DELETE /_api/replication/applier-state, then sync anew.',
  },
  invalidTransaction: {
    errorNum: 1408,
    httpStatus: 500,
    message: 'invalid transaction',
    cause: 'An event belongs to a transaction whose beginning the log does not have.',
    cure: 'Sync anew.',
  },
  invalidLoggerConfiguration: {
    errorNum: 1409,
    httpStatus: 400,
    message: 'invalid replication logger configuration',
    cause:
      'A cap (maxEvents, maxEventsSize, retainForClientsSize) or a time (retainForClients) is below ' +
      'its minimum, or too large to be a whole number.',
    cure: 'Use 0 (no limit), or at least 4096 events, 1048576 bytes and 1 second.',
  },
  invalidApplierConfiguration: {
    errorNum: 1410,
    httpStatus: 400,
    message: 'invalid replication applier configuration',
    cause:
      'There is no endpoint, a number is negative or too large, or restrictType and ' +
      'restrictCollections do not go together. Values of a wrong type are passed over.',
    cure:
      'Have ticklog make-follower LEADER set everything up, or PUT a complete configuration to ' +
      '/_api/replication/applier-config.',
  },
  applierRunning: {
    errorNum: 1411,
    httpStatus: 400,
    message: 'cannot change applier configuration while running',
    cause: 'The applier or a sync runs, and the request would change the ground it stands on.',
    cure: 'Stop the applier first.',
  },
  applierStopped: {
    errorNum: 1412,
    httpStatus: 500,
    message: 'replication stopped',
    cause: 'Someone stopped the applier or the sync, or the server was stopped.',
    cure: 'Start the applier again; it goes on where it was.',
  },
  noStartTick: {
    errorNum: 1413,
    httpStatus: 500,
    message: 'no start tick',
    cause: 'The applier has no stored position and was not told where to begin.',
    cure: 'Sync first and start from the lastLogTick of its answer, or start with from=<tick>.',
  },
  startTickNotPresent: {
    errorNum: 1414,
    httpStatus: 500,
    message: 'start tick not present',
    cause:
      'The log of the leader does not reach back to the position of this follower without a gap: ' +
      'its caps (maxEvents, maxEventsSize) are too small for the time the follower was away, or it ' +
      'was written to while its logger was stopped.',
    cure:
      'Sync anew. ticklog make-follower LEADER does it all; or sync, then start the applier from ' +
      'the lastLogTick of the answer; autoResync does so by itself. Let the leader keep more of its ' +
      'log (maxEventsSize), or keep it for its followers (retainForClients).',
  },
  coordinatorOnly: {
    errorNum: 1471,
    httpStatus: 403,
    message: 'this operation is only valid on a coordinator in a cluster',
    cause: 'The command is for clusters, and this is a single server.',
    cure: 'Use inventory, which says the same of a single server.',
  },
} as const satisfies Record<string, ErrorEntry>;
