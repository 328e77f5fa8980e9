import type { Checksums } from '../documents/checksum.ts';
import type { Collection } from '../documents/collection.ts';
import type { Collections } from '../documents/collections.ts';
import type { Documents } from '../documents/documents.ts';
import type { StreamTransactions } from '../documents/stream-transactions.ts';
import { ServiceError } from '../model/errors.ts';
import { booleanParam } from '../protocol/params.ts';
import { announcedBytes, readJsonObject } from './body.ts';
import {
  baseAnswer,
  collectionLocation,
  countAnswer,
  createdAnswer,
  figuresAnswer,
  propertiesAnswer,
  revisionOf,
  unloadAnswer,
} from './collection-answers.ts';
import { newCollectionOf, propertiesOf } from './collection-requests.ts';
import { type ApiRouter, type Context, apiRouter, pathParam } from './context.ts';
import { reportWorks } from './detached-request.ts';
import { generationOf } from './generation.ts';
import { sendResult } from './respond.ts';
import { assertOutsideTransaction, transactionOf } from './transaction-header.ts';

export interface CollectionRoutesDeps {
  readonly collections: Collections;
  readonly documents: Documents;
  readonly checksums: Checksums;
  readonly transactions: StreamTransactions;
}

type Action = (ctx: Context, collection: Collection) => Promise<void> | void;

/** `/_api/collection` (contract 9.2). */
export function collectionRoutes(deps: CollectionRoutesDeps): ApiRouter {
  const router = apiRouter('/_api/collection');

  router.get('/', (ctx) => {
    const excludeSystem = booleanParam(ctx.query, 'excludeSystem', false);
    const shown = ctx.state.database.collections.filter((each) => !excludeSystem || !each.isSystem);
    const result = shown.map(baseAnswer);
    const names = Object.fromEntries(shown.map((each, i) => [each.name, result[i]]));
    // `collections` and `names` are 1.4's, `result` is 3.x's.
    sendResult(ctx, 200, { collections: result, names, result });
  });

  router.post('/', async (ctx) => {
    assertOutsideTransaction(ctx, 'to create a collection');
    const { database } = ctx.state;
    const wanted = newCollectionOf(await readJsonObject(ctx));
    const collection = await deps.collections.create(database, wanted);
    ctx.set('location', collectionLocation(database, collection));
    sendResult(ctx, 200, createdAnswer(collection));
  });

  router.get('/:name', (ctx) => {
    const collection = collectionOf(ctx);
    ctx.set('location', collectionLocation(ctx.state.database, collection));
    sendResult(ctx, 200, baseAnswer(collection));
  });

  for (const [action, read] of readActions(deps)) {
    router.get(`/:name/${action}`, async (ctx) => {
      const collection = collectionOf(ctx);
      // What is told of its inside has it loaded, as in 1.4.
      collection.assertAlive();
      await read(ctx, collection);
      ctx.set('location', collectionLocation(ctx.state.database, collection));
    });
  }

  for (const [action, change] of changeActions(deps)) {
    router.put(`/:name/${action}`, async (ctx) => {
      await change(ctx, collectionOf(ctx));
    });
  }

  router.delete('/:name', async (ctx) => {
    assertOutsideTransaction(ctx, 'to drop a collection');
    const collection = collectionOf(ctx);
    assertDroppable(ctx, collection);
    await deps.collections.drop(ctx.state.database, collection);
    sendResult(ctx, 200, { id: collection.cid });
  });

  for (const method of ['get', 'put'] as const) {
    router[method]('/:name/:action', (ctx) => {
      collectionOf(ctx);
      const action = pathParam(ctx, 'action');
      throw new ServiceError('notFound', `unknown action '${action}' for a collection`);
    });
    router[method]('/:name/:action/*rest', () => {
      throw new ServiceError('httpBadParameter', 'expecting /_api/collection/<name>/<action>');
    });
  }
  return router;
}

