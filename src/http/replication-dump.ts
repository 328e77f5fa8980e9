import type { Leader } from '../leader/leader.ts';
import { ServiceError } from '../model/errors.ts';
import { Header } from '../protocol/headers.ts';
import { booleanParam, chunkSizeParam, textParam, tickRangeParams } from '../protocol/params.ts';
import type { Context } from './context.ts';
import {
  type PageAnswerOptions,
  answerEmpty,
  answerJson,
  answerPage,
  whileConnected,
} from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands, ReplicationRequest } from './replication-dispatch.ts';

/** `chunkSize` of 1.4 (contract 3.4). */
const DEFAULT_CHUNK_SIZE = 16_384;

/** The commands of the dump group (contract 3.1 to 3.4). */
export function dumpCommands(leader: Leader, options: PageAnswerOptions): ReplicationCommands {
  const { batches, logger } = leader;
  return {
    'server-id': { methods: { GET: ({ ctx }) => answerJson(ctx, { serverId: logger.serverId }) } },
    inventory: {
      methods: {
        GET: ({ ctx, database, query }) => {
          const includeSystem = booleanParam(query, 'includeSystem', false);
          answerJson(ctx, leader.inventory(database, { includeSystem }));
        },
      },
    },
    batch: {
      takesId: true,
      methods: {
        POST: async ({ ctx, database }) => {
          answerJson(ctx, { id: await batches.create(database, await readTtl(ctx)) });
        },
        PUT: async ({ ctx, database, more }) => {
          const id = batchId(more);
          batches.extend(database, id, await readTtl(ctx));
          answerEmpty(ctx);
        },
        DELETE: ({ ctx, database, more }) => {
          batches.remove(database, batchId(more));
          answerEmpty(ctx);
        },
      },
    },
    dump: { methods: { GET: (request) => dump(leader, options, request) } },
  };
}

async function dump(
  leader: Leader,
  options: PageAnswerOptions,
  { ctx, database, query }: ReplicationRequest,
): Promise<void> {
  const wanted = {
    ...tickRangeParams(query),
    // Without a name it is an unknown one (contract 0).
    collection: textParam(query, 'collection') ?? '',
    chunkSize: chunkSizeParam(query, DEFAULT_CHUNK_SIZE),
    ticks: booleanParam(query, 'ticks', true),
    translateIds: booleanParam(query, 'translateIds', true),
  };
  const page = await whileConnected(ctx, (signal) => leader.dump.read(database, wanted, signal));
  answerPage(ctx, page, { [Header.deletionsSince]: page.deletionsSince.toString() }, options);
}

async function readTtl(ctx: Context): Promise<unknown> {
  return (await readReplicationBody(ctx, 'invalid JSON'))['ttl'];
}

/** @throws ServiceError methodNotSupported when the path does not have exactly one segment more. */
function batchId(more: readonly string[]): string {
  const [id] = more;
  if (id === undefined || more.length > 1) throw new ServiceError('methodNotSupported');
  return id;
}
