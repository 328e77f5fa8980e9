import { DOCUMENT_ERRORS } from './document-errors.ts';
import type { ErrorEntry } from './error-entry.ts';
import { cureInMessage } from './error-words.ts';
import { GENERAL_ERRORS } from './general-errors.ts';
import { REPLICATION_ERRORS } from './replication-errors.ts';
import { USER_ERRORS } from './user-errors.ts';

/**
 * Every failure a client can be told of, by name (contract 1.6). Names are unique, numbers need not be: the
 * contract itself uses some for several things. docs/errors.md is printed from this.
 */
export const ERRORS = {
  ...GENERAL_ERRORS,
  ...DOCUMENT_ERRORS,
  ...REPLICATION_ERRORS,
  ...USER_ERRORS,
} as const satisfies Record<string, ErrorEntry>;

/** What helps an applier that met an error of this number and message; undefined where nothing is known. */
export function applierCureOf(errorNum: number | undefined, message: string): string | undefined {
  const special = cureInMessage(message);
  if (special !== undefined) return special;
  const entries: readonly ErrorEntry[] = Object.values(ERRORS);
  const entry = entries.find((each) => each.errorNum === errorNum);
  return entry?.applierCure ?? entry?.cure;
}

/** Name of a kind of failure. */
export type ErrorName = keyof typeof ERRORS;

/** What a `ServiceError` may carry besides its kind. */
export interface ServiceErrorOptions {
  /** The error this one was made from. */
  cause?: unknown;
  /** Status of the answer where it differs from that of the table. */
  httpStatus?: number;
  /** More members of the error body, such as `_rev` in the answer to a failed precondition. */
  fields?: Readonly<Record<string, unknown>>;
}

/** What clients are told as a matter of course: a stack would cost more than the rest of the answer. */
const WITHOUT_STACK: ReadonlySet<ErrorName> = new Set<ErrorName>([
  ...(['documentNotFound', 'conflict', 'uniqueConstraintViolated'] as const),
]);

/** Something that can go wrong in normal service, and that the one who asked is told of. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly kind: ErrorName;
  readonly errorNum: number;
  readonly httpStatus: number;
  readonly fields: Readonly<Record<string, unknown>>;

  /** The message is `detail`, or without one the text the table has for `kind`. */
  constructor(kind: ErrorName, detail?: string, options: ServiceErrorOptions = {}) {
    const entry: ErrorEntry = ERRORS[kind];
    const { stackTraceLimit } = Error;
    if (WITHOUT_STACK.has(kind)) Error.stackTraceLimit = 0;
    super(detail ?? entry.message, 'cause' in options ? { cause: options.cause } : undefined);
    Error.stackTraceLimit = stackTraceLimit;
    this.kind = kind;
    this.errorNum = entry.errorNum;
    this.httpStatus = options.httpStatus ?? entry.httpStatus;
    this.fields = Object.freeze({ ...options.fields });
  }
}

/** Whether `error` is a `ServiceError`, and of this `kind` if one is given. */
export function isServiceError(error: unknown, kind?: ErrorName): error is ServiceError {
  return error instanceof ServiceError && (kind === undefined || error.kind === kind);
}
