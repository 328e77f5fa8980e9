import {
  type CollectionParameters,
  type IndexDefinition,
  parametersToWire,
} from '../model/collection.ts';
import {
  type DocumentMarkerType,
  type LoggerMarkerType,
  MarkerType,
  type UpsertMarkerType,
} from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import { jsonString } from './json-text.ts';

/**
 * Printing the lines of journals and changelogs, in the shape in which they are stored and served
 * (contract 2.7, 3.4). A line is a head, `{"tick":"N",`, that the writer of a block adds when the
 * tick is known, and a tail, which begins with `"type":` and ends with `}` and a newline. A tail
 * with `{` before it is a line without a tick (`ticks=false`).
 */

/** Insert, replace or remove. Journals hold it without `tid`, `cid`, `cname` and `oldRev`. */
export interface DocumentLine {
  readonly type: DocumentMarkerType;
  /** Set inside a transaction only. */
  readonly tid?: string | undefined;
  /** Id and name of the collection; both in a changelog, neither in a journal. */
  readonly cid?: string | undefined;
  readonly cname?: string | undefined;
  readonly key: string;
  readonly rev: string;
  /** The revision replaced or removed; changelog only. */
  readonly oldRev?: string | undefined;
  /** Source text of the document as `buildData` prints it; absent for removes. */
  readonly data?: string | undefined;
}

/** A change of a collection or an index. */
export type DdlLine = {
  readonly cid: string;
  /** For a rename, the name before it. */
  readonly cname: string;
} & (
  | {
      readonly type: typeof MarkerType.collectionCreate | typeof MarkerType.collectionChange;
      readonly collection: CollectionParameters;
    }
  | { readonly type: typeof MarkerType.collectionDrop }
  | { readonly type: typeof MarkerType.collectionRename; readonly newName: string }
  | { readonly type: typeof MarkerType.indexCreate; readonly index: IndexDefinition }
  | { readonly type: typeof MarkerType.indexDrop; readonly id: string }
);

/** What a transaction did to one collection. */
export interface TransactionCollection {
  readonly cid: string;
  readonly name: string;
  readonly operations: number;
}

/** The head of a stored line. */
export function tickHead(tick: Tick): string {
  return `{"tick":"${tick}",`;
}

/** Tail of a 2300, 2301 or 2302. */
export function documentTail(line: DocumentLine): string {
  const fields = documentFields(line);
  return line.data === undefined ? `${fields}}\n` : `${fields},"data":${line.data}}\n`;
}

/** Tail of a 2300 or 2301 up to where the document begins; `}` and a newline end it. */
export function documentHead(line: Omit<DocumentLine, 'data'>): string {
  return `${documentFields(line)},"data":`;
}

/** What stands before the key of a document in a journal: with the bytes of a line from there on, a tail. */
export function journalHead(type: UpsertMarkerType): string {
  return `"type":${type},`;
}

let lastCollection = { cid: '', cname: '', text: '"cid":"","cname":"",' };
let lastKey = '';
let lastRev = '';
let lastKeyText = '"key":"","rev":""';

/**
 * What stands between type and key of a document in a log, outside of a transaction. The last text is kept:
 * neighbouring lines mostly are of one collection.
 */
export function collectionFields(cid: string, cname: string): string {
  if (lastCollection.cid !== cid || lastCollection.cname !== cname) {
    const text = `"cid":${jsonString(cid)},"cname":${jsonString(cname)},`;
    lastCollection = { cid, cname, text };
  }
  return lastCollection.text;
}

/** The last text is kept: what stands in a journal stands in a log next. */
function keyFields(key: string, rev: string): string {
  if (lastKey !== key || lastRev !== rev) {
    lastKeyText = `"key":${jsonString(key)},"rev":${jsonString(rev)}`;
    lastKey = key;
    lastRev = rev;
  }
  return lastKeyText;
}

function documentFields(line: Omit<DocumentLine, 'data'>): string {
  const { tid, cid, cname, oldRev } = line;
  let fields = `"type":${line.type},`;
  if (tid !== undefined) fields += `"tid":${jsonString(tid)},`;
  if (cid !== undefined) fields += collectionFields(cid, cname ?? '');
  fields += keyFields(line.key, line.rev);
  if (oldRev !== undefined) fields += `,"oldRev":${jsonString(oldRev)}`;
  return fields;
}

/** Tail of a 2000 to 2003, 2100 or 2101. */
export function ddlTail(line: DdlLine): string {
  const head = `"type":${line.type},"cid":${jsonString(line.cid)},"cname":${jsonString(line.cname)}`;
  switch (line.type) {
    case MarkerType.collectionCreate:
    case MarkerType.collectionChange:
      return `${head},"collection":${JSON.stringify(parametersToWire(line.collection))}}\n`;
    case MarkerType.collectionDrop:
      return `${head}}\n`;
    case MarkerType.collectionRename:
      return `${head},"collection":{"name":${jsonString(line.newName)}}}\n`;
    case MarkerType.indexCreate:
      return `${head},"index":${JSON.stringify(line.index)}}\n`;
    case MarkerType.indexDrop:
      return `${head},"id":${jsonString(line.id)}}\n`;
  }
}

/** Tail of a 2200 or 2201, with the collections written to, in the order of their blocks. */
export function transactionTail(
  type: typeof MarkerType.transactionStart | typeof MarkerType.transactionCommit,
  tid: string,
  collections: readonly TransactionCollection[],
): string {
  const list = collections.map(
    ({ cid, name, operations }) =>
      `{"cid":${jsonString(cid)},"name":${jsonString(name)},"operations":${operations}}`,
  );
  return `"type":${type},"tid":${jsonString(tid)},"collections":[${list.join(',')}]}\n`;
}

/** Tail of a 1000 or 1001; `lastTick` is the newest tick logged before it, 0 for none. */
export function loggerTail(type: LoggerMarkerType, lastTick: Tick): string {
  return `"type":${type},"lastTick":"${lastTick}"}\n`;
}
