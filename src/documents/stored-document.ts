import { ServiceError } from '../model/errors.ts';
import { readRest } from '../protocol/json-text.ts';
import type { ByteSlice, CutLine } from '../storage/block-writer.ts';
import type { IndexedDocument } from './secondary-index.ts';

const DATA = ',"data":';
/** Behind the document. */
const LINE_END = '}\n';

/**
 * The source text of the document in a stored line. `,"data":` cannot stand inside a JSON string,
 * whose quotes are escaped, so its first occurrence is the member.
 * @throws ServiceError storageDamaged for a line without a document.
 */
export function dataOfLine(line: string): string {
  const at = line.indexOf(DATA);
  if (at < 0) throw new ServiceError('storageDamaged', 'a pointer leads to an entry without data');
  return line.slice(at + DATA.length, line.lastIndexOf('}'));
}

/** The document in a line of a page, parsed. */
export function documentOfCut({ page, dataStart, lineEnd }: CutLine): IndexedDocument {
  return JSON.parse(page.toString('utf8', dataStart, lineEnd - LINE_END.length)) as IndexedDocument;
}

/** Length of the text of the document in a line of a page. */
export function cutBytes({ dataStart, lineEnd }: CutLine): number {
  return lineEnd - LINE_END.length - dataStart;
}

/** The document in a stored line, parsed. */
export function documentOfLine(line: string): IndexedDocument {
  return JSON.parse(dataOfLine(line)) as IndexedDocument;
}

/** Source text of the user's attributes in a document's text. */
export function restOfData(data: string): string {
  return readRest(data, 0, -1).rest;
}

/** The document as the APIs answer it: `_id` first, then what is stored. */
export function withId(collectionName: string, key: string, data: string): string {
  return `{"_id":${JSON.stringify(`${collectionName}/${key}`)},${data.slice(1)}`;
}

/** Text of a document of which the end stands in a page. */
export interface SplitText {
  readonly head: string;
  readonly headBytes: number;
  readonly rest: ByteSlice;
}

/** Length of a document's text in bytes. */
export function bytesOf(data: string | CutLine | SplitText): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return 'page' in data ? cutBytes(data) : data.headBytes + data.rest.end - data.rest.start;
}
