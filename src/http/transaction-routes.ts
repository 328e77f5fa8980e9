import type { StreamTransaction } from '../documents/stream-transaction.ts';
import type { StreamTransactions } from '../documents/stream-transactions.ts';
import { ServiceError } from '../model/errors.ts';
import { Header } from '../protocol/headers.ts';
import { readJsonObject } from './body.ts';
import { type ApiRouter, type Context, apiRouter, pathParam } from './context.ts';
import { whileConnected } from './replication-answer.ts';
import { sendResult } from './respond.ts';
import { transactionId } from './transaction-header.ts';
import { newTransactionOf } from './transaction-requests.ts';

/** `/_api/transaction`: the stream transactions of 3.5 (contract 9.5). */
export function transactionRoutes(deps: { readonly transactions: StreamTransactions }): ApiRouter {
  const { transactions } = deps;
  const router = apiRouter('/_api/transaction');

  router.post('/begin', async (ctx) => {
    if (ctx.headers[Header.transactionId] !== undefined)
      throw new ServiceError('transactionNested');
    const { database } = ctx.state;
    const wanted = newTransactionOf(database, await readJsonObject(ctx));
    const transaction = await whileConnected(ctx, (signal) =>
      transactions.begin(database, wanted, signal),
    );
    // There is nobody who could use it.
    if (ctx.res.closed) transaction.abort('its client went away');
    sendStatus(ctx, 201, transaction);
  });

  router.get('/', (ctx) => {
    const running = transactions.running(ctx.state.database);
    const list = running.map(({ id, status }) => ({ id, state: status }));
    sendResult(ctx, 200, { transactions: list });
  });

  router.get('/:id', (ctx) => sendStatus(ctx, 200, transactionOfPath(ctx, transactions)));

  router.put('/:id', async (ctx) => {
    const transaction = transactionOfPath(ctx, transactions);
    await transaction.commit();
    sendStatus(ctx, 200, transaction);
  });

  router.delete('/:id', (ctx) => {
    const transaction = transactionOfPath(ctx, transactions);
    transaction.abort('its client said so');
    sendStatus(ctx, 200, transaction);
  });

  router.post('/*rest', () => {
    throw new ServiceError('notFound', 'expecting POST /_api/transaction/begin');
  });
  for (const method of ['get', 'put', 'delete'] as const) {
    router[method]('/:id/*rest', () => {
      throw new ServiceError('httpBadParameter', 'expecting /_api/transaction/<id>');
    });
  }
  return router;
}

function transactionOfPath(ctx: Context, transactions: StreamTransactions): StreamTransaction {
  return transactions.get(ctx.state.database, transactionId(pathParam(ctx, 'id')));
}

function sendStatus(ctx: Context, code: number, { id, status }: StreamTransaction): void {
  sendResult(ctx, code, { result: { id, status } });
}
