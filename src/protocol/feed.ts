import { type MarkerType, isDocumentMarker, MarkerType as Marker } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import { LineCutter } from './line-cutter.ts';
import { PageText } from './page-text.ts';

/**
 * Printing the log for those who build on it: the stored lines, with an `operation` beside the `type`, as server-sent
 * events whose ids are the ticks, or as plain lines.
 */
export type FeedFormat = 'events' | 'ndjson';

/** What happened, in a word: what `operation` says in a feed. */
export type FeedOperation =
  'insert' | 'update' | 'remove' | (typeof OPERATIONS)[keyof typeof OPERATIONS];

/** Of events that are about no document. */
const OPERATIONS = {
  [Marker.loggerStop]: 'stopLogger',
  [Marker.loggerStart]: 'startLogger',
  [Marker.collectionCreate]: 'createCollection',
  [Marker.collectionDrop]: 'dropCollection',
  [Marker.collectionRename]: 'renameCollection',
  [Marker.collectionChange]: 'changeCollection',
  [Marker.collectionTruncate]: 'truncateCollection',
  [Marker.indexCreate]: 'createIndex',
  [Marker.indexDrop]: 'dropIndex',
  [Marker.viewCreate]: 'createView',
  [Marker.viewDrop]: 'dropView',
  [Marker.viewChange]: 'changeView',
  [Marker.transactionStart]: 'beginTransaction',
  [Marker.transactionCommit]: 'commitTransaction',
  [Marker.transactionAbort]: 'abortTransaction',
} as const satisfies Record<Exclude<MarkerType, 2300 | 2301 | 2302>, string>;

const HEAD = '{"tick":"';
const TYPE = '","type":';
const TYPE_DIGITS = 4;

/** Whether the text names a format. */
export function isFeedFormat(text: string): text is FeedFormat {
  return text === 'events' || text === 'ndjson';
}

/**
 * Prints a page of stored lines.
 * @throws ServiceError as `LineCutter.next` for a page that no server of this kind has stored
 */
export function pageOfFeed(page: Buffer, format: FeedFormat): Buffer {
  const out = new PageText(page.length + (page.length >> 1));
  const lines = new LineCutter(page);
  while (lines.next()) {
    const { tickText, lineStart, lineEnd } = lines;
    const typeEnd = lineStart + HEAD.length + tickText.length + TYPE.length + TYPE_DIGITS;
    if (format === 'events') out.text(`id: ${tickText}\ndata: `);
    out.bytes(page, lineStart, typeEnd);
    out.text(`,"operation":"${operationOf(lines)}"`);
    out.bytes(page, typeEnd, lineEnd);
    if (format === 'events') out.text('\n');
  }
  return out.whole();
}

/** Only of a write over a document there is a revision before: that tells an update from an insert. */
function operationOf(lines: LineCutter): FeedOperation {
  const type = lines.type as MarkerType;
  if (!isDocumentMarker(type)) return OPERATIONS[type];
  if (type === Marker.remove) return 'remove';
  return lines.oldRev === '' ? 'insert' : 'update';
}

/**
 * What shows that the server lives while there is no news: for readers of events also up to where it has looked, as
 * the id of no event, which they keep for their next request.
 */
export function feedHeartbeat(position: Tick, format: FeedFormat): string {
  return format === 'events' ? `: heartbeat\nid: ${position}\n\n` : '\n';
}

/** Why a feed ends: an event of its own name, or the last line. @param body as of an answer that refuses a request */
export function feedFailure(body: object, format: FeedFormat): string {
  const text = JSON.stringify(body);
  return format === 'events' ? `event: failure\ndata: ${text}\n\n` : `${text}\n`;
}
