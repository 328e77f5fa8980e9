import type { ChunkWanted } from '../leader/key-lists.ts';
import type { Leader } from '../leader/leader.ts';
import { ServiceError } from '../model/errors.ts';
import { parseJson } from '../protocol/json-text.ts';
import { type Query, countParam, textParam } from '../protocol/params.ts';
import { readText } from './body.ts';
import { reportWorks } from './detached-request.ts';
import { readKeys, readParts } from './key-parts.ts';
import { answerJson } from './replication-answer.ts';
import type { ReplicationCommands, ReplicationRequest } from './replication-dispatch.ts';
import { sendPieces, sendResult } from './respond.ts';

/** Sizes of chunks; a smaller wish than the smallest gets the default (contract 3.5). */
const CHUNK_SIZE = 5000;
const CHUNK_SIZE_MIN = 100;
const CHUNK_SIZE_MAX = 20_000;
const CHUNK_MAX = 2 ** 32;

/**
 * The command `keys`: followers of 2.7 and later compare collections with it (contract 3.5). The types `sums`,
 * `states` and `documents` are additions: they find out with few bytes which documents differ in any way.
 */
export function keysCommands(leader: Leader): ReplicationCommands {
  return {
    keys: {
      takesId: true,
      methods: {
        POST: (request) => createList(leader, request),
        GET: (request) => sendChunks(leader, request),
        PUT: (request) => sendChunk(leader, request),
        DELETE: ({ ctx, database, more }) => {
          const id = listId(more, 'DELETE');
          leader.keys.remove(database, id);
          sendResult(ctx, 202, { id });
        },
      },
    },
  };
}

async function createList(
  leader: Leader,
  { ctx, database, query }: ReplicationRequest,
): Promise<void> {
  const name = textParam(query, 'collection') ?? '';
  if (name === '') throw new ServiceError('httpBadParameter', 'invalid collection parameter');
  answerJson(ctx, await leader.keys.create(database, database.get(name)));
}

async function sendChunks(
  leader: Leader,
  { ctx, database, query, more }: ReplicationRequest,
): Promise<void> {
  const { deadline } = ctx.state.limits;
  const chunks = leader.keys.chunks(database, listId(more, 'GET'), chunkSize(query));
  await sendPieces(ctx, 200, arrayPieces(textsOf(chunks), deadline));
}

async function sendChunk(
  leader: Leader,
  { ctx, database, query, more }: ReplicationRequest,
): Promise<void> {
  const id = listId(more, 'PUT');
  const wanted: ChunkWanted = {
    chunk: countParam(query, 'chunk', 0, CHUNK_MAX),
    chunkSize: chunkSize(query),
  };
  const text = await readText(ctx);
  switch (textParam(query, 'type')) {
    case 'keys':
      answerJson(ctx, await leader.keys.keys(database, id, wanted));
      return;
    case 'docs': {
      const positions = positionsOf(text);
      const documents = await leader.keys.documents(database, id, wanted, positions);
      await sendPieces(ctx, 200, arrayPieces(documents, ctx.state.limits.deadline));
      return;
    }
    case 'sums':
      reportWorks(ctx, leader.keys.collection(database, id));
      answerJson(
        ctx,
        await leader.keys.sums(database, id, readParts(text), ctx.state.limits.deadline),
      );
      return;
    case 'states': {
      const { deadline } = ctx.state.limits;
      reportWorks(ctx, leader.keys.collection(database, id));
      const states = leader.keys.states(database, id, readParts(text), deadline);
      await sendPieces(ctx, 200, arrayPieces(textsOf(states), deadline));
      return;
    }
    case 'documents': {
      const documents = leader.keys.documentsOf(database, id, readKeys(text));
      await sendPieces(ctx, 200, arrayPieces(documents, ctx.state.limits.deadline));
      return;
    }
    default:
      throw new ServiceError('httpBadParameter', "invalid 'type' value");
  }
}

async function* textsOf(values: AsyncIterable<unknown>): AsyncGenerator<string, void, void> {
  for await (const value of values) yield JSON.stringify(value);
}

async function* arrayPieces(
  documents: AsyncIterable<string>,
  deadline: AbortSignal,
): AsyncGenerator<string, void, void> {
  let before = '[';
  for await (const document of documents) {
    deadline.throwIfAborted();
    yield before + document;
    before = ',';
  }
  yield before === '[' ? '[]' : ']';
}

/** @throws ServiceError invalidJson (600), httpBadParameter, badParameter (10) for what is no position */
function positionsOf(text: string): number[] {
  const value = parseJson(text);
  if (!Array.isArray(value)) throw new ServiceError('httpBadParameter', 'expecting array');
  return value.map((position: unknown) => {
    if (typeof position === 'number' && Number.isSafeInteger(position)) return position;
    throw new ServiceError('badParameter');
  });
}

function chunkSize(query: Query): number {
  const size = countParam(query, 'chunkSize', CHUNK_SIZE, CHUNK_SIZE_MAX);
  return size < CHUNK_SIZE_MIN ? CHUNK_SIZE : size;
}

/** @throws ServiceError httpBadParameter when the path does not have exactly one segment more. */
function listId(more: readonly string[], method: string): string {
  const [id] = more;
  if (id !== undefined && more.length === 1) return id;
  throw new ServiceError(
    'httpBadParameter',
    `expecting ${method} /_api/replication/keys/<keys-id>`,
  );
}
