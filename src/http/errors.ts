import { InvariantError } from '../base/assert.ts';
import type { Logger } from '../base/logger.ts';
import { inWordsOfToday } from '../model/error-words.ts';
import { type ErrorName, ServiceError, isServiceError } from '../model/errors.ts';
import { errorBody } from '../protocol/error-body.ts';
import { ClientGoneError } from './body.ts';
import { ContentType, Header } from '../protocol/headers.ts';
import type { Exchange, RequestState } from './context.ts';
import { generationOf } from './generation.ts';
import { requestIdOf } from './request-id.ts';
import { sendJson } from './respond.ts';

/** What a client that goes away leaves behind, on its socket or on the stream it was sent. */
const DISCONNECTS: ReadonlySet<unknown> = new Set([
  ...['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE'],
  ...['ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END'],
]);

/** How clients may say who they are. */
const CHALLENGE = 'Basic realm="ticklog", charset="UTF-8"';

/** Statuses from 500 on that are no failures of the server. */
const EXPECTED: ReadonlySet<ErrorName> = new Set<ErrorName>([
  ...(['shuttingDown', 'notImplemented', 'httpNotImplemented', 'resourceLimit'] as const),
]);

/** What a leader did, or the way to it, or the address that was given for it; here nothing is wrong. */
const OF_LEADER: ReadonlySet<ErrorName> = new Set<ErrorName>([
  ...(['noResponse', 'invalidResponse', 'leaderError'] as const),
  ...(['leaderIncompatible', 'leaderChanged', 'loopDetected'] as const),
]);

/** What requests that failed at a leader are counted as; they are answered 500 (contract 1.6). */
const FAILED_DEPENDENCY = 424;

/** Turns what handlers throw into answers, and logs each failure of the server once. */
export class ErrorAnswers {
  readonly #logger: Logger;
  readonly #noteDamage: (error: ServiceError) => void;
  readonly #signal: AbortSignal;
  readonly #logged = new WeakSet<Error>();

  /** @param deps.noteDamage gets every failure that damaged data have caused, once */
  constructor(
    deps: { logger: Logger; noteDamage?: ((error: ServiceError) => void) | undefined },
    options: { signal: AbortSignal },
  ) {
    this.#logger = deps.logger;
    this.#noteDamage = deps.noteDamage ?? (() => undefined);
    this.#signal = options.signal;
  }

  /** Answers a request whose handler threw. Nothing is sent to a client that is gone. */
  answer(ctx: Exchange, thrown: unknown): void {
    if (thrown instanceof ClientGoneError || !ctx.writable) {
      ctx.respond = false;
      ctx.res.destroy();
      return;
    }
    const error = this.#serviceError(thrown);
    if (error.kind === 'storageDamaged') this.#noteDamage(error);
    this.#judge(ctx, error, thrown);
    if (ctx.headerSent) {
      // Half an answer is out: the client must see that it is broken off.
      ctx.respond = false;
      ctx.res.destroy();
      return;
    }
    if (error.kind === 'httpUnauthorized') {
      // A page with a form of its own does not want the browser to show another one.
      if (ctx.headers[Header.omitChallenge] === undefined) ctx.set('www-authenticate', CHALLENGE);
      if (generationOf(ctx) === '1.4') {
        // There it has no body (contract 1.1).
        ctx.status = error.httpStatus;
        ctx.set('content-type', ContentType.text);
        ctx.body = '';
        return;
      }
    }
    sendJson(ctx, error.httpStatus, JSON.stringify(errorBody(error)));
  }

  /** For errors that show after the handler is done: while a stream is being sent. */
  logLate(thrown: unknown): void {
    if (isDisconnect(thrown) || thrown instanceof ClientGoneError) return;
    if (thrown instanceof Error) {
      if (this.#logged.has(thrown)) return;
      this.#logged.add(thrown);
    }
    this.#logger.error({ err: thrown }, 'an answer was broken off');
  }

  /** Says in the log and the counts whose fault it was, where the status of the answer does not. */
  #judge(ctx: Exchange, error: ServiceError, thrown: unknown): void {
    if (OF_LEADER.has(error.kind)) {
      ctx.state.countedStatus = FAILED_DEPENDENCY;
      const context = { ...this.#contextOf(ctx, error), reason: inWordsOfToday(error.message) };
      this.#logger.warn(context, 'a request failed at the leader');
      return;
    }
    const faultStatus = faultStatusOf(error);
    if (faultStatus >= 500 && !EXPECTED.has(error.kind)) this.#logRequest(ctx, error, thrown);
    if (faultStatus !== error.httpStatus) {
      ctx.state.countedStatus = faultStatus;
      this.#logger.info(this.#contextOf(ctx, error), `a request was refused: ${error.message}`);
    }
  }

  #serviceError(thrown: unknown): ServiceError {
    if (thrown instanceof ServiceError) return thrown;
    if (this.#signal.aborted && !(thrown instanceof InvariantError)) {
      return new ServiceError('shuttingDown', undefined, { cause: thrown });
    }
    return storageError(thrown) ?? new ServiceError('internal', undefined, { cause: thrown });
  }

  #logRequest(ctx: Exchange, error: ServiceError, thrown: unknown): void {
    if (thrown instanceof Error) {
      if (this.#logged.has(thrown)) return;
      this.#logged.add(thrown);
    }
    this.#logger.error({ ...this.#contextOf(ctx, error), err: thrown }, 'a request failed');
  }

  /** What a line of the log says of a request, whose answer gets the id under which it is found there. */
  #contextOf(ctx: Exchange, error: ServiceError): object {
    const requestId = requestIdOf(ctx.headers);
    if (!ctx.headerSent) ctx.set(Header.requestId, requestId);
    // It may not have got as far as its database.
    const { database } = ctx.state as Partial<RequestState>;
    return {
      ...{ requestId, database: database?.name, method: ctx.method },
      ...{ path: ctx.originalUrl, errorNum: error.errorNum },
    };
  }
}

/**
 * The status that tells whose fault an error is: its own, or that of the same error before it was given the 500
 * that the contract has for nearly everything in some places (1.6).
 */
function faultStatusOf({ kind, httpStatus, cause }: ServiceError): number {
  return httpStatus === 500 && isServiceError(cause, kind) ? cause.httpStatus : httpStatus;
}

/** What LevelDB itself says of what it reads. */
function storageError(thrown: unknown): ServiceError | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  const options = { cause: thrown };
  switch (thrown.code) {
    case 'LEVEL_CORRUPTION':
      return new ServiceError(
        'storageDamaged',
        `the stored data is damaged: ${thrown.message}`,
        options,
      );
    case 'LEVEL_IO_ERROR':
      return new ServiceError(
        'storageFailed',
        `the store could not be read: ${thrown.message}`,
        options,
      );
    default:
      return undefined;
  }
}

/** A request cut off in the middle also shows as one that cannot be parsed (`HPE_...`). */
function isDisconnect(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || !('code' in thrown)) return false;
  const { code } = thrown;
  return DISCONNECTS.has(code) || (typeof code === 'string' && code.startsWith('HPE_'));
}
