import type { Collections } from '../documents/collections.ts';
import type { Importer, ImportSettings } from '../documents/import.ts';
import type { ImportType } from '../documents/import-lines.ts';
import type { StreamTransactions } from '../documents/stream-transactions.ts';
import type { OnDuplicate } from '../documents/import-writer.ts';
import { CollectionType } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { type Query, booleanParam, textParam } from '../protocol/params.ts';
import { announcedBytes, bodyPieces, claimMemory } from './body.ts';
import { collectionForWrite } from './collection-requests.ts';
import { type ApiRouter, type Context, apiRouter } from './context.ts';
import { collectionParam } from './document-handlers.ts';
import { sendJson } from './respond.ts';
import { transactionOf } from './transaction-header.ts';

const TYPES: ReadonlyMap<string, ImportType> = new Map<string, ImportType>([
  ['documents', 'documents'],
  ['array', 'array'],
  ['list', 'array'],
  ['auto', 'auto'],
]);
const ON_DUPLICATE: ReadonlySet<string> = new Set(['error', 'update', 'replace', 'ignore']);

/** POST `/_api/import` (contract 9.5). */
export function importRoutes(deps: {
  readonly importer: Importer;
  readonly collections: Collections;
  readonly transactions: StreamTransactions;
}): ApiRouter {
  const { importer, collections, transactions } = deps;
  const router = apiRouter('/_api/import');

  router.post('/', async (ctx) => {
    const { database, limits } = ctx.state;
    const settings = { ...importSettings(ctx), transaction: transactionOf(ctx, transactions) };
    const collection = await collectionForWrite(collections, ctx, collectionParam(ctx), {
      wanted: booleanParam(ctx.query, 'createCollection', false),
      type: createdType(ctx.query),
    });
    const memoryBytes = settings.announcedBytes ?? importer.transactionMaxBytes;
    await claimMemory(ctx, Math.min(memoryBytes, importer.transactionMaxBytes));
    const tally = await importer.run(
      database,
      collection,
      bodyPieces(ctx),
      settings,
      limits.deadline,
    );
    const { created, errors, empty, updated, ignored, details } = tally;
    const answer = { error: false, created, errors, empty, updated, ignored };
    sendJson(ctx, 201, JSON.stringify(settings.details ? { ...answer, details } : answer));
  });

  router.post('/*rest', () => {
    throw new ServiceError('superfluousSuffices', 'expecting POST /_api/import');
  });
  return router;
}

/** @throws ServiceError httpBadParameter for an unknown `type` or `onDuplicate` */
function importSettings(ctx: Context): ImportSettings {
  const { query } = ctx;
  const type = textParam(query, 'type');
  const onDuplicate = textParam(query, 'onDuplicate') ?? 'error';
  const known = type === undefined || type === '' ? 'tuples' : TYPES.get(type);
  if (!known) throw new ServiceError('httpBadParameter', `unknown import type '${type ?? ''}'`);
  if (!ON_DUPLICATE.has(onDuplicate)) {
    throw new ServiceError('httpBadParameter', `unknown value '${onDuplicate}' for onDuplicate`);
  }
  return {
    type: known,
    onDuplicate: onDuplicate as OnDuplicate,
    complete: booleanParam(query, 'complete', false),
    waitForSync: booleanParam(query, 'waitForSync', false),
    details: booleanParam(query, 'details', false),
    overwrite: booleanParam(query, 'overwrite', false),
    fromPrefix: textParam(query, 'fromPrefix'),
    toPrefix: textParam(query, 'toPrefix'),
    announcedBytes: announcedBytes(ctx),
  };
}

/** `createCollectionType=edge` as in 3.x. */
function createdType(query: Query): CollectionType {
  const type = textParam(query, 'createCollectionType');
  return type === 'edge' || type === '3' ? CollectionType.edge : CollectionType.document;
}