function readActions(deps: CollectionRoutesDeps): ReadonlyMap<string, Action> {
  return new Map<string, Action>([
    ['properties', (ctx, collection) => sendResult(ctx, 200, propertiesAnswer(collection))],
    [
      'count',
      (ctx, collection) => {
        const transaction = transactionOf(ctx, deps.transactions);
        const count = deps.documents.count(collection, transaction);
        sendResult(ctx, 200, countAnswer(collection, count));
      },
    ],
    [
      'works',
      (ctx, collection) =>
        sendResult(ctx, 200, { ...baseAnswer(collection), works: collection.works.numbers }),
    ],
    ['figures', (ctx, collection) => sendResult(ctx, 200, figuresAnswer(collection))],
    [
      'revision',
      (ctx, collection) =>
        sendResult(ctx, 200, { ...baseAnswer(collection), revision: revisionOf(collection) }),
    ],
    [
      'checksum',
      async (ctx, collection) => {
        reportWorks(ctx, collection);
        const { checksum, revision } = await deps.checksums.of(
          collection,
          {
            withRevisions: booleanParam(ctx.query, 'withRevisions', false),
            withData: booleanParam(ctx.query, 'withData', false),
          },
          ctx.state.limits.deadline,
        );
        // 1.4 has a number, 3.x the same in a string.
        const shown = generationOf(ctx) === '3.x' ? String(checksum) : checksum;
        sendResult(ctx, 200, { ...baseAnswer(collection), checksum: shown, revision });
      },
    ],
  ]);
}

function changeActions(deps: CollectionRoutesDeps): ReadonlyMap<string, Action> {
  const { collections, transactions } = deps;
  return new Map<string, Action>([
    ['load', (ctx, collection) => sendLoaded(ctx, collection)],
    [
      'unload',
      (ctx, collection) => {
        collection.unload();
        // In 1.4 it takes a while, 3.x has it done.
        const isDone = generationOf(ctx) === '3.x';
        sendResult(ctx, 200, isDone ? baseAnswer(collection) : unloadAnswer(collection));
      },
    ],
    [
      'truncate',
      async (ctx, collection) => {
        const waitForSync = booleanParam(ctx.query, 'waitForSync', false);
        const transaction = transactionOf(ctx, transactions);
        const settings = { waitForSync, transaction };
        await collections.truncate(ctx.state.database, collection, settings);
        sendResult(ctx, 200, baseAnswer(collection));
      },
    ],
    [
      'properties',
      async (ctx, collection) => {
        assertOutsideTransaction(ctx, 'to change a collection');
        const changes = propertiesOf(await readJsonObject(ctx));
        await collections.changeProperties(ctx.state.database, collection, changes);
        sendResult(ctx, 200, propertiesAnswer(collection));
      },
    ],
    [
      'rename',
      async (ctx, collection) => {
        assertOutsideTransaction(ctx, 'to rename a collection');
        const { name } = await readJsonObject(ctx);
        if (typeof name !== 'string') throw new ServiceError('illegalName');
        if (collection.isSystem) throw new ServiceError('forbidden');
        await collections.rename(ctx.state.database, collection, name);
        sendResult(ctx, 200, baseAnswer(collection));
      },
    ],
    [
      'rotate',
      (ctx, collection) => {
        // There is nothing to rotate: journals are closed with every commit.
        if (collection.stats.entries === 0) throw new ServiceError('noJournal');
        sendResult(ctx, 200, { result: true });
      },
    ],
  ]);
}

/** A count comes with it unless the body says `{"count":false}`. */
async function sendLoaded(ctx: Context, collection: Collection): Promise<void> {
  collection.assertAlive();
  const hasBody = (announcedBytes(ctx) ?? 0) > 0;
  const withCount = !hasBody || (await readJsonObject(ctx))['count'] !== false;
  const { count } = collection.stats;
  sendResult(ctx, 200, { ...baseAnswer(collection), ...(withCount ? { count } : {}) });
}

/** @throws ServiceError collectionNotFound */
function collectionOf(ctx: Context): Collection {
  return ctx.state.database.get(pathParam(ctx, 'name'));
}

/**
 * System collections stay (403/11) unless the client says that it knows with `isSystem=true`, as in
 * 3.x; those that belong to the server itself stay always.
 */
function assertDroppable(ctx: Context, collection: Collection): void {
  if (!collection.isSystem) return;
  if (collection.excluded || !booleanParam(ctx.query, 'isSystem', false)) {
    throw new ServiceError('forbidden');
  }
}
