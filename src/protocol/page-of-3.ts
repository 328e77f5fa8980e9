import type { CollectionParameters } from '../model/collection.ts';
import { isSystemName } from '../model/names.ts';
import { MarkerType, isDocumentMarker, isTransactionMarker } from '../model/marker.ts';
import { jsonString } from './json-text.ts';
import { LineCutter } from './line-cutter.ts';
import { PageText } from './page-text.ts';

/**
 * Printing stored pages in the shape of 3.x (contract 2.8, 3.4): key and revision in `data` only,
 * edges as 2300, `_id` in every document, the payload of collection and index events in `data`. That
 * payload also stays where 1.4 has it, because 3.0's own applier looks there.
 */

/** How the lines of a page are to be printed. */
export type PageOf3 =
  | {
      readonly kind: 'log';
      /** Id of the database, which every line of a log names. */
      readonly databaseId: string;
    }
  | {
      /** The log as `/_api/wal/tail` of 3.3 and later has it (contract 7.2). */
      readonly kind: 'wal';
      /** Name of the database. */
      readonly database: string;
      readonly serverId: string;
    }
  | {
      readonly kind: 'dump';
      /** Name of the collection, for `_id`. */
      readonly collection: string;
      /** false: lines without ticks. */
      readonly ticks: boolean;
      /** Key and revision also on top, edges as 2301: the shape of 2.8 (`compat28`). */
      readonly compat28: boolean;
    };

/** Storage format number that 3.0 shows in the parameters of a collection. */
const COLLECTION_VERSION_OF_3 = 5;
const INDEX_BUCKETS = 8;
/** Index types that leave out documents without a value where their definition says so. */
const SPARSE_BY_CHOICE: ReadonlySet<unknown> = new Set([
  ...['hash', 'skiplist', 'persistent', 'edge'],
]);

type Json = Readonly<Record<string, unknown>>;

/**
 * The parameters of a collection as 3.0 has them in inventories and events.
 *
 * @param parameters in the shape of 1.4, see `parametersToWire`
 */
export function parametersOf3(parameters: Json): Record<string, unknown> {
  const { version, name } = parameters;
  return {
    ...parameters,
    version: typeof version === 'number' ? Math.max(version, COLLECTION_VERSION_OF_3) : version,
    isSystem: typeof name === 'string' && isSystemName(name),
    indexBuckets: parameters['indexBuckets'] ?? INDEX_BUCKETS,
  };
}

/** What names a collection on all servers from 3.3 on. */
export function globalCollectionId(serverId: string, cid: string): string {
  return `h${BigInt(serverId).toString(16).toUpperCase()}/${cid}`;
}

/** What 3.0 shows among the properties of a collection; a number without meaning here, kept as it came. */
export function indexBucketsOf({ extra }: CollectionParameters): unknown {
  return extra?.['indexBuckets'] ?? INDEX_BUCKETS;
}

/** An index definition as 3.0 has it: it says of each index whether it is sparse, and of geo that it ignores null. */
export function indexOf3(definition: Json): Record<string, unknown> {
  const { type, sparse } = definition;
  if (type === 'geo1' || type === 'geo2') return { ignoreNull: true, ...definition, sparse: true };
  if (type === 'fulltext') return { ...definition, sparse: true };
  if (type === 'primary') return { ...definition, fields: ['_key'], sparse: false };
  if (!SPARSE_BY_CHOICE.has(type)) return { ...definition };
  return { ...definition, sparse: sparse === true };
}

/**
 * Prints a page anew.
 *
 * @param page whole lines as stored, without starts and stops of the logger, which 3.x does not have
 * @throws ServiceError as `LineCutter.next` for a page that no server of this kind has stored
 */
export function pageOf3(page: Buffer, shape: PageOf3): Buffer {
  const out = new PageText(page.length + (page.length >> 1));
  const lines = new LineCutter(page);
  while (lines.next()) {
    if (isDocumentMarker(lines.type)) printDocument(out, page, lines, shape);
    else out.text(`${eventText(lines, shape)}\n`);
  }
  return out.whole();
}

