import { STATUS_CODES } from 'node:http';
import { type RefusedAnswer, refusedAnswer } from '../follower/classify.ts';
import type { ErrorEntry } from '../model/error-entry.ts';
import { cureInMessage, inWordsOfToday } from '../model/error-words.ts';
import { ERRORS, isServiceError, type ServiceError } from '../model/errors.ts';
import { REPLICATION_ERRORS } from '../model/replication-errors.ts';
import { USER_ERRORS } from '../model/user-errors.ts';
import { describeUnreachable } from './unreachable.ts';

const UNAUTHORIZED = 401;
const DATABASE_CURE =
  'ticklog database list shows those that are there, ticklog database create makes one';

/** The failure of a part of what a verb does, which is told with the name of the part. */
export class PartFailure extends Error {
  override readonly name = 'PartFailure';
}

/** A failure that a verb finds itself, with what to do about it. */
export class AdvisedError extends Error {
  override readonly name = 'AdvisedError';
  readonly cure: string;

  constructor(message: string, cure: string) {
    super(message);
    this.cure = cure;
  }
}

/** What is known of the command that failed. */
export interface FailedCommand {
  /** Whether it restores a dump. */
  readonly restores?: boolean;
  /** Whether nobody has said which server it is to ask. */
  readonly asksDefaultServer?: boolean;
}

/**
 * What to tell a user of a failure: the first line says what it is, the second, if there is one,
 * what to do about it.
 */
export function describeError(error: unknown, command: FailedCommand = {}): string[] {
  if (error instanceof PartFailure) {
    const [message = '', ...more] = describeError(error.cause, command);
    return [`${error.message}: ${message}`, ...more];
  }
  if (error instanceof AdvisedError) return [error.message, error.cure];
  if (!isServiceError(error)) return [error instanceof Error ? error.message : String(error)];
  const endpoint = endpointIn(error);
  if (error.kind === 'noResponse') {
    const { asksDefaultServer = false } = command;
    return describeUnreachable(endpoint, error.cause ?? error, asksDefaultServer);
  }
  const refused = refusedAnswer(error);
  if (refused?.status === UNAUTHORIZED) return describeStranger(endpoint);
  if (refused) return describeRefusal(endpoint, refused, command);
  return [`${inWordsOfToday(error.message)} (error ${error.errorNum})`];
}

const DIRECTORY_CODES: ReadonlySet<unknown> = new Set([
  'EACCES',
  'EEXIST',
  'ENOTDIR',
  'EPERM',
  'EROFS',
]);

/** As `describeError`, for failures of a server that does not start. */
export function describeStartError(error: unknown): string[] {
  if (isServiceError(error)) {
    // What is wrong with a setting is in the message alone.
    return error.kind === 'badParameter'
      ? [error.message]
      : [error.message, ERRORS[error.kind].cure];
  }
  const [message = ''] = describeError(error);
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (syscall === 'listen') {
    return [
      message,
      'Stop what listens there, or choose another address or port with --server.endpoint.',
    ];
  }
  if (!DIRECTORY_CODES.has(code) && syscall !== 'mkdir') return [message];
  return [
    message,
    'Name a directory that this user may write, or make, with --database.directory.',
  ];
}

function describeStranger(endpoint: string): string[] {
  return [
    `${endpoint} does not know who asks: there is no active user of this name and password`,
    'See that --server.username NAME and --server.password-file FILE are there, and right.',
  ];
}

function describeRefusal(
  endpoint: string,
  { status, remote }: RefusedAnswer,
  { restores = false }: FailedCommand,
): string[] {
  if (remote === undefined) {
    const text = STATUS_CODES[status] ?? '';
    return [`${endpoint} answers HTTP ${status} ${text}, and not as a server of this kind does`];
  }
  const { errorNum, errorMessage } = remote;
  const text = `${inWordsOfToday(errorMessage)} (error ${errorNum})`;
  // Which of the servers it is about can not be seen from the command line of verify.
  if (errorNum === ERRORS.databaseNotFound.errorNum) {
    const more = restores ? '; restore does it with --create-database' : '';
    return [`${endpoint}: ${text}`, `${DATABASE_CURE}${more}.`];
  }
  return [text, ...cureOf(errorNum, errorMessage)];
}

/** Messages of LeaderHttp name whom they are about. */
function endpointIn({ message }: ServiceError): string {
  return /at (\S+): /.exec(message)?.[1] ?? 'the server';
}

/** Only of failures whose message or number says enough to know a cure: among them those of replication and of users. */
function cureOf(errorNum: number, message: string): string[] {
  const special = cureInMessage(message);
  if (special !== undefined) return [special];
  const entries: readonly ErrorEntry[] = [
    ...Object.values(REPLICATION_ERRORS),
    ...Object.values(USER_ERRORS),
    ...[ERRORS.databaseNameInvalid, ERRORS.notFound, ERRORS.forbidden],
  ];
  const entry = entries.find((each) => each.errorNum === errorNum);
  return entry ? [entry.cure] : [];
}
