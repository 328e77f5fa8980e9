import type { Collection } from '../documents/collection.ts';
import type { CopyWriter } from '../documents/collection-copy.ts';
import { CollectionType } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { isDocumentMarker, MarkerType } from '../model/marker.ts';
import { isValidKey } from '../model/names.ts';
import type { Tick } from '../model/tick.ts';
import { buildData } from '../protocol/json-text.ts';
import { LineCutter } from '../protocol/line-cutter.ts';
import { type ForeignLine, parsePage } from '../protocol/line-parser.ts';
import type { LeaderPage } from './leader-client.ts';
import { NumericRevisions } from '../model/numeric-revisions.ts';

/** What one slice of a page has written. */
export interface SliceWritten {
  /** Leader's tick of its last line; undefined when it had no lines, or lines without ticks. */
  readonly position: Tick | undefined;
  /** Largest revision that is a number, 0 for none. */
  readonly largestRevision: Tick;
}

/**
 * Writes the lines of one dump page into a copy, in slices, so that no commit is large. Lines of a
 * page that passed its checksum are cut; all others are parsed (design, section 5).
 */
export class DumpPageWriter {
  readonly #edges: boolean;
  readonly #cutter: LineCutter | undefined;
  readonly #lines: Generator<ForeignLine, void, undefined> | undefined;
  #done = false;
  #documents = 0;
  #removals = 0;

  constructor(page: LeaderPage, copy: Collection) {
    this.#edges = copy.type === CollectionType.edge;
    if (page.verified) this.#cutter = new LineCutter(page.body);
    else this.#lines = parsePage(page.body);
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
    if (this.#done) return { position: undefined, largestRevision: 0n };
    return this.#cutter
      ? this.#cut(this.#cutter, writer, sliceBytes)
      : this.#parse(writer, sliceBytes);
  }

  #cut(cutter: LineCutter, writer: CopyWriter, sliceBytes: number): SliceWritten {
    const revisions = new NumericRevisions();
    const stop = cutter.lineEnd + sliceBytes;
    const start = cutter.lineEnd;
    const upsertType = this.#edges ? MarkerType.edge : MarkerType.document;
    while (cutter.lineEnd < stop) {
      if (!cutter.next()) {
        this.#done = true;
        break;
      }
      if (!cutter.exact) {
        this.#write(writer, cutter.parsed(), revisions);
        continue;
      }
      const { type, key, rev } = cutter;
      revisions.add(rev);
      if (type === upsertType) {
        writer.upsert(key, rev, cutter);
        this.#documents++;
      } else if (type === MarkerType.remove) {
        writer.remove(key, rev);
        this.#removals++;
      } else {
        throw wrongType(type, this.#edges);
      }
    }
    return {
      position: cutter.lineEnd === start ? undefined : cutter.tick,
      largestRevision: revisions.largest,
    };
  }

  #parse(writer: CopyWriter, sliceBytes: number): SliceWritten {
    const revisions = new NumericRevisions();
    let position: Tick | undefined;
    let bytes = 0;
    while (bytes <= sliceBytes) {
      const next = this.#lines?.next();
      if (!next || next.done === true) {
        this.#done = true;
        break;
      }
      const line = next.value;
      // Its own length is not known here; what is written of it is the greater part.
      bytes += line.rest.length + 100;
      position = line.tick ?? position;
      this.#write(writer, line, revisions);
    }
    return { position, largestRevision: revisions.largest };
  }

  #write(writer: CopyWriter, line: ForeignLine, revisions: NumericRevisions): void {
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
    revisions.add(rev);
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

function wrongType(type: number, edges: boolean): ServiceError {
  return isDocumentMarker(type)
    ? new ServiceError(
        'collectionTypeInvalid',
        `a line of type ${type} does not belong into a collection of ${edges ? 'edges' : 'documents'}`,
      )
    : new ServiceError('unexpectedMarker', `unexpected marker type ${type} in a dump`);
}
