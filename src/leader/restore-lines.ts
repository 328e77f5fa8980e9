import { isUtf8 } from 'node:buffer';
import type { Collection } from '../documents/collection.ts';
import { CollectionType } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { MarkerType } from '../model/marker.ts';
import type { NumericRevisions } from '../model/numeric-revisions.ts';
import { NOT_PLAIN } from '../protocol/json-bytes.ts';
import { RestoreLineScan } from '../protocol/restore-line-scan.ts';
import type { ByteSlice } from '../storage/block-writer.ts';
import { type DocumentRows, ROW_CELLS, RowColumn } from '../storage/document-rows.ts';
import {
  type RestoreLine,
  type RestoreRules,
  isTooLarge,
  parseRestoreLine,
} from './restore-line.ts';

const NEWLINE = 0x0a;
/** Room is made for lines of this length; there is more when they are shorter. */
const LINE_BYTES_LOG2 = 7;
/** In place of where a revision begins: the document gets a new one. */
const NO_REVISION = -2;
/** Revisions of no more characters are never too large. */
const SMALL_REVISION = 18;

const Kind = { upsert: 0, removal: 1, parsed: 2 } as const;

/**
 * The lines of a piece of a restore, all checked when it is made, and read when they are written: `next`
 * moves to a line, the getters describe it. A line that is spelled plainly costs a row of numbers in memory
 * besides its bytes; others are parsed.
 */
export class RestoreLines implements RestoreLine, DocumentRows {
  readonly source: Buffer;
  #cells: Int32Array;
  readonly #collection: Collection;
  readonly #rules: RestoreRules;
  readonly #parsed = new Map<number, RestoreLine>();
  /** By row: the number of its line in the body, and what it is. */
  #numbers: Int32Array;
  #kinds: Uint8Array;
  #count = 0;
  #upserts = 0;
  #number: number;

  #text = '';
  #row = -1;
  #at = 0;
  #line: RestoreLine | undefined;

