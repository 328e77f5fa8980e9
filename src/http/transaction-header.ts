import type { StreamTransaction } from '../documents/stream-transaction.ts';
import type { StreamTransactions } from '../documents/stream-transactions.ts';
import { ServiceError } from '../model/errors.ts';
import { Header } from '../protocol/headers.ts';
import type { Exchange } from './context.ts';

/**
 * The stream transaction that a request belongs to by its header `x-arango-trx-id`, which is in use from
 * here on; undefined for most requests.
 * @throws ServiceError badParameter for an id that is none, transactionNotFound, transactionDisallowed
 */
export function transactionOf(
  ctx: Exchange,
  transactions: StreamTransactions,
): StreamTransaction | undefined {
  const id = ctx.headers[Header.transactionId];
  return id === undefined ? undefined : transactions.join(ctx.state.database, transactionId(id));
}

/** @throws ServiceError transactionDisallowed when the request belongs to a transaction */
export function assertOutsideTransaction(ctx: Exchange, what: string): void {
  if (ctx.headers[Header.transactionId] === undefined) return;
  throw new ServiceError('transactionDisallowed', `${what} is not possible inside a transaction`);
}

/** @throws ServiceError badParameter (400/10) unless it is a number */
export function transactionId(text: string | string[]): string {
  if (typeof text === 'string' && /^[0-9]{1,20}$/.test(text)) return text;
  throw new ServiceError('badParameter', `bad transaction id '${String(text)}'`);
}
