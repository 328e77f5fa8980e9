import type { CopyWriter } from '../documents/collection-copy.ts';
import { CollectionType } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { MarkerType, type UpsertMarkerType, isDocumentMarker } from '../model/marker.ts';
import { isValidKey } from '../model/names.ts';
import type { Tick } from '../model/tick.ts';
import { buildData } from '../protocol/json-text.ts';
import { PlainLines } from '../protocol/plain-lines.ts';
import { LineCutter } from '../protocol/line-cutter.ts';
import { type ForeignLine, parsePage } from '../protocol/line-parser.ts';
import type { LeaderPage } from './leader-page.ts';
import { NumericRevisions } from '../model/numeric-revisions.ts';

/** What one slice of a page has written. */
export interface SliceWritten {
  /** Leader's tick of its last line; undefined when it had no lines, or lines without ticks. */
  readonly position: Tick | undefined;
  /** Largest revision that is a number, 0 for none. */
  readonly largestRevision: Tick;
}

const NO_BYTES = Buffer.alloc(0);

export const NOTHING_WRITTEN: SliceWritten = { position: undefined, largestRevision: 0n };

/**
 * Writes the lines of one dump page into a copy, in slices, so that no commit is large. Of a page that passed
 * its checksum runs of plain lines are copied whole, and other lines cut; all other pages are parsed (design, section 5).
 */
export class DumpPageWriter {
  #page: Buffer;
  readonly #edges: boolean;
  /** Of a page that passed its checksum, the others of such a page. */
  #runs: PlainLines | undefined;
  #takesRuns: boolean;
  #cutter: LineCutter | undefined;
  readonly #lines: Generator<ForeignLine, void, undefined> | undefined;
  readonly #revisions = new NumericRevisions();
  /** Where the lines not yet written begin, in a page that passed its checksum. */
  #offset = 0;
  #done = false;
  #documents = 0;
  #removals = 0;

  constructor(page: LeaderPage, { type }: { readonly type: CollectionType }) {
    this.#page = page.body;
    this.#edges = type === CollectionType.edge;
    this.#takesRuns = page.verified;
    if (!page.verified) this.#lines = parsePage(page.body);
  }

  /** Whether all lines are written. */
  get done(): boolean {
    return this.#done;
  }

  /** Inserts and replacements written so far. */
  get documents(): number {
    return this.#documents;
  }

  get removals(): number {
    return this.#removals;
  }

