import type { CursorBatch, CursorRequest } from '../leader/cursors.ts';
import type { Leader } from '../leader/leader.ts';
import { ServiceError } from '../model/errors.ts';
import { readJsonObject } from './body.ts';
import { type ApiRouter, type Context, apiRouter, pathParam } from './context.ts';
import { sendJson, sendResult } from './respond.ts';
import { assertOutsideTransaction } from './transaction-header.ts';

const BATCH_SIZE = 1000;
const TTL_SECONDS = 30;
const TTL_MAX_SECONDS = 3600;

/**
 * PUT `/_api/simple/all` and `/by-example`: the documents of a collection, or those that have the values of an example, as of
 * one moment, in batches. There is no other simple query.
 */
export function simpleRoutes(leader: Leader): ApiRouter {
  const router = apiRouter('/_api/simple');
  router.put('/all', async (ctx) => {
    const body = await readJsonObject(ctx);
    await sendFirst(ctx, leader, body, undefined);
  });
  router.put('/by-example', async (ctx) => {
    const body = await readJsonObject(ctx);
    const { example } = body;
    if (typeof example !== 'object' || example === null || Array.isArray(example)) {
      throw new ServiceError('httpBadParameter', "'example' must be an object");
    }
    await sendFirst(ctx, leader, body, example as Record<string, unknown>);
  });
  return router;
}

/** `/_api/cursor/<id>`: the further batches; PUT as in 1.4, POST as in 3.8 and later. */
export function cursorRoutes(leader: Leader): ApiRouter {
  const router = apiRouter('/_api/cursor');
  const next = async (ctx: Context): Promise<void> => {
    const { database, limits } = ctx.state;
    sendBatch(ctx, 200, await leader.cursors.next(database, pathParam(ctx, 'id'), limits.deadline));
  };
  router.put('/:id', next);
  router.post('/:id', next);
  router.delete('/:id', (ctx) => {
    const id = pathParam(ctx, 'id');
    leader.cursors.remove(ctx.state.database, id);
    sendResult(ctx, 202, { id });
  });
  return router;
}

async function sendFirst(
  ctx: Context,
  leader: Leader,
  body: Readonly<Record<string, unknown>>,
  example: CursorRequest['example'],
): Promise<void> {
  assertOutsideTransaction(ctx, 'a simple query');
  const { database, limits } = ctx.state;
  const { collection: name } = body;
  if (typeof name !== 'string' || name === '') {
    throw new ServiceError('httpBadParameter', "'collection' must be the name of a collection");
  }
  const ttlSeconds = Math.min(numberIn(body, 'ttl', TTL_SECONDS), TTL_MAX_SECONDS);
  const batchSize = wholeNumberIn(body, 'batchSize', BATCH_SIZE);
  if (batchSize === 0 || ttlSeconds === 0) {
    throw new ServiceError('badParameter', "'batchSize' and 'ttl' must be above 0");
  }
  const request: CursorRequest = {
    ...{ example, batchSize, ttlMs: Math.ceil(ttlSeconds * 1000) },
    skip: wholeNumberIn(body, 'skip', 0),
    limit: wholeNumberIn(body, 'limit', Number.MAX_SAFE_INTEGER),
  };
  const collection = database.get(name);
  sendBatch(ctx, 201, await leader.cursors.create(database, collection, request, limits.deadline));
}

function sendBatch(ctx: Context, status: number, { documents, id, count }: CursorBatch): void {
  const rest = JSON.stringify({ hasMore: id !== undefined, id, count, error: false, code: status });
  sendJson(ctx, status, `{"result":[${documents.join(',')}],${rest.slice(1)}`);
}

/** @throws ServiceError badParameter; null is as good as nothing */
function numberIn(body: Readonly<Record<string, unknown>>, name: string, fallback: number): number {
  const value = body[name] ?? fallback;
  if (typeof value === 'number' && value >= 0) return value;
  throw new ServiceError('badParameter', `'${name}' must be a number that is not negative`);
}

function wholeNumberIn(
  body: Readonly<Record<string, unknown>>,
  name: string,
  fallback: number,
): number {
  const value = numberIn(body, name, fallback);
  if (Number.isSafeInteger(value)) return value;
  throw new ServiceError('badParameter', `'${name}' must be a whole number`);
}
