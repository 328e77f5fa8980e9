import type {
  MergeSettings,
  OverwriteMode,
  ReturnSettings,
} from '../documents/document-operations.ts';
import { ServiceError } from '../model/errors.ts';
import { type Query, booleanParam, textParam } from '../protocol/params.ts';
import type { Exchange } from './context.ts';
import { generationOf } from './generation.ts';

const OVERWRITE_MODES: ReadonlySet<string> = new Set(['conflict', 'ignore', 'replace', 'update']);
const ETAG = /^\s*"([^"]*)"\s*$/;
const BARE_ETAG = /^[^\s",*]+$/;

/** What the query of a write says, besides preconditions. */
export interface WriteParams extends Required<ReturnSettings>, MergeSettings {
  readonly waitForSync: boolean;
  readonly silent: boolean;
}

/** Answer with nothing but `{}` (3.x `silent`). */
export function isSilent(query: Query): boolean {
  return booleanParam(query, 'silent', false);
}

/** All of them, whatever the write is. */
export const writeParams = remembered((query: Query): WriteParams => {
  const { waitForSync, returnNew, returnOld } = writeSettings(query);
  const { keepNull, mergeObjects } = mergeSettings(query);
  return { waitForSync, returnNew, returnOld, keepNull, mergeObjects, silent: isSilent(query) };
});

/** `overwriteMode`, and its error. */
export const overwriteModeParam = remembered(overwriteMode);

/** `waitForSync`, and for 3.x `returnNew` and `returnOld`. */
export function writeSettings(
  query: Query,
): Pick<WriteParams, 'waitForSync' | 'returnNew' | 'returnOld'> {
  return {
    waitForSync: booleanParam(query, 'waitForSync', false),
    returnNew: booleanParam(query, 'returnNew', false),
    returnOld: booleanParam(query, 'returnOld', false),
  };
}

/** `keepNull` and `mergeObjects`, both true by default (contract 9.3). */
export function mergeSettings(query: Query): MergeSettings {
  return {
    keepNull: booleanParam(query, 'keepNull', true),
    mergeObjects: booleanParam(query, 'mergeObjects', true),
  };
}

/**
 * What an insert does when the key exists: `overwriteMode`, or `overwrite=true` for `replace` (3.x).
 * @throws ServiceError badParameter for a mode that does not exist
 */
export function overwriteMode(query: Query): OverwriteMode {
  const mode = textParam(query, 'overwriteMode');
  if (mode === undefined) return booleanParam(query, 'overwrite', false) ? 'replace' : 'conflict';
  if (!OVERWRITE_MODES.has(mode)) {
    throw new ServiceError('badParameter', `unknown overwriteMode '${mode}'`);
  }
  return mode as OverwriteMode;
}

/**
 * The revision a document must have to be replaced, changed or removed: `If-Match` or `rev`, unless
 * `policy=last` says that it does not matter (contract 9.3).
 * @throws ServiceError httpBadParameter for another policy than `error` and `last`
 */
export function writePrecondition(ctx: Exchange): string | undefined {
  const policy = textParam(ctx.query, 'policy');
  if (policy !== undefined && policy !== 'error' && policy !== 'last') {
    throw new ServiceError('httpBadParameter', "policy must be 'error' or 'last'");
  }
  return policy === 'last' ? undefined : wantedRevision(ctx);
}

/** `If-Match` or `rev`. */
export function wantedRevision(ctx: Exchange): string | undefined {
  return etagOf(ctx, 'if-match') ?? textParam(ctx.query, 'rev');
}

/** The revision that the client has and does not want again. */
export function knownRevision(ctx: Exchange): string | undefined {
  return etagOf(ctx, 'if-none-match');
}

/**
 * With `ignoreRevs=false` (3.x) the `_rev` in the body is a precondition, unless the request has one
 * already.
 */
export function revisionInBody(query: Query, body: string): string | undefined {
  if (booleanParam(query, 'ignoreRevs', true)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    // The write that follows parses it again and says what is wrong.
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const rev = (value as Record<string, unknown>)['_rev'];
  return typeof rev === 'string' ? rev : undefined;
}

/** In quotes it always counts; without them 1.4 passes over it, and 3.x, whose drivers send it so, does not. */
function etagOf(ctx: Exchange, name: 'if-match' | 'if-none-match'): string | undefined {
  const header = ctx.headers[name];
  if (header === undefined) return undefined;
  const quoted = ETAG.exec(header)?.[1];
  if (quoted !== undefined || generationOf(ctx) === '1.4') return quoted;
  return BARE_ETAG.test(header) ? header : undefined;
}

/** Neighbouring requests on hot routes have not only the same query, but the same object for it. */
function remembered<T>(read: (query: Query) => T): (query: Query) => T {
  let last: { readonly query: Query; readonly result: T } | undefined;
  return (query) => {
    if (last?.query !== query) last = { query, result: read(query) };
    return last.result;
  };
}
