import { isAscii, isUtf8 } from 'node:buffer';
import { ServiceError } from '../model/errors.ts';
import { Unfinished } from './unfinished.ts';

/** How the body of an import is laid out (contract 9.5); `tuples` is the form with a line of names. */
export type ImportType = 'documents' | 'array' | 'auto' | 'tuples';

/**
 * Cuts a body that comes in pieces into the texts of single documents. A line that is not UTF-8 comes
 * out as undefined, a blank one as the empty text.
 */
export interface BodyCutter {
  /** Whether what is cut is one JSON value, so that one bad document spoils it all. */
  readonly isOneValue: boolean;
  /** @throws ServiceError invalidJson, documentTooLarge */
  cut(chunk: Buffer): (string | undefined)[];
  /** What is left when the body is over. @throws ServiceError invalidJson */
  end(): (string | undefined)[];
}

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** @param maxBytes longest document; more is refused before it is held in memory */
export function bodyCutter(type: ImportType, maxBytes: number): BodyCutter {
  if (type === 'array') return new ArrayCutter({ maxBytes });
  return type === 'auto' ? new AutoCutter({ maxBytes }) : new LineCutter({ maxBytes });
}

/** One document a line; the newline behind the last one may be missing. */
class LineCutter implements BodyCutter {
  readonly isOneValue = false;
  readonly #unfinished: Unfinished;

  constructor(options: { maxBytes: number }) {
    this.#unfinished = new Unfinished(options);
  }

  cut(chunk: Buffer): (string | undefined)[] {
    const first = chunk.indexOf(NEWLINE);
    if (first < 0) {
      this.#unfinished.add(chunk);
      return [];
    }
    const last = chunk.lastIndexOf(NEWLINE);
    const lines = [textOf(this.#unfinished.take(chunk.subarray(0, first)))];
    // Many lines at once become text much faster than one by one.
    if (last > first) lines.push(...linesOf(chunk.subarray(first + 1, last)));
    this.#unfinished.add(chunk.subarray(last + 1));
    return lines;
  }

  end(): (string | undefined)[] {
    return this.#unfinished.bytes === 0 ? [] : [textOf(this.#unfinished.take())];
  }
}

/** The elements of one JSON array, of which only the outer structure is looked at here. */
class ArrayCutter implements BodyCutter {
  readonly isOneValue = true;
  readonly #unfinished: Unfinished;
  #state: 'before' | 'first' | 'element' | 'after' = 'before';
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(options: { maxBytes: number }) {
    this.#unfinished = new Unfinished(options);
  }

  cut(chunk: Buffer): string[] {
    const elements: string[] = [];
    let start = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === 'before' || this.#state === 'after') {
        this.#passOutside(chunk[at] ?? 0);
        start = ++at;
        continue;
      }
      const end = this.#passInside(chunk, at);
      if (end === chunk.length) break;
      const isLast = chunk[end] === CLOSE_BRACKET;
      this.#finish(this.#unfinished.take(chunk.subarray(start, end)), isLast, elements);
      start = at = end + 1;
    }
    this.#unfinished.add(chunk.subarray(start));
    return elements;
  }

  end(): string[] {
    if (this.#state !== 'after') throw new ServiceError('invalidJson', 'the array has no end');
    return [];
  }

  /** Only white space may stand around the array. */
  #passOutside(byte: number): void {
    if (isBlank(byte)) return;
    if (this.#state === 'after' || byte !== OPEN_BRACKET) {
      throw new ServiceError('invalidJson', 'the body is not one JSON array');
    }
    this.#state = 'first';
  }

  /** Position of the comma or bracket behind the present element, or the end of the chunk. */
  #passInside(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at];
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) {
        this.#inString = true;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        this.#depth++;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (this.#depth === 0) return at;
        this.#depth--;
      } else if (byte === COMMA && this.#depth === 0) {
        return at;
      }
    }
    return chunk.length;
  }

  #finish(bytes: Buffer, isLast: boolean, elements: string[]): void {
    const text = textOf(bytes);
    if (text === undefined) throw new ServiceError('invalidJson', 'the body is not UTF-8');
    const isEmptyArray = isLast && this.#state === 'first' && text.trim() === '';
    this.#state = isLast ? 'after' : 'element';
    if (!isEmptyArray) elements.push(text);
  }
}

/** An array if the first character says so, lines otherwise. */
class AutoCutter implements BodyCutter {
  readonly #maxBytes: number;
  #cutter: BodyCutter | undefined;
  readonly #blank: Unfinished;

  constructor(options: { maxBytes: number }) {
    this.#maxBytes = options.maxBytes;
    this.#blank = new Unfinished(options);
  }

  get isOneValue(): boolean {
    return this.#cutter?.isOneValue ?? false;
  }

  cut(chunk: Buffer): (string | undefined)[] {
    if (this.#cutter) return this.#cutter.cut(chunk);
    const first = chunk.find((byte) => !isBlank(byte));
    if (first === undefined) {
      this.#blank.add(chunk);
      return [];
    }
    const type = first === OPEN_BRACKET ? 'array' : 'documents';
    this.#cutter = bodyCutter(type, this.#maxBytes);
    return this.#cutter.cut(this.#blank.take(chunk));
  }

  end(): (string | undefined)[] {
    return this.#cutter?.end() ?? [];
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === NEWLINE || byte === 0x0d;
}

/** undefined when it is not UTF-8. */
function textOf(bytes: Buffer): string | undefined {
  if (isAscii(bytes)) return bytes.toString('latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}

function linesOf(bytes: Buffer): (string | undefined)[] {
  const text = textOf(bytes);
  if (text !== undefined) return text.split('\n');
  const lines: (string | undefined)[] = [];
  let start = 0;
  while (start <= bytes.length) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    lines.push(textOf(bytes.subarray(start, end)));
    start = end + 1;
  }
  return lines;
}
