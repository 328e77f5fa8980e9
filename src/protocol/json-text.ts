import { ServiceError } from '../model/errors.ts';
import {
  MAX_JSON_DEPTH,
  type ScanNotes,
  addFractions,
  compact,
  skipBlanks,
  skipString,
  skipValue,
} from './json-scan.ts';

/**
 * Tools on JSON source text. Documents are kept as the text they came in, so that integers beyond
 * 2^53 and the spelling of numbers survive; only what the server must know is parsed.
 */

/** Where a value stands in a text: `start` inclusive, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** One member of an object in a text. */
export interface Member {
  /** The name with its escapes undone. */
  readonly name: string;
  /** Position of the opening quote of the name. */
  readonly memberStart: number;
  readonly valueStart: number;
  /** Position behind the value. */
  readonly valueEnd: number;
}

/** A document as it came in. */
export interface ParsedDocument {
  /** The whole document, parsed; of repeated names the last counts. */
  readonly value: Readonly<Record<string, unknown>>;
  /** `_key`, of whatever type it came in; undefined when absent. */
  readonly key: unknown;
  /** `_rev`, likewise. */
  readonly rev: unknown;
  /** `_id`, likewise. */
  readonly id: unknown;
  /** `_from`, likewise. */
  readonly from: unknown;
  /** `_to`, likewise. */
  readonly to: unknown;
  /**
   * Source text of all other members, joined by commas, without braces; empty when there are none.
   * Holds no raw newline, and no repeated names on its top level.
   */
  readonly rest: string;
}

/** How a patch is merged into a document. */
export interface MergeOptions {
  /** false: a null in the patch removes the attribute (contract 9.3, `keepNull`). */
  readonly keepNull: boolean;
  /** true: objects on both sides are merged, false: the patch replaces the old one. */
  readonly mergeObjects: boolean;
}

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const COMMA = 0x2c;
const UNDERSCORE = 0x5f;
const BACKSLASH = 0x5c;

const OWN_ATTRIBUTES: ReadonlySet<string> = new Set(['_key', '_rev', '_id', '_from', '_to']);

/**
 * Finds the members of the object that starts at `start`, in the order of the text. A name that
 * occurs more than once is listed as often; see `lastMembers`.
 *
 * @param text JSON known to be valid, at least from `start` to `end`
 * @param start position of the object, or of white space before it
 * @param maxDepth how many levels the object may have, itself included
 * @returns undefined when there is something else than an object
 * @throws ServiceError invalidJson when it is nested more deeply
 */
export function splitObject(
  text: string,
  start = 0,
  end = text.length,
  maxDepth = MAX_JSON_DEPTH,
): Member[] | undefined {
  const open = skipBlanks(text, start);
  if (open >= end || text.charCodeAt(open) !== OPEN_BRACE) return undefined;
  return readMembers(text, open + 1, end, maxDepth - 1);
}

/**
 * Of members with the same name keeps the last, as JSON.parse does. Returns the list itself when
 * all names differ, so `lastMembers(members) !== members` tells that some do not.
 */
export function lastMembers(members: Member[]): Member[] {
  const byName = new Map<string, Member>();
  for (const member of members) byName.set(member.name, member);
  return byName.size === members.length ? members : [...byName.values()];
}

/**
 * Finds the elements of the array that starts at `start`.
 *
 * @param text JSON known to be valid
 * @param maxDepth how many levels the array may have, itself included
 * @returns undefined when there is something else than an array
 * @throws ServiceError invalidJson when it is nested more deeply
 */
export function splitArray(
  text: string,
  start = 0,
  maxDepth = MAX_JSON_DEPTH + 1,
): Span[] | undefined {
  const open = skipBlanks(text, start);
  if (text.charCodeAt(open) !== OPEN_BRACKET) return undefined;
  const spans: Span[] = [];
  const notes: ScanNotes = { bareExponent: false };
  let pos = skipBlanks(text, open + 1);
  while (pos < text.length && text.charCodeAt(pos) !== CLOSE_BRACKET) {
    const end = skipValue(text, pos, maxDepth - 1, notes);
    spans.push({ start: pos, end });
    pos = skipBlanks(text, end);
    if (text.charCodeAt(pos) === COMMA) pos = skipBlanks(text, pos + 1);
  }
  return spans;
}

