import { assert } from '../base/assert.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError } from '../model/errors.ts';
import type { Query } from '../protocol/params.ts';
import { type ApiRouter, type Context, type ExchangeHandler, apiRouter } from './context.ts';
import { generationOf } from './generation.ts';
import { rightOfCommand } from './route-rights.ts';

/** Methods a replication command can have. */
export type ReplicationMethod = 'GET' | 'PUT' | 'POST' | 'DELETE';

/** A request to `/_api/replication/<command>`, as a handler gets it. */
export interface ReplicationRequest {
  readonly ctx: Context;
  /** The database the request addresses. */
  readonly database: Database;
  readonly query: Query;
  /** What stands behind the command in the path, decoded: the id of a batch, mostly nothing. */
  readonly more: readonly string[];
}

/** Answers one request; what it throws becomes the error body. */
export type ReplicationHandler = (request: ReplicationRequest) => Promise<void> | void;

export interface ReplicationCommand {
  /** A handler for each method the command has; every other method is refused. */
  readonly methods: Readonly<Partial<Record<ReplicationMethod, ReplicationHandler>>>;
  /**
   * Set where the command takes an id as a further segment (`batch`): a wrong method is then
   * answered 405 whatever follows the command, and never 601.
   */
  readonly takesId?: boolean;
  /** Answers GET as `methods` does, in front of koa; set where there are very many of them. */
  readonly hotGet?: ExchangeHandler;
}

/** Commands by name. Leader and follower each contribute a table; no name may be in two. */
export type ReplicationCommands = Readonly<Record<string, ReplicationCommand>>;

const PREFIX = '/_api/replication';

/**
 * The one router of everything at and below `/_api/replication`, by the rules of contract 1.4.
 * Requests end with superfluousSuffices (601) without a command, or for a wrong method with more than
 * the command in the path; with httpBadParameter (400) for a command that is in none of the tables;
 * with methodNotSupported (405); or with what the handler throws.
 *
 * @throws InvariantError when two tables have the same command
 */
export function replicationDispatch(...tables: readonly ReplicationCommands[]): ApiRouter {
  const commands = mergeTables(tables);
  const router = apiRouter(PREFIX);
  router.all('{/*path}', async (ctx) => {
    const [name, ...more] = segmentsOf(ctx.path.slice(PREFIX.length));
    if (name === undefined) throw commandExpected();
    const command = commands.get(name);
    if (!command) {
      const shown = generationOf(ctx) === '3.x' ? ` '${name}'` : '';
      throw new ServiceError('httpBadParameter', `invalid command${shown}`);
    }
    ctx.state.route = `${PREFIX}/${name}`;
    const handler = handlerOf(command, ctx.method);
    if (handler) {
      ctx.state.require?.(rightOfCommand(ctx.method, name) ?? 'admin');
      await handler({ ctx, database: ctx.state.database, query: ctx.query, more });
      return;
    }
    if (more.length > 0 && command.takesId !== true) throw commandExpected();
    throw new ServiceError('methodNotSupported');
  });
  const hot = new Map<string, ExchangeHandler>();
  for (const [name, { hotGet }] of commands) if (hotGet) hot.set(`GET ${PREFIX}/${name}`, hotGet);
  return Object.assign(router, { hot });
}

function mergeTables(
  tables: readonly ReplicationCommands[],
): ReadonlyMap<string, ReplicationCommand> {
  const commands = new Map<string, ReplicationCommand>();
  for (const table of tables) {
    for (const [name, command] of Object.entries(table)) {
      assert(!commands.has(name), `replication command ${name} is defined twice`);
      commands.set(name, command);
    }
  }
  return commands;
}

function handlerOf(command: ReplicationCommand, method: string): ReplicationHandler | undefined {
  switch (method) {
    case 'GET':
    case 'PUT':
    case 'POST':
    case 'DELETE':
      return command.methods[method];
    default:
      return undefined;
  }
}

/** Empty segments do not count: `logger-state/` is `logger-state`. */
function segmentsOf(path: string): string[] {
  return path.split('/').flatMap((segment) => (segment === '' ? [] : decoded(segment)));
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    // A stray percent sign: no name has one, so the segment as it came will do for not matching.
    return segment;
  }
}

function commandExpected(): ServiceError {
  return new ServiceError('superfluousSuffices', `expecting URL ${PREFIX}/<command>`);
}
