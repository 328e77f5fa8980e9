import { type Database, SYSTEM_DATABASE } from '../../src/documents/database.ts';
import {
  type ReplicationCommands,
  replicationDispatch,
} from '../../src/http/replication-dispatch.ts';
import { cursorRoutes, simpleRoutes } from '../../src/http/cursor-routes.ts';
import { leaderCommands } from '../../src/http/replication-leader.ts';
import { restoreCommands } from '../../src/http/replication-restore.ts';
import { walLogRoutes } from '../../src/http/wal-routes.ts';
import { Leader } from '../../src/leader/leader.ts';
import { Restore } from '../../src/leader/restore.ts';
import {
  type Answer as HttpAnswer,
  type TestServer,
  type TestServerOptions,
  openTestServer,
} from './http-server.ts';

export interface Answer extends HttpAnswer {
  /** The body parsed as lines of JSON. */
  readonly lines: Record<string, unknown>[];
}

/** A server with the leader's side of the replication interface. */
export interface LeaderServer extends TestServer {
  readonly leader: Leader;
  /** `_system`. */
  readonly database: Database;
  call(method: string, path: string, body?: string): Promise<Answer>;
  /** GET below `/_api/replication/`. */
  get(command: string): Promise<Answer>;
  /** PUT below `/_api/replication/`. */
  put(command: string, body?: string): Promise<Answer>;
}

export interface LeaderServerOptions extends Omit<TestServerOptions, 'routers'> {
  readonly maxPageBytes?: number;
  readonly pageBudgetBytes?: number;
  readonly stalledAfterMs?: number;
  /** More commands, as a follower adds them. */
  readonly moreCommands?: ReplicationCommands;
}

const MIB = 1024 * 1024;

/** Opens a leader in a directory of its own; loggers do not run before they are started. */
export async function openLeaderServer(options: LeaderServerOptions = {}): Promise<LeaderServer> {
  const made: Leader[] = [];
  const server = await openTestServer({
    ...options,
    routers: (parts) => {
      const leader = new Leader(parts, {
        version: options.version ?? '1.4.3',
        maxPageBytes: options.maxPageBytes ?? 8 * MIB,
        pageBudgetBytes: options.pageBudgetBytes ?? 256 * MIB,
      });
      made.push(leader);
      const { stalledAfterMs, moreCommands, transactionMaxBytes = 64 * MIB } = options;
      const commands = leaderCommands(
        leader,
        stalledAfterMs === undefined ? {} : { stalledAfterMs },
      );
      const restore = new Restore(parts, { transactionMaxBytes });
      return [
        walLogRoutes(leader),
        simpleRoutes(leader),
        cursorRoutes(leader),
        replicationDispatch(commands, restoreCommands(restore), moreCommands ?? {}),
      ];
    },
  });
  const leader = made[0]!;
  const call = async (method: string, path: string, body?: string): Promise<Answer> => {
    const answer = await server.request(method, path, { body });
    return Object.defineProperty(answer, 'lines', {
      get: () => {
        const lines = answer.text.split('\n').slice(0, -1);
        return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      },
    }) as Answer;
  };
  return {
    ...server,
    leader,
    database: server.catalogue.get(SYSTEM_DATABASE),
    call,
    get: (command) => call('GET', `/_api/replication/${command}`),
    put: (command, body) => call('PUT', `/_api/replication/${command}`, body),
    [Symbol.asyncDispose]: async () => {
      await leader.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