function printDocument(out: PageText, page: Buffer, lines: LineCutter, shape: PageOf3): void {
  const isRemove = lines.type === MarkerType.remove;
  const head = documentHead(lines, shape);
  if (isRemove) {
    const { key, rev } = lines;
    out.text(`${head},"data":{"_key":${jsonString(key)},"_rev":${jsonString(rev)}}}\n`);
    return;
  }
  const collection = shape.kind === 'dump' ? shape.collection : lines.cname;
  out.text(`${head},"data":{"_id":${jsonString(`${collection}/${lines.key}`)},`);
  if (lines.exact) {
    out.bytes(page, lines.dataStart + 1, lines.lineEnd);
    return;
  }
  const { key, rev, from, to, rest } = lines.parsed();
  const ends =
    from === undefined ? '' : `,"_from":${jsonString(from)},"_to":${jsonString(to ?? '')}`;
  const own = `"_key":${jsonString(key ?? '')},"_rev":${jsonString(rev ?? '')}${ends}`;
  out.text(`${own}${rest === '' ? '' : ','}${rest}}}\n`);
}

function documentHead(lines: LineCutter, shape: PageOf3): string {
  const type = lines.type === MarkerType.edge ? MarkerType.document : lines.type;
  if (shape.kind !== 'dump') {
    const tid = lines.tid === '' ? '0' : lines.tid;
    return `{"tick":"${lines.tickText}","type":${type},"tid":"${tid}"${collectionText(lines, shape)}`;
  }
  const tick = shape.ticks ? `"tick":"${lines.tickText}",` : '';
  if (!shape.compat28) return `{${tick}"type":${type}`;
  return `{${tick}"type":${lines.type},"key":${jsonString(lines.key)},"rev":${jsonString(lines.rev)}`;
}

/** `cid` and `cname` are an addition to `wal/tail`, for readers that know collections by their names. */
function collectionText(lines: LineCutter, shape: PageOf3): string {
  const { cid, cname } = lines;
  const cuid = shape.kind === 'wal' ? `,"cuid":"${globalCollectionId(shape.serverId, cid)}"` : '';
  return `${databaseText(shape)}${cuid},"cid":${jsonString(cid)},"cname":${jsonString(cname)}`;
}

function databaseText(shape: PageOf3): string {
  if (shape.kind === 'dump') return '';
  return shape.kind === 'log'
    ? `,"database":"${shape.databaseId}"`
    : `,"db":${jsonString(shape.database)}`;
}

/** Events of transactions, collections and indexes; there are few of them. */
function eventText(lines: LineCutter, shape: PageOf3): string {
  const { type, tickText } = lines;
  const head = `{"tick":"${tickText}","type":${type}`;
  if (isTransactionMarker(type)) {
    return `${head},"tid":"${lines.tid}"${databaseText(shape)}}`;
  }
  const payload = shape.kind === 'wal' ? walPayloadOf(lines, shape.serverId) : payloadOf(lines);
  const members = Object.entries(payload).map(
    ([name, value]) => `,${jsonString(name)}:${JSON.stringify(value)}`,
  );
  return `${head}${collectionText(lines, shape)}${members.join('')}}`;
}

/** What happened to a collection or an index: as 1.4 has it, and as `data`. */
function payloadOf(lines: LineCutter): Json {
  const payload = lines.parsed().payload ?? {};
  const { cid, cname } = lines;
  switch (lines.type) {
    case MarkerType.collectionCreate:
    case MarkerType.collectionChange: {
      const parameters = parametersOf3(payload);
      return { collection: parameters, data: parameters };
    }
    case MarkerType.collectionDrop:
      return { data: { id: cid, name: cname } };
    case MarkerType.collectionRename: {
      const { name } = payload;
      return { collection: { name }, data: { id: cid, name, oldName: cname } };
    }
    case MarkerType.indexCreate: {
      const index = indexOf3(payload);
      return { index, data: index };
    }
    default: {
      const { id } = payload;
      return { id, data: { id } };
    }
  }
}

/** What happened to a collection or an index, as `wal/tail` has it. */
function walPayloadOf(lines: LineCutter, serverId: string): Json {
  const { data } = payloadOf(lines);
  const { cid, type } = lines;
  if (type === MarkerType.collectionDrop) return {};
  if (type !== MarkerType.collectionCreate && type !== MarkerType.collectionChange) return { data };
  const globallyUniqueId = globalCollectionId(serverId, cid);
  return { data: { ...(data as Json), id: cid, globallyUniqueId, indexes: [] } };
}
