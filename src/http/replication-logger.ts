import type { Leader } from '../leader/leader.ts';
import { Header } from '../protocol/headers.ts';
import {
  booleanParam,
  chunkSizeParam,
  secondsParam,
  textParam,
  tickParam,
  tickRangeParams,
} from '../protocol/params.ts';
import {
  type PageAnswerOptions,
  answerJson,
  answerPage,
  whileConnected,
} from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands, ReplicationRequest } from './replication-dispatch.ts';

/** `chunkSize` of 1.4 (contract 2.6). */
const DEFAULT_CHUNK_SIZE = 16_384;
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
    'logger-follow': { methods: { GET: (request) => follow(leader, options, request) } },
  };
}

async function follow(
  leader: Leader,
  options: PageAnswerOptions,
  { ctx, database, query }: ReplicationRequest,
): Promise<void> {
  const wanted = {
    ...tickRangeParams(query),
    chunkSize: chunkSizeParam(query, DEFAULT_CHUNK_SIZE),
    waitMs: secondsParam(query, 'wait', WAIT_MAX_SECONDS),
    includeSystem: booleanParam(query, 'includeSystem', true),
    collection: textParam(query, 'collection'),
    serverId: tickParam(query, 'serverId', 0n),
  };
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
