import { isUtf8 } from 'node:buffer';
import { ENTRY_MARK } from '../model/error-words.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import {
  MarkerType,
  isDocumentMarker,
  isMarkerType,
  isTransactionMarker,
} from '../model/marker.ts';
import { type Tick, tickFromWire } from '../model/tick.ts';
import { MAX_JSON_DEPTH, type ScanNotes, skipBlanks, skipString, skipValue } from './json-scan.ts';
import { memberName, parseJson, readRest, splitObject } from './json-text.ts';
import type { TransactionCollection } from './line.ts';

/**
 * Reading log and dump lines of any leader (contract 2.7, 2.8, 3.4, 7.2): 1.4, where document lines
 * have `key` and `rev` on top and `tid` behind `data`; 2.x with `database` and a `tid` of "0";
 * 3.x, where key and revision are in `data` only and collection events carry their payload there;
 * 3.4 and later, which have `cuid` in place of `cid` and `cname`.
 */

/** One line of a log or a dump, in one shape for all generations. */
export interface ForeignLine {
  /** Absent in dumps made without ticks. */
  readonly tick: Tick | undefined;
  readonly type: MarkerType;
  /** The transaction; undefined outside of one, which 2.x and 3.x write as "0". */
  readonly tid: string | undefined;
  /** Id of the leader's database, from 2.2 on. */
  readonly database: string | undefined;
  /** From 3.4 on the collection's global id, which is no number: see `followedCollection`. */
  readonly cid: string | undefined;
  /** Missing in 3.x when the collection is gone by now. */
  readonly cname: string | undefined;
  /** Document lines only: `data._key`, or else `key`. Undefined when the line names none. */
  readonly key: string | undefined;
  /** Document lines only: `rev`, or else `data._rev`. Undefined when the line names none. */
  readonly rev: string | undefined;
  readonly oldRev: string | undefined;
  /** `data._from` of edges, whether they come as 2301 or, in 3.x, as 2300. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Source text of the document without its own attributes, as `ParsedDocument.rest`. */
  readonly rest: string;
  /** The document, parsed; undefined in all lines but 2300 and 2301. */
  readonly value: Readonly<Record<string, unknown>> | undefined;
  /**
   * Collection and index events: the object in `collection`, `index` or `data`, whichever comes
   * first in this order. Its `id`, like that of a 2101, is always text. `{}` when there is none.
   */
  readonly payload: Readonly<Record<string, unknown>> | undefined;
  /** 2200 and 2201 of 1.4: what the transaction touches. Empty when the leader does not say. */
  readonly collections: readonly TransactionCollection[];
  /** 1000 and 1001: the newest tick logged before. */
  readonly lastTick: Tick | undefined;
}

type JsonObject = Readonly<Record<string, unknown>>;

const OFFENDING_CHARACTERS = 256;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;

const NO_COLLECTIONS: readonly TransactionCollection[] = Object.freeze([]);

/**
 * Reads one line.
 *
 * @param text the line, with or without its newline
 * @throws ServiceError invalidJson (600) when it is no JSON or nested too deeply, invalidResponse
 *   (1401) when it is JSON but a field is not what it must be, unexpectedMarker (1406) when its
 *   type is unknown; the messages end with the start of the line
 */
export function parseLine(text: string): ForeignLine {
  try {
    return readLine(text);
  } catch (error) {
    if (!isServiceError(error, 'invalidJson')) throw error;
    throw offending('invalidJson', error.message, text, error);
  }
}

/**
 * Reads the lines of a page; empty lines are passed over.
 *
 * @param page lines that end with a newline each, except perhaps the last
 * @throws ServiceError as `parseLine`, and invalidResponse (1401) when the page is not UTF-8
 */
export function* parsePage(page: Buffer): Generator<ForeignLine, void, undefined> {
  if (!isUtf8(page)) throw new ServiceError('invalidResponse', 'page is not valid UTF-8');
  let start = 0;
  while (start < page.length) {
    const newline = page.indexOf(0x0a, start);
    const end = newline < 0 ? page.length : newline;
    const text = page.toString('utf8', start, end);
    if (text.trim() !== '') yield parseLine(text);
    start = end + 1;
  }
}

/**
 * The refusal of a line that is JSON but not as it must be (1401).
 *
 * @param reason what is wrong with it
 * @param text the line, whose start the message quotes
 */
export function malformedLine(reason: string, text: string): ServiceError {
  return offending('invalidResponse', reason, text);
}

function offending(
  kind: 'invalidJson' | 'invalidResponse' | 'unexpectedMarker',
  reason: string,
  text: string,
  cause?: unknown,
): ServiceError {
  // Slicing by code units may halve the last character; half a one cannot be sent.
  const start = text
    .slice(0, OFFENDING_CHARACTERS)
    .trimEnd()
    .replace(/[\ud800-\udbff]$/, '');
  const message = `${reason}${ENTRY_MARK}${start}`;
  return new ServiceError(kind, message, cause === undefined ? {} : { cause });
}

