import type { Leader } from '../leader/leader.ts';
import { openTransactions } from '../leader/open-transactions.ts';
import { ServiceError } from '../model/errors.ts';
import { ContentType, Header } from '../protocol/headers.ts';
import { chunkSizeParam, textParam, tickRangeParams } from '../protocol/params.ts';
import type { Exchange } from './context.ts';
import { generationOf } from './generation.ts';
import { answerFeed, feedFormatOf } from './log-feed.ts';
import { answerLog } from './log-pages.ts';
import { type PageAnswerOptions, answerJson, answerSummedJson } from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands, ReplicationRequest } from './replication-dispatch.ts';

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
      methods: {
        GET: ({ ctx, database }) => answerSummedJson(ctx, logger.status(database)),
        DELETE: (request) => forgetClient(leader, request),
      },
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
        GET: ({ ctx }) => follow(leader, options, ctx),
        PUT: ({ ctx }) => follow(leader, options, ctx),
      },
      hotGet: (exchange) => follow(leader, options, exchange),
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

/** Addition: forgets a client of the log, and answers the state without it. Where none is named there is no such method (contract 1.4). */
async function forgetClient(
  { logger }: Leader,
  { ctx, database, query }: ReplicationRequest,
): Promise<void> {
  const client = textParam(query, 'client');
  if (client === undefined) throw new ServiceError('methodNotSupported');
  await logger.forget(database, client);
  answerSummedJson(ctx, logger.status(database));
}

/** GET, also as a feed where that is what is accepted, and PUT with the ids of transactions whose beginning the client has (contract 2.6). */
async function follow(leader: Leader, options: PageAnswerOptions, ctx: Exchange): Promise<void> {
  const format = ctx.method === 'GET' ? feedFormatOf(ctx.headers.accept) : undefined;
  if (format) {
    await answerFeed(leader, ctx, format, options);
    return;
  }
  const isOf3 = generationOf(ctx) === '3.x';
  await answerLog(leader, ctx, {
    shape: isOf3 ? '3.x' : 'stored',
    chunkSize: chunkSizeParam(ctx.query, isOf3),
    ...options,
  });
}
