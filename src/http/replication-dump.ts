import type { Database } from '../documents/database.ts';
import type { DumpRequest } from '../leader/dump.ts';
import type { Leader } from '../leader/leader.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { Header } from '../protocol/headers.ts';
import {
  type Query,
  booleanParam,
  chunkSizeParam,
  textParam,
  tickRangeParams,
} from '../protocol/params.ts';
import { TOGETHER_MAX } from '../protocol/together.ts';
import type { Context } from './context.ts';
import { generationOf } from './generation.ts';
import {
  type PageAnswerOptions,
  answerEmpty,
  answerJson,
  answerSummedJson,
  answerPage,
  whileConnected,
} from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands, ReplicationRequest } from './replication-dispatch.ts';

/** The commands of the dump group (contract 3.1 to 3.4). */
export function dumpCommands(leader: Leader, options: PageAnswerOptions): ReplicationCommands {
  const { batches, logger } = leader;
  return {
    'server-id': { methods: { GET: ({ ctx }) => answerJson(ctx, { serverId: logger.serverId }) } },
    inventory: {
      methods: {
        GET: ({ ctx, database, query }) => {
          const shapeOf3 = generationOf(ctx) === '3.x';
          if (shapeOf3) assertServable(leader, database, query);
          const includeSystem = booleanParam(query, 'includeSystem', shapeOf3);
          answerSummedJson(ctx, leader.inventory(database, { includeSystem, shapeOf3 }));
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
          const ttl = await readTtl(ctx);
          knownBatch(ctx, () => batches.extend(database, id, ttl));
          answerEmpty(ctx);
        },
        DELETE: ({ ctx, database, more }) => {
          const id = batchId(more);
          knownBatch(ctx, () => batches.remove(database, id));
          answerEmpty(ctx);
        },
      },
    },
    clusterInventory: {
      methods: {
        GET: () => {
          throw new ServiceError('coordinatorOnly');
        },
      },
    },
    dump: { methods: { GET: (request) => dump(leader, options, request) } },
    'dump-collections': {
      methods: { GET: (request) => dumpCollections(leader, options, request) },
    },
  };
}

/**
 * What 3.x can ask of an inventory besides (contract 3.2): `global=true` would be for all databases at once,
 * and a batch that is named must be open.
 * @throws ServiceError forbidden (403/11) for `global` outside of `_system`, notImplemented in it,
 *   cursorNotFound (404/1600)
 */
function assertServable(leader: Leader, database: Database, query: Query): void {
  if (booleanParam(query, 'global', false)) {
    if (!database.isSystem) throw new ServiceError('forbidden');
    throw new ServiceError(
      'notImplemented',
      'an inventory is of one database; ask in each for its own',
    );
  }
  const batch = textParam(query, 'batchId');
  if (batch !== undefined && !leader.batches.has(database, batch)) {
    throw new ServiceError('cursorNotFound', 'context was not found');
  }
}

/** Of a batch that is unknown 1.4 says 400, and later versions 404 (contract 3.3). */
function knownBatch(ctx: Context, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!isServiceError(error, 'documentNotFound') || generationOf(ctx) === '3.x') throw error;
    throw new ServiceError('documentNotFound', undefined, { httpStatus: 400, cause: error });
  }
}

async function dump(
  leader: Leader,
  options: PageAnswerOptions,
  { ctx, database, query }: ReplicationRequest,
): Promise<void> {
  const isOf3 = generationOf(ctx) === '3.x';
  const collection = textParam(query, 'collection') ?? '';
  // In 1.4 no name is an unknown one (contract 0).
  if (isOf3 && collection === '') {
    throw new ServiceError('httpBadParameter', 'invalid collection parameter');
  }
  const compat28 = booleanParam(query, 'compat28', false);
  const wanted: DumpRequest = {
    ...tickRangeParams(query),
    collection,
    chunkSize: chunkSizeParam(query, isOf3),
    shape: compat28 ? 'compat28' : isOf3 ? '3.x' : 'stored',
    ticks: booleanParam(query, 'ticks', true),
    translateIds: booleanParam(query, 'translateIds', true),
  };
  const page = await whileConnected(ctx, (signal) => leader.dump.read(database, wanted, signal));
  const request = {
    kind: 'dump',
    database: database.name,
    ...wanted,
    includeSystem: true,
  } as const;
  const headers = { [Header.deletionsSince]: page.deletionsSince.toString() };
  answerPage(ctx, page, request, headers, options);
}

/** Several small collections in one answer, for followers of our own kind: lines are as they are stored. */
async function dumpCollections(
  leader: Leader,
  options: PageAnswerOptions,
  { ctx, database, query }: ReplicationRequest,
): Promise<void> {
  const collection = textParam(query, 'collections') ?? '';
  const collections = collection.split(',').filter((name) => name !== '');
  if (collections.length === 0 || collections.length > TOGETHER_MAX) {
    throw new ServiceError(
      'httpBadParameter',
      `'collections' must name 1 to ${TOGETHER_MAX} collections, with commas in between`,
    );
  }
  const { to } = tickRangeParams(query);
  const wanted = { collections, to, chunkSize: chunkSizeParam(query, true) };
  const page = await whileConnected(ctx, (signal) =>
    leader.dumpTogether.read(database, wanted, signal),
  );
  const request = { kind: 'dump-collections', database: database.name, collection } as const;
  answerPage(ctx, page, { ...request, from: 0n, to, includeSystem: true }, {}, options);
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
