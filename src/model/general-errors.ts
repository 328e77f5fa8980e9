import type { ErrorEntry } from './error-entry.ts';

/** Failures of requests as such and of the server; also those whose number is an HTTP status. */
export const GENERAL_ERRORS = {
  outOfMemory: {
    errorNum: 3,
    httpStatus: 500,
    message: 'out of memory',
    cause: 'The process could not get the memory that a request needs.',
    cure: 'Give the process more memory, or lower the limits of page, body and transaction sizes.',
  },
  internal: {
    errorNum: 4,
    httpStatus: 500,
    message: 'internal error',
    cause: 'Something happened that the program rules out, or that it knows no better number for.',
    cure: 'Look for the request in the log of the server, and report what you find there.',
  },
  storageDamaged: {
    errorNum: 4,
    httpStatus: 500,
    message: 'the stored data is damaged',
    cause:
      'A checksum kept beside the data does not fit it: a disk or memory fault, or a foreign write.',
    cure: 'Check the disk. Restore the data directory from a backup, or copy the data again from the leader.',
  },
  storageFailed: {
    errorNum: 4,
    httpStatus: 500,
    message: 'the storage engine failed',
    cause: 'The operating system refused a read or a write of the data directory.',
    cure:
      'The log has the reason. Mend the disk, or the rights; writes are taken again by themselves when the ' +
      'directory can be written.',
  },
  storeLocked: {
    errorNum: 4,
    httpStatus: 500,
    message: 'the data directory is in use by another process',
    cause: 'Two servers were started on one data directory.',
    cure: 'Stop the other server, or name another directory with --database.directory.',
  },
  unknownFormat: {
    errorNum: 4,
    httpStatus: 500,
    message: 'the data directory has a format this version does not know',
    cause: 'The directory was written by a newer version, or by another program.',
    cure: 'Use the version that wrote it, or name another directory with --database.directory.',
  },
  notImplemented: {
    errorNum: 9,
    httpStatus: 501,
    message: 'not implemented',
    cause: 'The call exists in other servers of this interface, but not in this one.',
    cure: "The README says under 'Limits' what is not offered; do without it, or use a server that has it.",
  },
  badParameter: {
    errorNum: 10,
    httpStatus: 400,
    message: 'bad parameter',
    cause: 'A value in the query, a header or the body is outside of what it may be.',
    cure: 'Correct the value; the message names it where it can.',
  },
  forbidden: {
    errorNum: 11,
    httpStatus: 403,
    message: 'forbidden',
    cause:
      'The target is protected, such as a system collection or the primary index; or the user has no right to do ' +
      'this in the database; or the endpoint is none that this server may connect to.',
    cure:
      'Leave alone what is protected. Rights are given with ticklog user grant (PUT /_api/user/<user>/database/' +
      '<database>), endpoints with --replication.allow-endpoints.',
  },
  lockTimeout: {
    errorNum: 18,
    httpStatus: 500,
    message: 'lock timeout',
    cause: 'A lock was held by others for longer than the request may wait.',
    cure: 'Try again, with a longer lock timeout if it keeps happening.',
  },
  shuttingDown: {
    errorNum: 30,
    httpStatus: 503,
    message: 'shutdown in progress',
    cause: 'The server was told to stop and takes no new work.',
    cure: 'Send the request again once the server has been started again.',
  },
  resourceLimit: {
    errorNum: 32,
    httpStatus: 400,
    message: 'resource limit exceeded',
    cause:
      'A transaction or a complete import holds more than --transaction.max-size, the open transactions ' +
      'together more than --transaction.streaming-budget, or there are too many of them; or too many dump ' +
      'batches, barriers or lists of keys are open, or too many requests run that nobody waits for.',
    cure: 'Split it into smaller ones, wait until others have ended, or start the server with a higher limit.',
  },
  httpBadParameter: {
    errorNum: 400,
    httpStatus: 400,
    message: 'bad parameter',
    cause:
      'The request is not shaped as the endpoint wants it: a parameter, the path, or its body.',
    cure: 'Compare the request with the documentation of the endpoint.',
  },
  httpUnauthorized: {
    errorNum: 401,
    httpStatus: 401,
    message: 'unauthorized',
    cause:
      'The request names no user, the password does not fit, the user is not active, or the token has expired.',
    cure: 'Send the credentials of an active user, or get a new token from POST /_open/auth.',
  },
  httpForbidden: {
    errorNum: 403,
    httpStatus: 403,
    message: 'forbidden',
    cause: 'The user has no right to do this.',
    cure: 'Ask as a user who has.',
  },
  notFound: {
    errorNum: 404,
    httpStatus: 404,
    message: 'not found',
    cause:
      'There is no such path, or no such command below it; or no job, or no client of the log, of this id.',
    cure:
      'Check path and id for a slip, and that the server is of a version that has this. ticklog logger state ' +
      'lists the clients of a log.',
  },
  methodNotSupported: {
    errorNum: 405,
    httpStatus: 405,
    message: 'method not supported',
    cause: 'The path exists, but not with this HTTP method.',
    cure: 'Use the method the documentation of the endpoint names.',
  },
  requestTimeout: {
    errorNum: 408,
    httpStatus: 408,
    message: 'request timeout',
    cause:
      'The head of a request did not come within --server.header-timeout, or less than 4 KiB of its body ' +
      'within --server.body-timeout.',
    cure: 'Send it faster, in smaller requests, or start the server with longer times.',
  },
  preconditionFailed: {
    errorNum: 412,
    httpStatus: 412,
    message: 'precondition failed',
    cause: 'A condition in the headers of the request does not hold.',
    cure: 'Read the present state, decide again, and send the request anew.',
  },
  urlTooLong: {
    errorNum: 414,
    httpStatus: 414,
    message: 'the URL is too long',
    cause: 'Path and query together are longer than --server.max-url.',
    cure: 'Send a shorter one, or start the server with a higher limit.',
  },
  expectationFailed: {
    errorNum: 417,
    httpStatus: 417,
    message: 'expectation failed',
    cause: "The header 'expect' has another value than 100-continue.",
    cure: 'Send the request without it.',
  },
  headersTooLarge: {
    errorNum: 431,
    httpStatus: 431,
    message: 'the head of the request is too large',
    cause: 'Request line and headers together are larger than --server.max-header.',
    cure: 'Send fewer or shorter headers, or start the server with a higher limit.',
  },
  httpInternal: {
    errorNum: 500,
    httpStatus: 500,
    message: 'internal error',
    cause: 'The server failed at a place that only has an HTTP status to tell of it.',
    cure: 'Look for the request in the log of the server, and report what you find there.',
  },
  httpNotImplemented: {
    errorNum: 501,
    httpStatus: 501,
    message: 'not implemented',
    cause: 'The call exists in other servers of this interface, but not in this one.',
    cure: "The README says under 'Limits' what is not offered; do without it, or use a server that has it.",
  },
  tooManyConnections: {
    errorNum: 503,
    httpStatus: 503,
    message: 'too many connections',
    cause: 'There are --server.max-connections connections already.',
    cure: 'Try again after the seconds that Retry-After names, close connections, or start the server with a higher limit.',
  },
  invalidJson: {
    errorNum: 600,
    httpStatus: 400,
    message: 'invalid JSON object',
    cause: 'The body, or a line of it, is no JSON or not the kind of JSON value that is expected.',
    cure: 'Correct the body: UTF-8, and an object or a list, as the endpoint wants it.',
  },
  superfluousSuffices: {
    errorNum: 601,
    httpStatus: 400,
    message: 'superfluous URL suffices',
    cause: 'The path has segments that the endpoint does not take, or lacks one.',
    cure: 'Compare the path with the documentation of the endpoint.',
  },
} as const satisfies Record<string, ErrorEntry>;
