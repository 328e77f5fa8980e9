import { isUtf8 } from 'node:buffer';
import { ServiceError } from '../model/errors.ts';
import { MarkerType, isDocumentMarker } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import { LineCutter } from '../protocol/line-cutter.ts';
import type { CutLine } from '../storage/block-writer.ts';
import { type ForeignLine, malformedLine, parseLine } from '../protocol/line-parser.ts';

/**
 * The lines of a page, one after another; the getters describe the line last moved to. Offsets are
 * bytes into the page. See LineCutter, which is the fast way to be one.
 */
export interface PageLines extends CutLine {
  /** Whether the offsets within the line hold; else the document is in `parsed()`. */
  readonly exact: boolean;
  readonly type: number;
  readonly tick: Tick;
  /** Empty outside of a transaction. */
  readonly tid: string;
  /** Empty when the line does not say. */
  readonly cid: string;
  readonly cname: string;
  /** Empty in lines that are not about a document. */
  readonly key: string;
  readonly rev: string;
  readonly lineStart: number;
  readonly dataEnd: number;
  /** @throws ServiceError invalidJson, invalidResponse, unexpectedMarker */
  parsed(): ForeignLine;
  /** Makes the line that begins at `offset` the next one. */
  seek(offset: number): void;
  /**
   * Moves to the next line; false when there is none.
   * @throws ServiceError as `parsed`; lines before the bad one have been given out
   */
  next(): boolean;
}

/**
 * Opens a page. Lines of verified pages are cut, all others parsed, which needs memory in proportion
 * to the page.
 * @throws ServiceError invalidResponse (1401) when an unverified page is not UTF-8
 */
export function openPage(body: Buffer, verified: boolean): PageLines {
  return verified ? new LineCutter(body) : new ParsedLines(body);
}

interface ParsedEntry {
  readonly line: ForeignLine;
  readonly tick: Tick;
  readonly start: number;
  readonly end: number;
}

const NEWLINE = 0x0a;
const TICK_HEAD = /\n\{"tick":"[0-9]+",$/;
const TICK_HEAD_BYTES_MAX = 40;

/** Lines of a leader of any kind. */
class ParsedLines implements PageLines {
  readonly exact = false;
  readonly keyStart = -1;
  readonly revEnd = -1;
  readonly dataStart = -1;
  readonly dataEnd = -1;
  readonly page: Buffer;
  #end = 0;
  #entry: ParsedEntry | undefined;

  constructor(page: Buffer) {
    if (!isUtf8(page)) throw new ServiceError('invalidResponse', 'page is not valid UTF-8');
    this.page = page;
  }

  get type(): number {
    return this.parsed().type;
  }

  get tick(): Tick {
    return this.#current.tick;
  }

  get tid(): string {
    return this.parsed().tid ?? '';
  }

  get cid(): string {
    return this.parsed().cid ?? '';
  }

  get cname(): string {
    return this.parsed().cname ?? '';
  }

  get key(): string {
    return this.parsed().key ?? '';
  }

  get rev(): string {
    return this.parsed().rev ?? '';
  }

  /** Empty lines before it count as a part of a line. */
  get lineStart(): number {
    return this.#entry?.start ?? 0;
  }

  get lineEnd(): number {
    return this.#entry?.end ?? 0;
  }

  parsed(): ForeignLine {
    return this.#current.line;
  }

  seek(offset: number): void {
    this.#end = offset;
  }

  next(): boolean {
    const page = this.page;
    const start = this.#end;
    while (this.#end < page.length) {
      const newline = page.indexOf(NEWLINE, this.#end);
      this.#end = newline < 0 ? page.length : newline + 1;
      const text = page.toString('utf8', start, this.#end).trim();
      if (text === '') continue;
      this.#entry = { ...parseEntry(text), start, end: this.#end };
      return true;
    }
    return false;
  }

  get #current(): ParsedEntry {
    if (!this.#entry) throw new ServiceError('internal', 'no line was read yet');
    return this.#entry;
  }
}

function parseEntry(text: string): { line: ForeignLine; tick: Tick } {
  const line = parseLine(text);
  if (line.tick === undefined) throw malformedLine('no tick', text);
  if (isDocumentMarker(line.type) && (line.key === undefined || line.rev === undefined)) {
    throw malformedLine('no key or revision', text);
  }
  return { line, tick: line.tick };
}

/**
 * Tells which transactions are wholly inside a page with no foreign line between their 2200 and 2201:
 * they can be applied as they come.
 */
export class WholeTransactions {
  readonly #body: Buffer;
  readonly #verified: boolean;
  #parsed: ReadonlySet<Tick> | undefined;

  constructor(body: Buffer, verified: boolean) {
    this.#body = body;
    this.#verified = verified;
  }

  /** @param lines at the 2200 of the transaction */
  has(lines: PageLines): boolean {
    if (this.#verified) return endsInPage(this.#body, lines);
    this.#parsed ??= wholeTransactions(this.#body);
    return this.#parsed.has(lines.tick);
  }
}

/**
 * Whether the 2201 is in the page. A server like ours never puts a foreign line between; the text of a
 * 2201 inside a document does not stand at the beginning of a line.
 */
function endsInPage(body: Buffer, { tid, lineEnd }: PageLines): boolean {
  const tail = `"type":${MarkerType.transactionCommit},"tid":${JSON.stringify(tid)}`;
  for (let at = body.indexOf(tail, lineEnd); at >= 0; at = body.indexOf(tail, at + 1)) {
    const head = body.toString('latin1', Math.max(lineEnd - 1, at - TICK_HEAD_BYTES_MAX), at);
    if (TICK_HEAD.test(head)) return true;
  }
  return false;
}

/**
 * The transactions of a page that has to be parsed.
 *
 * @returns the ticks of their 2200 lines
 */
function wholeTransactions(body: Buffer): ReadonlySet<Tick> {
  const whole = new Set<Tick>();
  const lines = new ParsedLines(body);
  let begun: { tid: string; tick: Tick } | undefined;
  try {
    while (lines.next()) {
      if (lines.type === MarkerType.transactionStart) {
        begun = { tid: lines.tid, tick: lines.tick };
      } else if (begun && lines.tid === begun.tid && isDocumentMarker(lines.type)) {
        continue;
      } else if (begun && lines.tid === begun.tid && lines.type === MarkerType.transactionCommit) {
        whole.add(begun.tick);
        begun = undefined;
      } else {
        begun = undefined;
      }
    }
  } catch (error) {
    // A bad line: what follows it is never reached, and who applies the page is told of it then.
    if (!(error instanceof ServiceError)) throw error;
  }
  return whole;
}