function readLine(text: string): ForeignLine {
  const value = parseJson(text);
  if (!isObject(value)) throw malformedLine('line is not an object', text);
  const type = value['type'];
  if (typeof type !== 'number' || !isMarkerType(type)) {
    const named = typeof type === 'number' ? String(type) : typeof type;
    throw offending('unexpectedMarker', `unexpected marker type ${named}`, text);
  }
  const tick = value['tick'] === undefined ? undefined : tickFromWire(value['tick']);
  if (tick === undefined && value['tick'] !== undefined) throw malformedLine('bad tick', text);
  const isDocument = isDocumentMarker(type);
  const data = value['data'];
  const hasData = isDocument && type !== MarkerType.remove;
  if (isDocument && data !== undefined && !isObject(data)) {
    throw malformedLine('data is not an object', text);
  }
  const document = isDocument && isObject(data) ? data : undefined;
  if (hasData && document === undefined) throw malformedLine('no data', text);
  const tid = idOf(value['tid'], 'tid', text);
  return {
    tick,
    type,
    tid: tid === '0' ? undefined : tid,
    database: idOf(value['database'], 'database', text),
    cid: idOf(value['cid'], 'cid', text) ?? textOf(value['cuid'], 'cuid', text),
    cname: textOf(value['cname'], 'cname', text),
    key: isDocument
      ? (textOf(document?.['_key'], '_key', text) ?? textOf(value['key'], 'key', text))
      : undefined,
    rev: isDocument
      ? (idOf(value['rev'], 'rev', text) ?? idOf(document?.['_rev'], '_rev', text))
      : undefined,
    oldRev: isDocument ? idOf(value['oldRev'], 'oldRev', text) : undefined,
    from: hasData ? textOf(document?.['_from'], '_from', text) : undefined,
    to: hasData ? textOf(document?.['_to'], '_to', text) : undefined,
    rest: hasData && document !== undefined ? dataRest(text, Object.keys(document).length) : '',
    value: hasData ? document : undefined,
    payload: isDdl(type) ? payloadOf(value, text) : undefined,
    collections: isTransactionMarker(type)
      ? collectionsOf(value['collections'], text)
      : NO_COLLECTIONS,
    lastTick: tickFromWire(value['lastTick']),
  };
}

function isDdl(type: MarkerType): boolean {
  return type >= MarkerType.collectionCreate && type <= MarkerType.viewChange;
}

/**
 * The rest of the document in `data`. Reads it in passing on the way over the line, and goes on to
 * the end: of several members of that name the last one counts.
 */
function dataRest(text: string, nameCount: number): string {
  const notes: ScanNotes = { bareExponent: false };
  let rest = '';
  let pos = skipBlanks(text, skipBlanks(text, 0) + 1);
  while (pos < text.length && text.charCodeAt(pos) === QUOTE) {
    const nameEnd = skipString(text, pos);
    const valueStart = skipBlanks(text, skipBlanks(text, nameEnd) + 1);
    if (memberName(text, pos, nameEnd) === 'data' && text.charCodeAt(valueStart) === OPEN_BRACE) {
      const found = readRest(text, valueStart, nameCount);
      rest = found.rest;
      pos = found.end;
    } else {
      pos = skipValue(text, valueStart, MAX_JSON_DEPTH, notes);
    }
    pos = skipBlanks(text, pos);
    if (text.charCodeAt(pos) === COMMA) pos = skipBlanks(text, pos + 1);
  }
  return rest;
}

function payloadOf(line: JsonObject, text: string): JsonObject {
  // For the sake of the limit on nesting: whoever prints the payload again does so recursively.
  splitObject(text, 0, text.length, MAX_JSON_DEPTH + 1);
  for (const name of ['collection', 'index', 'data']) {
    const payload = line[name];
    if (payload === undefined) continue;
    if (!isObject(payload)) throw malformedLine(`${name} is not an object`, text);
    const { id } = payload;
    return typeof id === 'number' ? { ...payload, id: idText(id, text) } : payload;
  }
  const id = idOf(line['id'], 'id', text);
  return id === undefined ? {} : { id };
}

function collectionsOf(value: unknown, text: string): readonly TransactionCollection[] {
  if (value === undefined) return NO_COLLECTIONS;
  if (!Array.isArray(value)) throw malformedLine('collections is not a list', text);
  return value.map((each: unknown) => {
    if (!isObject(each)) throw malformedLine('collections holds no objects', text);
    const operations = each['operations'];
    return {
      cid: idOf(each['cid'], 'cid', text) ?? '',
      name: textOf(each['name'], 'name', text) ?? '',
      operations: typeof operations === 'number' ? operations : 0,
    };
  });
}

function textOf(value: unknown, name: string, text: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw malformedLine(`${name} is not a string`, text);
}

/** Ids and revisions are strings; some lines of 3.0 have small ones as numbers. */
function idOf(value: unknown, name: string, text: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  if (typeof value === 'number') return idText(value, text);
  throw malformedLine(`${name} is not an id`, text);
}

function idText(id: number, text: string): string {
  // Beyond 2^53 the number may have been rounded: better none than another one's id.
  if (!Number.isSafeInteger(id) || id < 0) throw malformedLine('id is not exact', text);
  return String(id);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