  /**
   * @param bytes whole lines, each with its newline
   * @param options.before how many lines of the body come before these
   * @throws ServiceError as `parseRestoreLine`, with the number of the line in its message
   */
  constructor(
    bytes: Buffer,
    collection: Collection,
    options: { rules: RestoreRules; before: number },
  ) {
    this.source = bytes;
    this.#collection = collection;
    this.#rules = options.rules;
    this.#number = options.before;
    const rows = 1 + (bytes.length >> LINE_BYTES_LOG2);
    this.#cells = new Int32Array(rows * ROW_CELLS);
    this.#numbers = new Int32Array(rows);
    this.#kinds = new Uint8Array(rows);
    const isText = isUtf8(bytes);
    const scan = new RestoreLineScan(bytes);
    for (let start = 0; start < bytes.length;) {
      this.#number++;
      const end = isText ? this.#scan(scan, start) : NOT_PLAIN;
      start = 1 + (end === NOT_PLAIN ? this.#parse(start) : end);
    }
  }

  /** Lines that are to be written. */
  get count(): number {
    return this.#count;
  }

  get cells(): Int32Array {
    return this.#cells;
  }

  /** Whether the rows say everything: each line is an upsert that is spelled plainly. */
  get areRows(): boolean {
    return this.#upserts === this.#count;
  }

  get byteLength(): number {
    return this.source.length;
  }

  /** How many lines of the body there are up to the end of these, blank ones included. */
  get through(): number {
    return this.#number;
  }

  /** Moves to the next line; false when there is none. */
  next(): boolean {
    if (++this.#row >= this.#count) return false;
    // One character a byte: what is cut out of it is ASCII.
    if (this.#row === 0) this.#text = this.source.toString('latin1');
    this.#at = this.#row * ROW_CELLS;
    this.#line = this.#parsed.get(this.#row);
    return true;
  }

  /** Number of the line in the body, counted from 1. */
  get number(): number {
    return this.#numbers[this.#row] ?? 0;
  }

  get isRemoval(): boolean {
    return this.#line?.isRemoval ?? this.#kinds[this.#row] === Kind.removal;
  }

  get key(): string {
    return this.#line?.key ?? this.#slice(RowColumn.keyStart) ?? '';
  }

  get rev(): string | undefined {
    return this.#line ? this.#line.rev : this.#slice(RowColumn.revStart);
  }

  get from(): string | undefined {
    return this.#line ? this.#line.from : this.#slice(RowColumn.fromStart);
  }

  get to(): string | undefined {
    return this.#line ? this.#line.to : this.#slice(RowColumn.toStart);
  }

  get rest(): ByteSlice {
    if (this.#line) return this.#line.rest;
    const start = this.#cell(RowColumn.restStart);
    return { source: this.source, start, end: this.#cell(RowColumn.restEnd) };
  }

  /** Adds those that are kept. For rows that say everything. */
  addRevisions(revisions: NumericRevisions): void {
    const cells = this.#cells;
    for (let at = 0; at < this.#count * ROW_CELLS; at += ROW_CELLS) {
      const start = cells[at + RowColumn.revStart] ?? -1;
      if (start < 0) continue;
      revisions.add(this.source.toString('latin1', start, cells[at + RowColumn.revEnd]));
    }
  }

  #cell(column: number): number {
    return this.#cells[this.#at + column] ?? -1;
  }

  #slice(column: number): string | undefined {
    const start = this.#cell(column);
    return start < 0 ? undefined : this.#text.slice(start, this.#cell(column + 1));
  }

  /** Adds a line that is spelled plainly and has nothing wrong; returns where it ends. */
  #scan(scan: RestoreLineScan, start: number): number {
    const { useEnvelope, strictTypes } = this.#rules;
    const end = useEnvelope ? scan.envelope(start) : scan.document(start);
    if (end === NOT_PLAIN) return NOT_PLAIN;
    const type = useEnvelope ? scan.type : MarkerType.document;
    const isOwn = scan.ownKeyStart >= 0;
    const keyStart = isOwn ? scan.ownKeyStart : scan.keyStart;
    if (keyStart < 0) return NOT_PLAIN;
    const rev = this.#revision(scan);
    if (rev === NOT_PLAIN) return NOT_PLAIN;
    let kind: number = Kind.removal;
    let isEdge = false;
    if (type !== MarkerType.remove) {
      kind = Kind.upsert;
      isEdge = this.#collection.type === CollectionType.edge;
      if (type !== MarkerType.document && type !== MarkerType.edge) return NOT_PLAIN;
      if (scan.dataEnd < 0 || (isEdge && (scan.fromStart < 0 || scan.toStart < 0)))
        return NOT_PLAIN;
      if (!isEdge && strictTypes && type === MarkerType.edge) return NOT_PLAIN;
    }
    const at = this.#addRow(kind);
    const rows = this.#cells;
    rows[at + RowColumn.keyStart] = keyStart;
    rows[at + RowColumn.keyEnd] = isOwn ? scan.ownKeyEnd : scan.keyEnd;
    rows[at + RowColumn.revStart] = rev;
    rows[at + RowColumn.revEnd] = rev === scan.revStart ? scan.revEnd : scan.ownRevEnd;
    rows[at + RowColumn.fromStart] = isEdge ? scan.fromStart : -1;
    rows[at + RowColumn.fromEnd] = scan.fromEnd;
    rows[at + RowColumn.toStart] = isEdge ? scan.toStart : -1;
    rows[at + RowColumn.toEnd] = scan.toEnd;
    rows[at + RowColumn.restStart] = scan.restStart;
    rows[at + RowColumn.restEnd] = scan.dataEnd;
    return end;
  }

  /** Where the revision to be kept begins; `NO_REVISION` for a new one, NOT_PLAIN for one to look at. */
  #revision(scan: RestoreLineScan): number {
    const { revisions } = this.#rules;
    const isOnTop = scan.revStart >= 0;
    if (revisions === 'new' || (revisions === 'by-shape' && isOnTop)) return NO_REVISION;
    const start = isOnTop ? scan.revStart : scan.ownRevStart;
    if (start < 0) return NO_REVISION;
    const end = isOnTop ? scan.revEnd : scan.ownRevEnd;
    if (end - start <= SMALL_REVISION) return start;
    const rev = this.source.toString('latin1', start, end);
    return isTooLarge(rev) ? NOT_PLAIN : start;
  }

  /** Adds any other line, unless it is blank; returns where it ends. */
  #parse(start: number): number {
    const newline = this.source.indexOf(NEWLINE, start);
    const end = newline < 0 ? this.source.length : newline;
    // Lines of one character are passed over, too (contract 4.3).
    if (end - start <= 1) return end;
    const source = this.source.subarray(start, end);
    try {
      if (!isUtf8(source)) throw new ServiceError('invalidJson', 'the line is not UTF-8');
      const text = source.toString('utf8');
      if (text.trim() === '') return end;
      const line = parseRestoreLine(text, this.#collection, this.#rules);
      this.#parsed.set(this.#count, line);
      this.#addRow(Kind.parsed);
    } catch (error) {
      throw error instanceof ServiceError ? atLine(this.#number, error) : error;
    }
    return end;
  }

  #addRow(kind: number): number {
    const row = this.#count++;
    if (row === this.#kinds.length) this.#grow();
    this.#numbers[row] = this.#number;
    this.#kinds[row] = kind;
    if (kind === Kind.upsert) this.#upserts++;
    return row * ROW_CELLS;
  }

  #grow(): void {
    const rows = this.#kinds.length * 2;
    const cells = this.#cells;
    const numbers = this.#numbers;
    const kinds = this.#kinds;
    this.#cells = new Int32Array(rows * ROW_CELLS);
    this.#cells.set(cells);
    this.#numbers = new Int32Array(rows);
    this.#numbers.set(numbers);
    this.#kinds = new Uint8Array(rows);
    this.#kinds.set(kinds);
  }
}

/** An error with the number of the line it is about. */
export function atLine(number: number, error: ServiceError): ServiceError {
  return new ServiceError(error.kind, `line ${number} of the body: ${error.message}`, {
    cause: error,
    httpStatus: error.httpStatus,
    fields: error.fields,
  });
}
