import type { Restore } from '../leader/restore.ts';
import type { RestoredRevisions } from '../leader/restore-line.ts';
import { type ErrorName, ServiceError } from '../model/errors.ts';
import { type Query, booleanParam, textParam } from '../protocol/params.ts';
import { announcedBytes, bodyPieces, claimMemory } from './body.ts';
import { type Generation, generationOf } from './generation.ts';
import { answerJson } from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands, ReplicationRequest } from './replication-dispatch.ts';

/** What has another status than 500 for 1.4, too: what 1.4 does not know, or has nothing to do with a restore. */
const OWN_STATUS_OF_1: ReadonlySet<ErrorName> = new Set<ErrorName>([
  ...(['readOnly', 'databaseNotFound', 'documentTooLarge', 'badParameter', 'conflict'] as const),
]);
/** What 3.0 has no status for, which then is 500 (contract 1.6). */
const WITHOUT_STATUS_OF_3: ReadonlySet<ErrorName> = new Set<ErrorName>([
  ...(['httpBadParameter', 'invalidJson', 'duplicateName', 'illegalName'] as const),
  ...(['unknownCollectionType', 'unexpectedMarker'] as const),
]);
const DONE = { result: true };

/**
 * The commands that take in dumps and backups (contract 4). Of their parameters `numberOfShards`,
 * `replicationFactor` and `ignoreDistributeShardsLikeErrors` are a cluster's, and `force` has an effect on
 * indexes only: edges may point to collections that do not exist in any case.
 */
export function restoreCommands(restore: Restore): ReplicationCommands {
  return {
    'restore-collection': { methods: { PUT: (request) => restoreCollection(restore, request) } },
    'restore-indexes': { methods: { PUT: (request) => restoreIndexes(restore, request) } },
    'restore-data': { methods: { PUT: (request) => restoreData(restore, request) } },
    'restore-view': {
      methods: {
        PUT: () => {
          throw new ServiceError(
            'notImplemented',
            'this server has no views; restore the collections of the backup without them',
          );
        },
      },
    },
  };
}

async function restoreCollection(
  restore: Restore,
  { ctx, database, query }: ReplicationRequest,
): Promise<void> {
  const body = await readReplicationBody(ctx, 'invalid JSON');
  const options = {
    overwrite: booleanParam(query, 'overwrite', false),
    recycleIds: booleanParam(query, 'recycleIds', false),
  };
  await withStatusOf(generationOf(ctx), () => restore.collection(database, body, options));
  answerJson(ctx, DONE);
}

async function restoreIndexes(
  restore: Restore,
  { ctx, database, query }: ReplicationRequest,
): Promise<void> {
  const body = await readReplicationBody(ctx, 'invalid JSON');
  const options = { force: booleanParam(query, 'force', false) };
  await withStatusOf(generationOf(ctx), () => restore.indexes(database, body, options));
  answerJson(ctx, DONE);
}

async function restoreData(
  restore: Restore,
  { ctx, database, query }: ReplicationRequest,
): Promise<void> {
  const name = textParam(query, 'collection') ?? '';
  const collection = database.find(name);
  if (!collection) {
    const reason = name === '' ? 'not given' : `there is no collection '${name}'`;
    throw new ServiceError('httpBadParameter', `invalid collection parameter: ${reason}`);
  }
  const generation = generationOf(ctx);
  const settings = {
    useEnvelope: booleanParam(query, 'useEnvelope', true),
    revisions: restoredRevisions(generation, query),
    strictTypes: generation === '1.4',
    announcedBytes: announcedBytes(ctx),
    inParts: booleanParam(query, 'inParts', false),
  };
  const { data } = restore;
  const bytes = settings.announcedBytes ?? data.wholeMaxBytes;
  await claimMemory(ctx, Math.min(bytes, data.wholeMaxBytes));
  await withStatusOf(generation, () =>
    data.run(database, collection, bodyPieces(ctx), settings, ctx.state.limits.deadline),
  );
  answerJson(ctx, DONE);
}

/** 1.4 keeps revisions if it is asked to, 3.x unless it is asked not to. */
function restoredRevisions(generation: Generation, query: Query): RestoredRevisions {
  if (booleanParam(query, 'generateNewRevisionIds', false)) return 'new';
  if (generation === '3.x' || booleanParam(query, 'recycleIds', false)) return 'kept';
  return 'by-shape';
}

/** Gives what goes wrong the status that a server of the generation gives it (contract 1.6, 4). */
async function withStatusOf(generation: Generation, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof ServiceError) || error.httpStatus >= 500) throw error;
    const isPlain500 =
      generation === '1.4' ? !OWN_STATUS_OF_1.has(error.kind) : WITHOUT_STATUS_OF_3.has(error.kind);
    if (!isPlain500) throw error;
    const { kind, message, fields } = error;
    throw new ServiceError(kind, message, { cause: error, httpStatus: 500, fields });
  }
}
