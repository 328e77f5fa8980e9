import type { Collection } from '../documents/collection.ts';
import { contentOf } from '../documents/document-operations.ts';
import { CollectionType } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { MarkerType, isDocumentMarker } from '../model/marker.ts';
import { isValidKey } from '../model/names.ts';
import { MAX_JSON_DEPTH } from '../protocol/json-scan.ts';
import { lastMembers, parseJson, readRest, splitObject } from '../protocol/json-text.ts';
import type { ByteSlice } from '../storage/block-writer.ts';
import { FOREIGN_TICK_MAX } from '../storage/tick-source.ts';

/** What a restore does with the revisions its lines bring. */
export type RestoredRevisions =
  /** Each document gets a new one. */
  | 'new'
  /** That of the line is kept; a line without one gets a new one. */
  | 'kept'
  /** As the server would whose dump it is: new ones for lines of 1.4, which have `rev` on top, else kept. */
  | 'by-shape';

/** How the lines of a restore are to be read (contract 4.3). */
export interface RestoreRules {
  /** false: the lines are bare documents. */
  readonly useEnvelope: boolean;
  readonly revisions: RestoredRevisions;
  /** Whether the type of a line must fit that of the collection, as on 1.4, or counts for nothing. */
  readonly strictTypes: boolean;
}

/** A line of a restore, checked and ready to be written. */
export interface RestoreLine {
  readonly isRemoval: boolean;
  readonly key: string;
  /** The revision to be kept; undefined for a new one. */
  readonly rev: string | undefined;
  /** Both are there in collections of edges, and only there. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** As in `DocumentBytes`. */
  readonly rest: ByteSlice;
}

type JsonObject = Readonly<Record<string, unknown>>;

const NO_REST: ByteSlice = { source: Buffer.from('}'), start: 0, end: 1 };
const SHOWN_KEY_MAX = 64;
/** Shorter numbers are below 2^62. */
const LARGE_DIGITS = 19;
const WIRE_DIGITS = 20;

/**
 * Reads a line of any spelling.
 *
 * @param text the line without its newline
 * @throws ServiceError invalidJson (600) when it is no JSON object, or nested too deeply; unexpectedMarker (1406)
 *   for a type that is no document's; httpBadParameter (400) when key or document are missing;
 *   illegalDocumentKey (1221); badParameter (10) for a revision that cannot be kept; collectionTypeInvalid
 *   (1218), edgeAttributeMissing (1233), illegalDocumentHandle (1205) where ends are missing, malformed, or
 *   not wanted
 */
export function parseRestoreLine(
  text: string,
  collection: Collection,
  rules: RestoreRules,
): RestoreLine {
  const value = parseJson(text);
  if (!isObject(value)) throw new ServiceError('invalidJson');
  const type = rules.useEnvelope ? typeOf(value) : undefined;
  const data = rules.useEnvelope ? value['data'] : value;
  const isRemoval = type === MarkerType.remove;
  const document = isObject(data) ? data : undefined;
  if (document === undefined && !isRemoval) {
    throw new ServiceError('httpBadParameter', 'the line has no data');
  }
  const key = keyOf(document?.['_key'] ?? (rules.useEnvelope ? value['key'] : undefined));
  const rev = chosenRevision(
    rules,
    rules.useEnvelope ? revisionOf(value['rev']) : undefined,
    revisionOf(document?.['_rev']),
  );
  if (document === undefined || isRemoval) {
    return { isRemoval, key, rev, from: undefined, to: undefined, rest: NO_REST };
  }
  if (rules.strictTypes && type !== undefined) assertType(type, collection, document);
  const { _from: from, _to: to } = document;
  const source = rules.useEnvelope ? restInEnvelope(text, document) : restOf(text, 0, document);
  const content = contentOf(collection, { from, to, rest: source }, undefined);
  const bytes = Buffer.from(`${source}}`);
  const rest = { source: bytes, start: 0, end: bytes.length };
  return { isRemoval, key, rev, from: content.from, to: content.to, rest };
}

/** Whether a revision or an id is a number larger than we take: above 2^62. Other texts never are. */
export function isTooLarge(text: string): boolean {
  if (text.length < LARGE_DIGITS || text.length > WIRE_DIGITS) return false;
  return /^[1-9][0-9]*$/.test(text) && BigInt(text) > FOREIGN_TICK_MAX;
}

/** The revision a document gets; undefined for a new one. */
function chosenRevision(
  { revisions }: RestoreRules,
  ofLine: string | undefined,
  ofDocument: string | undefined,
): string | undefined {
  if (revisions === 'new' || (revisions === 'by-shape' && ofLine !== undefined)) return undefined;
  const rev = ofLine ?? ofDocument;
  if (rev !== undefined && isTooLarge(rev)) {
    throw new ServiceError('badParameter', `revision ${rev} is above the largest one taken, 2^62`);
  }
  return rev;
}

function typeOf(value: JsonObject): number {
  const { type } = value as { type?: unknown };
  if (typeof type === 'number' && isDocumentMarker(type)) return type;
  throw new ServiceError(
    'unexpectedMarker',
    `unexpected marker type ${typeof type === 'number' ? type : `(${typeof type})`}`,
    { httpStatus: 400 },
  );
}

function keyOf(given: unknown): string {
  if (given === undefined) throw new ServiceError('httpBadParameter', 'the line has no key');
  if (typeof given === 'string' && isValidKey(given)) return given;
  const shown = JSON.stringify(given).slice(0, SHOWN_KEY_MAX);
  throw new ServiceError('illegalDocumentKey', `illegal document key ${shown}`);
}

/** Some lines of 3.0 have small ones as numbers. An empty one is none. */
function revisionOf(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return String(value);
  throw new ServiceError('badParameter', 'a revision is a text');
}

/** Edges come as 2300 from 3.x on; there the ends in the document tell. */
function assertType(type: number, collection: Collection, document: JsonObject): void {
  const wantsEdge = collection.type === CollectionType.edge;
  const hasEnds = document['_from'] !== undefined && document['_to'] !== undefined;
  const isEdge = type === MarkerType.edge || (wantsEdge && hasEnds);
  if (isEdge === wantsEdge) return;
  throw new ServiceError(
    'collectionTypeInvalid',
    `collection type invalid: a line of type ${type} in collection '${collection.name}' of ` +
      (wantsEdge ? 'edges' : 'documents'),
  );
}

function restInEnvelope(text: string, document: JsonObject): string {
  const members = splitObject(text, 0, text.length, MAX_JSON_DEPTH + 1) ?? [];
  const data = lastMembers(members).find(({ name }) => name === 'data');
  return restOf(text, data?.valueStart ?? 0, document);
}

function restOf(text: string, start: number, document: JsonObject): string {
  return readRest(text, start, Object.keys(document).length).rest;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