  /**
   * Writes lines until they are more than `sliceBytes`, or the page ends.
   *
   * @throws ServiceError invalidResponse (1401) or invalidJson (600) for a malformed line,
   *   unexpectedMarker (1406) for one that is no document, collectionTypeInvalid (1218) for an edge
   *   among documents or the other way round, illegalDocumentKey (1221)
   */
  writeSlice(writer: CopyWriter, sliceBytes: number): SliceWritten {
    if (this.#done) return NOTHING_WRITTEN;
    const position = this.#lines
      ? this.#parse(this.#lines, writer, sliceBytes)
      : this.#cut(writer, this.#offset + sliceBytes);
    return { position, largestRevision: this.#revisions.largest };
  }

  get #upsertType(): UpsertMarkerType {
    return this.#edges ? MarkerType.edge : MarkerType.document;
  }

  /** Writes runs of lines as far as they go, and what is left of the slice line by line. */
  #cut(writer: CopyWriter, stop: number): Tick | undefined {
    const { length } = this.#page;
    let position: Tick | undefined;
    if (this.#takesRuns && writer.takesRuns) {
      this.#runs ??= openRuns(this.#page);
      position = this.#copyRuns(this.#runs, writer, stop);
    }
    if (this.#offset < stop && this.#offset < length) position = this.#copyLines(writer, stop);
    if (this.#offset >= length) this.#finish();
    return position;
  }

  /** All lines are in batches: until those are stored the page is of no more use. */
  #finish(): void {
    this.#done = true;
    this.#page = NO_BYTES;
    if (this.#runs) closeRuns(this.#runs);
    this.#runs = undefined;
    this.#cutter = undefined;
  }

  /** Returns the tick of the last line written. */
  #copyRuns(runs: PlainLines, writer: CopyWriter, stop: number): Tick | undefined {
    let position: Tick | undefined;
    while (this.#offset < stop && runs.next(this.#offset, stop - this.#offset)) {
      const [part] = runs.parts;
      if (!part || (part.upsertType ?? this.#upsertType) !== this.#upsertType) break;
      if (!writer.appendRun(runs)) {
        // Nor will the next ones.
        this.#takesRuns = false;
        break;
      }
      this.#removals += part.removals;
      this.#documents += part.count - part.removals;
      this.#offset = runs.end;
      position = runs.lastTick;
    }
    this.#revisions.addNumber(runs.largestRevision);
    return position;
  }

  /** Returns the tick of the last line written. */
  #copyLines(writer: CopyWriter, stop: number): Tick {
    const cutter = (this.#cutter ??= new LineCutter(this.#page));
    cutter.seek(this.#offset);
    while (cutter.lineEnd < stop && cutter.next()) this.#copyLine(cutter, writer);
    this.#offset = cutter.lineEnd;
    return cutter.tick;
  }

  #copyLine(cutter: LineCutter, writer: CopyWriter): void {
    if (!cutter.exact) {
      this.#write(writer, cutter.parsed());
      return;
    }
    const { type, key, rev } = cutter;
    this.#revisions.add(rev);
    if (type === this.#upsertType) {
      writer.upsert(key, rev, cutter);
      this.#documents++;
    } else if (type === MarkerType.remove) {
      writer.remove(key, rev);
      this.#removals++;
    } else {
      throw wrongType(type, this.#edges);
    }
  }

  #parse(
    lines: Generator<ForeignLine, void, undefined>,
    writer: CopyWriter,
    sliceBytes: number,
  ): Tick | undefined {
    let position: Tick | undefined;
    let bytes = 0;
    while (bytes <= sliceBytes) {
      const next = lines.next();
      if (next.done === true) {
        this.#done = true;
        break;
      }
      const line = next.value;
      // Its own length is not known here; what is written of it is the greater part.
      bytes += line.rest.length + 100;
      position = line.tick ?? position;
      this.#write(writer, line);
    }
    return position;
  }

  #write(writer: CopyWriter, line: ForeignLine): void {
    const { type, key, rev, from, to } = line;
    if (!isDocumentMarker(type)) {
      throw new ServiceError('unexpectedMarker', `unexpected marker type ${type} in a dump`);
    }
    if (key === undefined || rev === undefined) {
      throw new ServiceError('invalidResponse', 'a dump line has no key or no revision');
    }
    if (!isValidKey(key)) {
      throw new ServiceError('illegalDocumentKey', `illegal document key ${JSON.stringify(key)}`);
    }
    this.#revisions.add(rev);
    if (type === MarkerType.remove) {
      writer.remove(key, rev);
      this.#removals++;
      return;
    }
    const isEdge = from !== undefined && to !== undefined;
    // Edges come as 2300 from 3.x on.
    if (this.#edges ? !isEdge : type === MarkerType.edge) throw wrongType(type, this.#edges);
    writer.upsert(key, rev, buildData(key, rev, from, to, line.rest));
    this.#documents++;
  }
}

/** For the next page: most are small when there are very many. */
let spare: PlainLines | undefined;

function openRuns(page: Buffer): PlainLines {
  const runs = spare;
  if (runs?.suits(page) !== true) return new PlainLines(page);
  spare = undefined;
  runs.reopen(page);
  return runs;
}

/** Takes back what nobody looks at any more. */
function closeRuns(runs: PlainLines): void {
  if (!runs.isSmall) return;
  runs.reopen(NO_BYTES);
  spare = runs;
}

function wrongType(type: number, edges: boolean): ServiceError {
  return isDocumentMarker(type)
    ? new ServiceError(
        'collectionTypeInvalid',
        `a line of type ${type} does not belong into a collection of ${edges ? 'edges' : 'documents'}`,
      )
    : new ServiceError('unexpectedMarker', `unexpected marker type ${type} in a dump`);
}
