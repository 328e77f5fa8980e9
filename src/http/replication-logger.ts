import type { Leader } from '../leader/leader.ts';
import { openTransactions } from '../leader/open-transactions.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { type Tick, parseTick } from '../model/tick.ts';
import { ContentType, Header } from '../protocol/headers.ts';
import { parseJson } from '../protocol/json-text.ts';
import {
  type Query,
  booleanParam,
  chunkSizeParam,
  secondsParam,
  textParam,
  tickParam,
  tickRangeParams,
} from '../protocol/params.ts';
import { readText } from './body.ts';
import type { Context } from './context.ts';
import { generationOf } from './generation.ts';
import {
  type PageAnswerOptions,
  answerJson,
  answerPage,
  whileConnected,
} from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands, ReplicationRequest } from './replication-dispatch.ts';

/** Longest `wait`, in seconds. */
const WAIT_MAX_SECONDS = 60;

/** The commands about the log (contract 2). */
export function loggerCommands(leader: Leader, options: PageAnswerOptions): ReplicationCommands {
  const { logger } = leader;
  return {
    'logger-start': {
      methods: {
        PUT: async ({ ctx, database }) => {
          await logger.start(database);
          answerJson(ctx, { running: true });
        },
      },
    },
    'logger-stop': {
      methods: {
        PUT: async ({ ctx, database }) => {
          await logger.stop(database);
          answerJson(ctx, { running: false });
        },
      },
    },
    'logger-state': {
      methods: { GET: ({ ctx, database }) => answerJson(ctx, logger.status(database)) },
    },
    'logger-config': {
      methods: {
        GET: ({ ctx, database }) => answerJson(ctx, logger.config(database)),
        PUT: async ({ ctx, database }) => {
          const changes = await readReplicationBody(ctx);
          answerJson(ctx, await logger.configure(database, changes));
        },
      },
    },
    'logger-first-tick': {
      methods: {
        GET: ({ ctx, database }) => answerJson(ctx, { firstTick: logger.firstTick(database) }),
      },
    },
    'logger-tick-ranges': {
      methods: { GET: ({ ctx, database }) => answerJson(ctx, logger.tickRanges(database)) },
    },
    'logger-follow': {
      methods: {
        GET: (request) => follow(leader, options, request, []),
        PUT: async (request) => {
          await follow(leader, options, request, await readOpenTransactions(request.ctx));
        },
      },
    },
    'determine-open-transactions': {
      methods: {
        GET: async ({ ctx, database, query }) => {
          const found = await openTransactions(database.changelog, tickRangeParams(query));
          database.assertAlive();
          ctx.set({
            [Header.fromPresent]: String(found.fromPresent),
            [Header.lastTick]: found.lastTick.toString(),
          });
          ctx.status = 200;
          ctx.set('content-type', ContentType.dump);
          ctx.body = JSON.stringify(found.tids);
        },
      },
    },
  };
}

/**
 * The body of PUT logger-follow: the ids of the transactions whose beginning the client has.
 * @throws ServiceError httpBadParameter
 */
async function readOpenTransactions(ctx: Context): Promise<bigint[]> {
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

async function follow(
  leader: Leader,
  options: PageAnswerOptions,
  { ctx, database, query }: ReplicationRequest,
  openTids: readonly bigint[],
): Promise<void> {
  const shapeOf3 = generationOf(ctx) === '3.x';
  const wanted = {
    ...tickRangeParams(query),
    chunkSize: chunkSizeParam(query, shapeOf3),
    waitMs: secondsParam(query, 'wait', WAIT_MAX_SECONDS),
    includeSystem: booleanParam(query, 'includeSystem', true),
    collection: textParam(query, 'collection'),
    serverId: tickParam(query, 'serverId', 0n),
    shapeOf3,
    firstRegularTick: ctx.method === 'PUT' ? firstRegularTick(query) : 0n,
    openTransactions: new Set(openTids),
  };
  const barrier = textParam(query, 'barrier');
  if (barrier !== undefined) leader.barriers.noteFollow(database, barrier, wanted.from);
  const page = await whileConnected(ctx, (signal) => leader.follow.read(database, wanted, signal));
  answerPage(
    ctx,
    page,
    {
      [Header.lastTick]: page.lastTick.toString(),
      [Header.active]: String(page.active),
      [Header.fromPresent]: String(page.fromPresent),
      [Header.lastScanned]: page.lastScanned.toString(),
      ...(page.committedAtMs > 0 ? { [Header.committedAt]: String(page.committedAtMs) } : {}),
    },
    options,
  );
}

/** Real clients send the second name, which real servers do not read (contract 2.6). */
function firstRegularTick(query: Query): Tick {
  return tickParam(query, 'firstRegularTick', tickParam(query, 'firstRegular', 0n));
}