/**
 * Checks a document and takes it apart.
 *
 * @param text one JSON object, as it came in
 * @throws ServiceError invalidJson (600) when it is no JSON or nested deeper than `MAX_JSON_DEPTH`,
 *   invalidDocumentType (1227) when it is JSON but no object
 */
export function parseDocument(text: string): ParsedDocument {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ServiceError('invalidDocumentType');
  }
  const document = value as Record<string, unknown>;
  return {
    value: document,
    key: document['_key'],
    rev: document['_rev'],
    id: document['_id'],
    from: document['_from'],
    to: document['_to'],
    rest: readRest(text, 0, Object.keys(document).length).rest,
  };
}

/**
 * JSON.parse with our error.
 *
 * @throws ServiceError invalidJson (600)
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new ServiceError('invalidJson', undefined, { cause });
  }
}

/** What `readRest` found. */
export interface RestText {
  /** As `ParsedDocument.rest`. */
  readonly rest: string;
  /** Position behind the object. */
  readonly end: number;
}

/**
 * Reads the source text of an object's members without `_key`, `_rev`, `_id`, `_from` and `_to`.
 *
 * @param text JSON known to be valid
 * @param start position of the object, or of white space before it
 * @param nameCount how many different names the object has, which JSON.parse has found out
 * @throws ServiceError invalidJson when it is nested deeper than `MAX_JSON_DEPTH`
 */
export function readRest(text: string, start: number, nameCount: number): RestText {
  const notes: ScanNotes = { bareExponent: false };
  let rest = '';
  let runStart = -1;
  let runEnd = -1;
  let count = 0;
  let pos = skipBlanks(text, skipBlanks(text, start) + 1);
  while (pos < text.length && text.charCodeAt(pos) !== CLOSE_BRACE) {
    const nameEnd = skipString(text, pos);
    const own = isOwnAttribute(text, pos, nameEnd);
    const valueStart = skipBlanks(text, skipBlanks(text, nameEnd) + 1);
    const valueEnd = skipValue(text, valueStart, MAX_JSON_DEPTH - 1, notes);
    count++;
    // Neighbours are copied in one piece.
    if (!own) {
      if (runStart < 0) runStart = pos;
      runEnd = valueEnd;
    } else if (runStart >= 0) {
      rest = append(rest, text.slice(runStart, runEnd));
      runStart = -1;
    }
    pos = skipBlanks(text, valueEnd);
    if (text.charCodeAt(pos) === COMMA) pos = skipBlanks(text, pos + 1);
  }
  if (runStart >= 0) rest = append(rest, text.slice(runStart, runEnd));
  if (count !== nameCount) rest = uniqueRest(text, start);
  if (hasLineBreaks(rest)) rest = compact(rest);
  if (notes.bareExponent) rest = addFractions(rest);
  return { rest, end: pos + 1 };
}

/** The rest of an object with repeated names, of which the last ones count. */
function uniqueRest(text: string, start: number): string {
  return lastMembers(splitObject(text, start) ?? [])
    .filter((member) => !OWN_ATTRIBUTES.has(member.name))
    .map((member) => text.slice(member.memberStart, member.valueEnd))
    .join(',');
}

function append(rest: string, piece: string): string {
  return rest === '' ? piece : `${rest},${piece}`;
}

/** Whether the name whose source text this is belongs to the server. */
function isOwnAttribute(text: string, start: number, end: number): boolean {
  const first = text.charCodeAt(start + 1);
  if (first !== UNDERSCORE && first !== BACKSLASH) return false;
  return OWN_ATTRIBUTES.has(memberName(text, start, end));
}

function hasLineBreaks(text: string): boolean {
  return text.includes('\n') || text.includes('\r') || text.includes('\t');
}

/**
 * Prints the `data` of a line: `{"_key":..,"_rev":..[,"_from":..,"_to":..][,rest]}`.
 *
 * @param from both or neither of `from` and `to` are given
 * @param rest as in `ParsedDocument`
 */
export function buildData(
  key: string,
  rev: string,
  from: string | undefined,
  to: string | undefined,
  rest: string,
): string {
  const head = dataHead(key, rev, from, to);
  return rest === '' ? `${head}}` : `${head},${rest}}`;
}

