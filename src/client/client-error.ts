import { ERRORS, type ErrorName } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';

/** What a `TicklogError` may carry besides its numbers. */
export interface TicklogErrorOptions {
  readonly cause?: unknown;
  /** Status of the answer, absent when there was none. */
  readonly status?: number;
  /** More members of the error body, such as the present `_rev` where a precondition failed. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** A request that did not do what it should: refused by the server, or without a good answer. */
export class TicklogError extends Error {
  override readonly name = 'TicklogError';
  /** Status of the answer; undefined when there was none, or not one that could be read. */
  readonly status: number | undefined;
  /**
   * The server's number of the error (docs/errors.md). The client's own are 1400 (no answer), 1401 (an
   * answer that is none of a server of this kind) and 1414 (the log does not reach back).
   */
  readonly errorNum: number;
  /** More members of the error body. */
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(errorNum: number, message: string, options: TicklogErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.errorNum = errorNum;
    this.status = options.status;
    this.fields = Object.freeze({ ...options.fields });
  }
}

/** Events after the place of a reader of the log are gone: what he has must be copied anew, or has gaps. */
export class PlaceLostError extends TicklogError {
  /** The oldest event that the log holds; 0 for none. */
  readonly firstTick: Tick;
  /** The smallest place from which on nothing is missing. */
  readonly resumeFrom: Tick;

  constructor(message: string, options: { cause?: unknown; firstTick: Tick; resumeFrom: Tick }) {
    const { cause, firstTick, resumeFrom } = options;
    const { errorNum } = ERRORS.startTickNotPresent;
    super(errorNum, message, { cause, status: 410, fields: { firstTick, resumeFrom } });
    this.firstTick = firstTick;
    this.resumeFrom = resumeFrom;
  }
}

/** An error that the client itself finds. */
export function clientError(
  kind: ErrorName & ('noResponse' | 'invalidResponse' | 'startTickNotPresent'),
  detail: string,
  options?: TicklogErrorOptions,
): TicklogError {
  return new TicklogError(ERRORS[kind].errorNum, detail, options);
}

/** Whether `error` is one that a server, or the client, has told with the number of `kind`. */
export function isTicklogError(error: unknown, kind: ErrorName): error is TicklogError {
  return error instanceof TicklogError && error.errorNum === ERRORS[kind].errorNum;
}
