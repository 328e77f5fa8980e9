import { type ApplierReport, type FollowerReport, followerReport } from './applier-report.ts';
import { at, listAt, numberAt, textAt } from './json.ts';
import {
  type ClientReport,
  type LoggerReport,
  type LogReport,
  loggerReport,
} from './log-report.ts';
import type { ProblemReport } from './problem-report.ts';
import type { Connection, ServerClient } from './server-client.ts';
import { type WorkReport, workReports } from './work-report.ts';
import type { WriteMeter } from './write-meter.ts';

type Role = 'alone' | 'leader' | Following | `leader and ${Following}`;
/** A server that is being made a follower copies, and has no leader set before that is done. */
type Following = 'follower' | 'copying';

/** What is known of a server and one of its databases; printed as it is with `-o json`. */
export interface StatusReport {
  readonly endpoint: string;
  readonly database: string;
  readonly role: Role;
  readonly server: {
    readonly id: string;
    /** Of ArangoDB, that it claims to be. */
    readonly version: string;
    /** Of ticklog; null for other servers. */
    readonly ticklog: string | null;
    readonly upSeconds: number | null;
  };
  readonly data: {
    readonly collections: number;
    readonly edgeCollections: number;
    readonly documents: number;
  };
  readonly log: LogReport;
  readonly clients: readonly ClientReport[];
  /** Null where no leader is set. */
  readonly applier: ApplierReport | null;
  /** A copy that is being made; the server's own words. */
  readonly sync: unknown;
  /** What a copy that was not finished has left; null where there is none. */
  readonly unfinishedSync: unknown;
  /** What goes over whole collections now. */
  readonly works: readonly WorkReport[];
  readonly problems: readonly ProblemReport[];
}

/** Requests for counts that are under way at a time. */
const COUNTS_AT_A_TIME = 4;
const EDGES = 3;
/**
 * Asks a server for all of it.
 * @param meter that of the reports before, where there are some
 * @throws as ServerClient
 */
export async function readStatus(
  client: ServerClient,
  { endpoint, database }: Connection,
  meter: WriteMeter,
  signal: AbortSignal,
): Promise<StatusReport> {
  const [{ logger, rate }, applier, applierConfig, version, list, statistics, overview] =
    await Promise.all([
      meter.read(client, signal),
      client.replication('GET', 'applier-state', signal),
      client.replication('GET', 'applier-config', signal),
      client.get('/_api/version', signal, { details: true }),
      client.get('/_api/collection', signal, { excludeSystem: true }),
      // Not every user may ask for this, and not every server has it.
      client.get('/_admin/statistics', signal).catch(() => undefined),
      client.get('/_admin/overview', signal).catch(() => undefined),
    ]);
  // 1.4 and 3.x call the list differently; who speaks both may send it twice.
  const member = at(list, 'collections') === undefined ? 'result' : 'collections';
  const collections = listAt(list, member);
  const documents = await countAll(client, collections, signal);
  const leading = loggerReport(logger, rate);
  const following = followerReport(applier, applierConfig);
  return {
    endpoint: endpoint.text,
    database,
    role: roleOf(following, leading),
    server: {
      id: textAt(logger, 'server', 'serverId') ?? 'unknown',
      version: textAt(logger, 'server', 'version') ?? 'unknown',
      ticklog: textAt(version, 'details', 'ticklog') ?? null,
      upSeconds: numberAt(statistics, 'server', 'uptime') ?? null,
    },
    data: {
      collections: collections.length,
      edgeCollections: collections.filter((each) => at(each, 'type') === EDGES).length,
      documents,
    },
    ...leading,
    ...following,
    works: workReports(overview),
    problems: [...leading.problems, ...following.problems],
  };
}

async function countAll(
  client: ServerClient,
  collections: readonly unknown[],
  signal: AbortSignal,
): Promise<number> {
  let documents = 0;
  for (let i = 0; i < collections.length; i += COUNTS_AT_A_TIME) {
    const some = collections.slice(i, i + COUNTS_AT_A_TIME).map((each) => {
      const name = encodeURIComponent(textAt(each, 'name') ?? '');
      return client.get(`/_api/collection/${name}/count`, signal);
    });
    for (const answer of await Promise.all(some)) documents += numberAt(answer, 'count') ?? 0;
  }
  return documents;
}

function roleOf({ applier, sync }: FollowerReport, { clients }: LoggerReport): Role {
  const isLeader = clients.length > 0;
  if (!applier && sync === null) return isLeader ? 'leader' : 'alone';
  const following = applier ? 'follower' : 'copying';
  return isLeader ? `leader and ${following}` : following;
}
