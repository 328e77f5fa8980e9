import type { LogShape } from '../leader/follow.ts';
import type { Leader } from '../leader/leader.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { type Tick, parseTick } from '../model/tick.ts';
import { Header } from '../protocol/headers.ts';
import { parseJson } from '../protocol/json-text.ts';
import {
  type Query,
  booleanParam,
  secondsParam,
  textParam,
  tickParam,
  tickRangeParams,
} from '../protocol/params.ts';
import { readText } from './body.ts';
import type { Exchange } from './context.ts';
import { type PageAnswerOptions, answerPage, whileConnected } from './replication-answer.ts';

export interface LogPageOptions extends PageAnswerOptions {
  readonly shape: LogShape;
  /** In bytes. */
  readonly chunkSize: number;
}

/** Longest `wait`, in seconds. */
const WAIT_MAX_SECONDS = 60;

/**
 * Answers a page of the log (contract 2.6, 7.2): to GET, and to PUT with a body that names the transactions
 * whose beginning the client has.
 *
 * @throws ServiceError httpBadParameter for a body or a range that cannot be; as `LogFollow.read`
 */
export async function answerLog(
  leader: Leader,
  ctx: Exchange,
  options: LogPageOptions,
): Promise<void> {
  const { query } = ctx;
  const { database } = ctx.state;
  const isPut = ctx.method === 'PUT';
  const openTids = isPut ? await readOpenTransactions(ctx) : [];
  const { from, to } = tickRangeParams(query);
  const wanted = {
    from,
    to,
    chunkSize: options.chunkSize,
    waitMs: secondsParam(query, 'wait', WAIT_MAX_SECONDS),
    includeSystem: booleanParam(query, 'includeSystem', true),
    collection: textParam(query, 'collection'),
    serverId: tickParam(query, 'serverId', 0n),
    shape: options.shape,
    firstRegularTick: isPut ? firstRegularTick(query) : 0n,
    openTransactions: new Set(openTids),
  };
  const barrier = textParam(query, 'barrier');
  if (barrier !== undefined) leader.barriers.noteFollow(database, barrier, wanted.from);
  const page = await whileConnected(ctx, (signal) => leader.follow.read(database, wanted, signal));
  const { active, committedAtMs } = page;
  const headers: Record<string, string> = {
    [Header.lastTick]: page.lastTick.toString(),
    [Header.fromPresent]: String(page.fromPresent),
    [Header.lastScanned]: page.lastScanned.toString(),
  };
  // `wal/tail` has none.
  if (options.shape !== 'wal') headers[Header.active] = String(active);
  if (committedAtMs > 0) headers[Header.committedAt] = String(committedAtMs);
  const { includeSystem, collection = '' } = wanted;
  const request = {
    kind: 'log',
    database: database.name,
    from,
    to,
    includeSystem,
    collection,
  } as const;
  answerPage(ctx, page, request, headers, options);
}

/** @throws ServiceError httpBadParameter for what is no list of ids */
async function readOpenTransactions(ctx: Exchange): Promise<bigint[]> {
  let ids: unknown;
  try {
    ids = parseJson(await readText(ctx, 'httpBadParameter'));
  } catch (cause) {
    if (!isServiceError(cause, 'invalidJson')) throw cause;
    throw new ServiceError('httpBadParameter', 'invalid body value. expecting array', { cause });
  }
  if (!Array.isArray(ids)) {
    throw new ServiceError('httpBadParameter', 'invalid body value. expecting array');
  }
  return ids.map((id: unknown) => {
    const tid = typeof id === 'string' ? parseTick(id) : undefined;
    if (tid !== undefined) return tid;
    throw new ServiceError('httpBadParameter', 'invalid body value. expecting array of ids');
  });
}

/** Real clients send the second name, which real servers do not read (contract 2.6). */
function firstRegularTick(query: Query): Tick {
  return tickParam(query, 'firstRegularTick', tickParam(query, 'firstRegular', 0n));
}
