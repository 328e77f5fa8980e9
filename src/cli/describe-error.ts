import { refusedAnswer } from '../follower/classify.ts';
import type { ErrorEntry } from '../model/error-entry.ts';
import { ERRORS, isServiceError, type ServiceError } from '../model/errors.ts';
import { REPLICATION_ERRORS } from '../model/replication-errors.ts';

/**
 * What to tell a user of a failure: the first line says what it is, the second, if there is one,
 * what to do about it.
 */
export function describeError(error: unknown): string[] {
  if (!isServiceError(error)) return [error instanceof Error ? error.message : String(error)];
  if (error.kind === 'noResponse') return [unreachable(error)];
  const refused = refusedAnswer(error);
  if (refused?.remote) {
    const { errorNum, errorMessage } = refused.remote;
    // Which of the servers it is about can not be seen from the command line of verify.
    const where = errorNum === ERRORS.databaseNotFound.errorNum ? `${endpointIn(error)}: ` : '';
    return [`${where}${errorMessage} (error ${errorNum})`, ...cureOf(errorNum)];
  }
  return [`${error.message} (error ${error.errorNum})`];
}

/** As `describeError`, for failures of a server that does not start. */
export function describeStartError(error: unknown): string[] {
  if (isServiceError(error)) return [error.message, ERRORS[error.kind].cure];
  const [message = ''] = describeError(error);
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return [message, 'Stop what listens there, or choose another port with --server.endpoint.'];
  }
  return [message];
}

/** The follower's message names the leader; here it is any server. */
function unreachable(error: ServiceError): string {
  const { cause } = error;
  const reason = cause instanceof Error ? reasonOf(cause) : error.message;
  return `no answer from ${endpointIn(error)}: ${reason}`;
}

/** Messages of LeaderHttp name whom they are about. */
function endpointIn({ message }: ServiceError): string {
  return /at (\S+): /.exec(message)?.[1] ?? 'the server';
}

function reasonOf(cause: Error): string {
  if (cause.message !== '') return cause.message;
  // When several addresses of a name were tried.
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name;
}

/** Only of the failures of replication, whose numbers say enough to know a cure. */
function cureOf(errorNum: number): string[] {
  const entries: readonly ErrorEntry[] = Object.values(REPLICATION_ERRORS);
  const entry = entries.find((each) => each.errorNum === errorNum);
  return entry ? [entry.cure] : [];
}
