import { counted } from '../base/words.ts';
import { ServiceError } from '../model/errors.ts';
import type { ImportDocument } from './import-parser.ts';

/** Messages about bad documents that one answer holds at most. */
const DETAILS_MAX = 10_000;
/** Characters of a bad document that its message shows. */
const SHOWN_MAX = 512;

/** What became of the documents of an import. */
export class ImportTally {
  created = 0;
  /** Replaced or merged. */
  updated = 0;
  ignored = 0;
  errors = 0;
  /** Blank lines. */
  empty = 0;
  readonly #withDetails: boolean;
  readonly #details: { readonly position: number; readonly message: string }[] = [];

  constructor(options: { withDetails: boolean }) {
    this.#withDetails = options.withDetails;
  }

  /** A message for each bad document in the order of the body, if they are wanted; not too many. */
  get details(): string[] {
    const inOrder = [...this.#details].sort((a, b) => a.position - b.position);
    const messages = inOrder.map(({ message }) => message);
    if (this.#withDetails && this.errors > messages.length) {
      messages.push(`${counted(this.errors - messages.length, 'more error')} not listed`);
    }
    return messages;
  }

  /** Counts a bad document. */
  fail(position: number, error: ServiceError, source: ImportDocument | string | undefined): void {
    this.errors++;
    if (!this.#withDetails || this.#details.length >= DETAILS_MAX) return;
    this.#details.push({ position, message: failureMessage(position, error, source) });
  }

  /** Adds what a part of the import came to. */
  add(part: ImportTally): void {
    this.created += part.created;
    this.updated += part.updated;
    this.ignored += part.ignored;
    this.errors += part.errors;
    this.empty += part.empty;
    const room = DETAILS_MAX - this.#details.length;
    this.#details.push(...part.#details.slice(0, Math.max(0, room)));
  }
}

/** What an import that was to be complete fails with (contract 9.5): status 409, nothing is stored. */
export function completeFailure(
  position: number,
  error: ServiceError,
  source: ImportDocument | string | undefined,
): ServiceError {
  const message = failureMessage(position, error, source);
  return new ServiceError(error.kind, message, { httpStatus: 409, cause: error });
}

function failureMessage(
  position: number,
  error: ServiceError,
  source: ImportDocument | string | undefined,
): string {
  const place = `at position ${position}`;
  if (source === undefined || typeof source === 'string') {
    const shown = source === undefined ? '' : `, offending context: ${shorten(source)}`;
    return `${place}: invalid JSON type (expecting object): ${error.message}${shown}`;
  }
  const offending = shorten(sourceOf(source));
  return `${place}: creating document failed with error '${error.message}', offending document: ${offending}`;
}

function sourceOf({ key, from, to, rest }: ImportDocument): string {
  const own = Object.entries({ _key: key, _from: from, _to: to })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `"${name}":${JSON.stringify(value)}`);
  return `{${[...own, ...(rest === '' ? [] : [rest])].join(',')}}`;
}

function shorten(text: string): string {
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}...`;
}
