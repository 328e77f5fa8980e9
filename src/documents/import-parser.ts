import { ServiceError } from '../model/errors.ts';
import { readDocument } from '../protocol/document-scan.ts';
import { parseJson, splitArray } from '../protocol/json-text.ts';
import type { ImportType } from './import-lines.ts';

/** A document of an import, checked and ready to be written. */
export interface ImportDocument {
  /** Where it stood in the body, counted from 0. */
  readonly position: number;
  readonly key: unknown;
  readonly from: unknown;
  readonly to: unknown;
  /** As in ParsedDocument. */
  readonly rest: string;
  /** Length of what it was made of, in characters. */
  readonly length: number;
}

export interface ImportParserOptions {
  readonly type: ImportType;
  /** Collections put before `_from` and `_to` that name none. */
  readonly fromPrefix?: string | undefined;
  readonly toPrefix?: string | undefined;
}

/** Turns the texts of an import into documents; for `tuples` the first one holds the names. */
export class ImportParser {
  readonly #options: ImportParserOptions;
  #names: readonly string[] | undefined;
  #position = -1;

  constructor(options: ImportParserOptions) {
    this.#options = options;
  }

  /** Position of the text last parsed. */
  get position(): number {
    return this.#position;
  }

  /**
   * @returns undefined for the line of names
   * @throws ServiceError invalidJson, invalidDocumentType: the document is bad;
   *   httpBadParameter: the line of names is
   */
  parse(text: string | undefined): ImportDocument | undefined {
    this.#position++;
    if (text === undefined) throw new ServiceError('invalidJson', 'the text is not UTF-8');
    let source = text;
    if (this.#options.type === 'tuples') {
      if (!this.#names) {
        this.#names = namesOf(text);
        return undefined;
      }
      source = documentOfTuple(this.#names, text);
    }
    const parsed = readDocument(source);
    return {
      position: this.#position,
      key: parsed.key,
      from: withPrefix(parsed.from, this.#options.fromPrefix),
      to: withPrefix(parsed.to, this.#options.toPrefix),
      rest: parsed.rest,
      length: text.length,
    };
  }

  /** Counts a blank line. */
  skip(): void {
    this.#position++;
  }

  /** @throws ServiceError httpBadParameter when there was no line of names */
  end(): void {
    if (this.#options.type === 'tuples' && !this.#names) throw noNames();
  }
}

function withPrefix(end: unknown, prefix: string | undefined): unknown {
  if (prefix === undefined || typeof end !== 'string' || end.includes('/')) return end;
  return `${prefix}/${end}`;
}

function namesOf(text: string): string[] {
  let names: unknown;
  try {
    names = JSON.parse(text);
  } catch (cause) {
    throw noNames(cause);
  }
  const good =
    Array.isArray(names) &&
    names.length > 0 &&
    names.every((name) => typeof name === 'string' && name !== '') &&
    new Set(names).size === names.length;
  if (!good) throw noNames();
  return names as string[];
}

function noNames(cause?: unknown): ServiceError {
  return new ServiceError(
    'httpBadParameter',
    'no JSON array of different attribute names found in the first line; to import one document ' +
      'a line or an array of documents, give the type',
    { cause },
  );
}

/** Source text of the document that a line of values makes; a null leaves its attribute out. */
function documentOfTuple(names: readonly string[], text: string): string {
  const values = Array.isArray(parseJson(text)) ? splitArray(text) : undefined;
  if (!values) throw new ServiceError('invalidDocumentType', 'expecting an array of values');
  if (values.length !== names.length) {
    throw new ServiceError(
      'invalidDocumentType',
      `wrong number of values (got ${values.length}, expected ${names.length})`,
    );
  }
  const members = names.flatMap((name, i) => {
    const value = values[i];
    const source = value ? text.slice(value.start, value.end) : 'null';
    return source === 'null' ? [] : `${JSON.stringify(name)}:${source}`;
  });
  return `{${members.join(',')}}`;
}
