import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import type { Written } from '../documents/document-operations.ts';
import type { WriteResult } from '../documents/documents.ts';
import { jsonString } from '../protocol/json-text.ts';
import type { Exchange } from './context.ts';
import { isHeaderValue, sendJson } from './respond.ts';

const PLAIN_KEY = /^[a-zA-Z0-9_:.-]*$/;

/** Path of a document in `location`; edges are found under it too. */
export function documentLocation(database: Database, collection: Collection, key: string): string {
  const segment = PLAIN_KEY.test(key) ? key : encodeURIComponent(key);
  return `/_db/${database.name}/_api/document/${collection.name}/${segment}`;
}

export function setEtag(ctx: Exchange, rev: string): void {
  if (isHeaderValue(rev)) ctx.set('etag', `"${rev}"`);
}

/** Status of a write: `synced` when an fsync came before the answer, 202 otherwise (contract 9.3). */
export function writeStatus(result: WriteResult, synced: 200 | 201): number {
  return result.synced ? synced : 202;
}

export interface WriteAnswer {
  readonly status: number;
  readonly silent: boolean;
  /** Name the revision replaced, as 3.x does. */
  readonly withOldRev: boolean;
}

/** Answers a write: `{error:false,_id,_rev,_key[,_oldRev][,new][,old]}`, etag and location. */
export function sendWritten(
  ctx: Exchange,
  collection: Collection,
  result: WriteResult,
  answer: WriteAnswer,
): void {
  const { key, rev } = result;
  // ASCII, as names are, and what of the key is not.
  ctx.set('location', documentLocation(ctx.state.database, collection, key));
  setEtag(ctx, rev);
  const body = answer.silent
    ? '{}'
    : `{"error":false,${writtenMembers(collection, result, answer)}}`;
  sendJson(ctx, answer.status, body);
}

/**
 * The members by which a write is answered, without braces: `_id`, `_rev`, `_key`, then what there is of
 * `_oldRev`, `new` and `old`.
 */
export function writtenMembers(
  collection: Collection,
  result: Written,
  answer: { readonly withOldRev: boolean },
): string {
  const { key, rev, oldRev, newText, oldText } = result;
  let json =
    `"_id":${jsonString(`${collection.name}/${key}`)}` +
    `,"_rev":${jsonString(rev)},"_key":${jsonString(key)}`;
  if (answer.withOldRev && oldRev !== undefined) json += `,"_oldRev":${jsonString(oldRev)}`;
  if (newText !== undefined) json += `,"new":${newText}`;
  if (oldText !== undefined) json += `,"old":${oldText}`;
  return json;
}