/** What `buildData` prints before the comma and the rest. */
export function dataHead(
  key: string,
  rev: string,
  from: string | undefined,
  to: string | undefined,
): string {
  const head = `{"_key":${jsonString(key)},"_rev":${jsonString(rev)}`;
  if (from === undefined || to === undefined) return head;
  return `${head},"_from":${jsonString(from)},"_to":${jsonString(to)}`;
}

/**
 * Prints a string as JSON. Short strings without anything to escape, which keys, revisions and
 * names are, take a short cut.
 */
export function jsonString(value: string): string {
  const length = value.length;
  if (length > 64) return JSON.stringify(value);
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code === 0x22 || code === 0x5c || code > 0x7e) return JSON.stringify(value);
  }
  return `"${value}"`;
}

/**
 * Merges a patch into a document, both given as `rest` texts. Old attributes keep their place and,
 * unless the patch names them, their spelling; new ones follow in the order of the patch.
 *
 * @throws ServiceError invalidJson when one is nested deeper than `MAX_JSON_DEPTH`
 */
export function mergeDocuments(oldRest: string, patchRest: string, options: MergeOptions): string {
  return mergeMembers(
    { text: oldRest, members: membersOf(oldRest, 0, oldRest.length) },
    { text: patchRest, members: membersOf(patchRest, 0, patchRest.length) },
    options,
  );
}

/** An object in a text, by its members. */
interface ObjectText {
  readonly text: string;
  readonly members: readonly Member[];
}

function mergeMembers(old: ObjectText, patch: ObjectText, options: MergeOptions): string {
  const changes = new Map(patch.members.map((member) => [member.name, member]));
  const pieces: string[] = [];
  for (const member of old.members) {
    const change = changes.get(member.name);
    if (change === undefined) {
      pieces.push(old.text.slice(member.memberStart, member.valueEnd));
      continue;
    }
    changes.delete(member.name);
    if (!options.keepNull && isNull(patch.text, change)) continue;
    const name = old.text.slice(member.memberStart, member.valueStart);
    pieces.push(name + mergeValue(old.text, member, patch.text, change, options));
  }
  for (const change of changes.values()) {
    if (!options.keepNull && isNull(patch.text, change)) continue;
    pieces.push(patch.text.slice(change.memberStart, change.valueEnd));
  }
  return pieces.join(',');
}

function mergeValue(
  oldText: string,
  old: Member,
  patchText: string,
  patch: Member,
  options: MergeOptions,
): string {
  const bothObjects =
    oldText.charCodeAt(old.valueStart) === OPEN_BRACE &&
    patchText.charCodeAt(patch.valueStart) === OPEN_BRACE;
  if (!options.mergeObjects || !bothObjects) {
    return patchText.slice(patch.valueStart, patch.valueEnd);
  }
  const merged = mergeMembers(
    { text: oldText, members: membersOf(oldText, old.valueStart + 1, old.valueEnd) },
    { text: patchText, members: membersOf(patchText, patch.valueStart + 1, patch.valueEnd) },
    options,
  );
  return `{${merged}}`;
}

function isNull(text: string, member: Member): boolean {
  return text.startsWith('null', member.valueStart);
}

function membersOf(text: string, start: number, end: number): Member[] {
  return lastMembers(readMembers(text, start, end, MAX_JSON_DEPTH - 1));
}

/** Reads members up to a closing brace or `end`. */
function readMembers(text: string, start: number, end: number, maxDepth: number): Member[] {
  const members: Member[] = [];
  const notes: ScanNotes = { bareExponent: false };
  let pos = skipBlanks(text, start);
  while (pos < end && text.charCodeAt(pos) !== CLOSE_BRACE) {
    const memberStart = pos;
    const nameEnd = skipString(text, pos);
    // The next token is the colon.
    const valueStart = skipBlanks(text, skipBlanks(text, nameEnd) + 1);
    const valueEnd = skipValue(text, valueStart, maxDepth, notes);
    members.push({
      name: memberName(text, memberStart, nameEnd),
      memberStart,
      valueStart,
      valueEnd,
    });
    pos = skipBlanks(text, valueEnd);
    if (text.charCodeAt(pos) === COMMA) pos = skipBlanks(text, pos + 1);
  }
  return members;
}

/** The name whose source text, quotes included, is from `start` to `end`. */
export function memberName(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1);
  return raw.includes('\\') ? (JSON.parse(text.slice(start, end)) as string) : raw;
}
