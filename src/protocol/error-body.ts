import type { ServiceError } from '../model/errors.ts';

/** The body of every answer that is an error (contract 1.3), and what an error adds to it. */
export interface ErrorBody {
  readonly error: true;
  readonly errorMessage: string;
  /** Equals the HTTP status. */
  readonly code: number;
  readonly errorNum: number;
  readonly [field: string]: unknown;
}

/** What a server has said went wrong, as read from the body of its answer. */
export interface RemoteError {
  readonly errorNum: number;
  readonly errorMessage: string;
}

/** Of what a server says this much is repeated. */
const TEXT_MAX = 200;

/** The body of the answer to a request that failed. Additional fields cannot hide the four. */
export function errorBody(error: ServiceError): ErrorBody {
  return {
    ...error.fields,
    error: true,
    errorMessage: error.message,
    code: error.httpStatus,
    errorNum: error.errorNum,
  };
}

/**
 * Reads an error body of another server.
 *
 * @returns undefined when the text is none, for example the page of a proxy
 */
export function readErrorBody(text: string): RemoteError | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Not JSON, so not from a server of our kind: the status has to do.
    return undefined;
  }
  if (typeof body !== 'object' || body === null) return undefined;
  const { error, errorNum, errorMessage } = body as Record<string, unknown>;
  if (error !== true || typeof errorNum !== 'number') return undefined;
  return { errorNum, errorMessage: typeof errorMessage === 'string' ? errorMessage : '' };
}

/** What another server has said, fit for a line of a log: short, and without anything that is no character. */
export function remoteErrorText({ errorNum, errorMessage }: RemoteError): string {
  const text = errorMessage.replace(/[\p{C}\p{Z}]+/gu, ' ').trim();
  const shown = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}...` : text;
  return `${shown} (error ${errorNum})`.trimStart();
}
