import type { Leader } from '../leader/leader.ts';
import { openTransactions } from '../leader/open-transactions.ts';
import { ServiceError } from '../model/errors.ts';
import { Header } from '../protocol/headers.ts';
import { MAX_CHUNK_SIZE, booleanParam, countParam, tickRangeParams } from '../protocol/params.ts';
import { type ApiRouter, type Context, apiRouter } from './context.ts';
import { answerLog } from './log-pages.ts';
import {
  type PageAnswerOptions,
  STALLED_AFTER_MS,
  answerEmpty,
  answerJson,
} from './replication-answer.ts';

/** `chunkSize` where a request has none, in bytes. */
const CHUNK_SIZE = 1024 * 1024;
const EXPECTED =
  'expecting GET /_api/wal/range, GET /_api/wal/lastTick, GET or PUT /_api/wal/tail, or ' +
  'GET /_api/wal/open-transactions';

/**
 * `/_api/wal`: the log as readers of 3.3 and later ask for it (contract 7.2). The database of the path says
 * whose log; there is none of all databases.
 *
 * @param options.stalledAfterMs after which time a reader that takes nothing of a page is cut off
 */
export function walLogRoutes(leader: Leader, options: Partial<PageAnswerOptions> = {}): ApiRouter {
  const { logger } = leader;
  const { stalledAfterMs = STALLED_AFTER_MS } = options;
  const isShort = (): boolean => leader.pageMemory.isShort;
  const router = apiRouter('/_api/wal');

  router.get('/range', (ctx) => answerJson(ctx, logger.walState(ctx.state.database)));

  router.get('/lastTick', (ctx) => {
    const { time, tickMax: tick, server } = logger.walState(ctx.state.database);
    answerJson(ctx, { time, tick, server });
  });

  const tail = async (ctx: Context): Promise<void> => {
    assertOfOneDatabase(ctx);
    const wanted = countParam(ctx.query, 'chunkSize', CHUNK_SIZE, MAX_CHUNK_SIZE);
    const chunkSize = wanted === 0 ? CHUNK_SIZE : wanted;
    await answerLog(leader, ctx, { stalledAfterMs, isShort, shape: 'wal', chunkSize });
  };
  router.get('/tail', tail);
  router.put('/tail', tail);

  router.get('/open-transactions', async (ctx) => {
    assertOfOneDatabase(ctx);
    const { database } = ctx.state;
    const found = await openTransactions(database.changelog, tickRangeParams(ctx.query));
    database.assertAlive();
    ctx.set({
      [Header.fromPresent]: String(found.fromPresent),
      [Header.lastIncluded]: found.lastTick.toString(),
    });
    if (found.lastTick === 0n) answerEmpty(ctx);
    else answerJson(ctx, found.tids);
  });

  // Not 404 or 405 as elsewhere.
  for (const method of ['get', 'put', 'post', 'patch', 'delete'] as const) {
    router[method](['/', '/*rest'], () => {
      throw new ServiceError('httpBadParameter', EXPECTED);
    });
  }
  return router;
}

/** @throws ServiceError forbidden (403/11) for `global` outside of `_system`, notImplemented in it */
function assertOfOneDatabase({ query, state }: Context): void {
  if (!booleanParam(query, 'global', false)) return;
  if (!state.database.isSystem) throw new ServiceError('forbidden');
  throw new ServiceError('notImplemented', 'a log is of one database; ask in each for its own');
}
