import { sleep } from '../base/sleep.ts';
import { ERRORS } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { at, listAt, numberAt, textAt, tickAt } from './json.ts';
import type { Connection, ServerClient } from './server-client.ts';
import { counted } from './words.ts';

/** What is known of a server and one of its databases; printed as it is with `-o json`. */
export interface StatusReport {
  readonly endpoint: string;
  readonly database: string;
  readonly role: 'alone' | 'follower' | 'leader' | 'leader and follower';
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
  readonly problems: readonly ProblemReport[];
}

/** The log of changes. */
export interface LogReport {
  readonly running: boolean;
  readonly firstTick: string;
  readonly lastTick: string;
  /** Null where the server does not tell. */
  readonly events: number | null;
  readonly bytes: number | null;
  /** Measured just now; null where it was not. */
  readonly eventsPerSecond: number | null;
  /** How long it takes at this rate until what is written now is the oldest event; null while nothing is written. */
  readonly reachesBackSeconds: number | null;
  /** Followers below this tick must copy anew; "0" for none. */
  readonly holeAt: string;
}

/** Somebody who reads the log. */
export interface ClientReport {
  readonly serverId: string;
  readonly tick: string;
  readonly ticksBehind: number;
  readonly retainedBytes: number;
  readonly lost: boolean;
  /** ISO 8601; null when it never called. */
  readonly lastSeen: string | null;
}

/** Whom a database follows, and how it goes. */
export interface ApplierReport {
  readonly leader: string;
  readonly database: string;
  readonly restriction: string;
  readonly running: boolean;
  readonly phase: string | null;
  readonly since: string | null;
  /** Why it has stopped, or waits. */
  readonly why: string | null;
  readonly message: string | null;
  readonly appliedTick: string | null;
  readonly availableTick: string | null;
  /** Null where it cannot be known. */
  readonly ticksBehind: number | null;
  readonly secondsBehind: number | null;
  /** The server's own words on how fast it goes; null where it has none. */
  readonly following: unknown;
  /** Attempts in a row that found no leader. */
  readonly failedConnects: number;
}

/** Something that is wrong, or was. */
export interface ProblemReport {
  readonly what:
    'writes refused' | 'damage' | 'stopped' | 'waiting' | 'last error' | 'earlier' | 'passed over';
  readonly message: string;
  readonly errorNum: number | null;
  readonly since: string | null;
  readonly cure: string | null;
}

/** What one logger-state tells. */
export type LoggerReport = Pick<StatusReport, 'log' | 'clients' | 'problems'>;

/** What one applier-state tells. */
export type FollowerReport = Pick<StatusReport, 'applier' | 'sync' | 'problems'>;

/** Requests for counts that are under way at a time. */
const COUNTS_AT_A_TIME = 4;
const EDGES = 3;
/** Errors that are over. */
const EARLIER_SHOWN = 3;
/** Shortest time over which the rate of writing is measured. */
const MEASURE_MS = 500;
/** Somebody has stopped it: no error. */
const STOPPED = ERRORS.applierStopped.errorNum;

/** What a report measures rates against. */
export interface Measured {
  readonly atMs: number;
  readonly totalEvents: number;
}

/**
 * Asks a server for all of it.
 * @param before of the report before, where there is one; else it takes half a second to measure a rate
 * @throws as ServerClient
 */
export async function readStatus(
  client: ServerClient,
  { endpoint, database }: Connection,
  before: Measured | undefined,
  signal: AbortSignal,
): Promise<{ readonly report: StatusReport; readonly measured: Measured }> {
  const first = before ?? measure(await client.replication('GET', 'logger-state', signal));
  const [applier, applierConfig, version, list, statistics] = await Promise.all([
    client.replication('GET', 'applier-state', signal),
    client.replication('GET', 'applier-config', signal),
    client.get('/_api/version', signal, { details: true }),
    client.get('/_api/collection', signal, { excludeSystem: true }),
    // Not every user may ask for this, and not every server has it.
    client.get('/_admin/statistics', signal).catch(() => undefined),
  ]);
  // 1.4 and 3.x call the list differently; who speaks both may send it twice.
  const member = at(list, 'collections') === undefined ? 'result' : 'collections';
  const collections = listAt(list, member);
  const documents = await countAll(client, collections, signal);
  await sleep(Math.max(0, first.atMs + MEASURE_MS - performance.now()), signal);
  const logger = await client.replication('GET', 'logger-state', signal);
  const measured = measure(logger);
  const rate =
    Math.max(0, measured.totalEvents - first.totalEvents) /
    Math.max(0.001, (measured.atMs - first.atMs) / 1000);
  const leading = loggerReport(logger, rate);
  const following = followerReport(applier, applierConfig);
  const report: StatusReport = {
    endpoint: endpoint.text,
    database,
    role: roleOf(following.applier !== null, leading.clients.length > 0),
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
    problems: [...leading.problems, ...following.problems],
  };
  return { report, measured };
}

/**
 * Reads a logger-state.
 * @param eventsPerSecond null where it was not measured
 */
export function loggerReport(logger: unknown, eventsPerSecond: number | null): LoggerReport {
  return {
    log: logOf(logger, eventsPerSecond),
    clients: clientsOf(logger),
    problems: storageProblems(logger),
  };
}

/**
 * Reads an applier-state.
 * @param config applier-config, which alone tells what is restricted
 */
export function followerReport(applier: unknown, config: unknown): FollowerReport {
  const leader = textAt(applier, 'endpoint');
  return {
    applier: leader === undefined ? null : applierOf(applier, config, leader),
    sync: syncOf(applier),
    problems: applierProblems(applier),
  };
}

function measure(logger: unknown): Measured {
  return {
    atMs: performance.now(),
    totalEvents: numberAt(logger, 'state', 'totalEvents') ?? 0,
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

function roleOf(isFollower: boolean, isLeader: boolean): StatusReport['role'] {
  if (isFollower) return isLeader ? 'leader and follower' : 'follower';
  return isLeader ? 'leader' : 'alone';
}

function logOf(logger: unknown, eventsPerSecond: number | null): LogReport {
  const events = numberAt(logger, 'state', 'heldEvents') ?? null;
  const isMeasured = events !== null && eventsPerSecond !== null;
  return {
    running: at(logger, 'state', 'running') === true,
    firstTick: textAt(logger, 'state', 'firstTick') ?? '0',
    lastTick: textAt(logger, 'state', 'lastLogTick') ?? '0',
    events,
    bytes: numberAt(logger, 'state', 'heldBytes') ?? null,
    eventsPerSecond,
    reachesBackSeconds:
      isMeasured && events > 0 && eventsPerSecond > 0 ? events / eventsPerSecond : null,
    holeAt: textAt(logger, 'state', 'holeAt') ?? '0',
  };
}

function clientsOf(logger: unknown): ClientReport[] {
  const last = tickAt(logger, 'state', 'lastLogTick') ?? 0n;
  return listAt(logger, 'clients').map((client) => {
    const served = tickAt(client, 'lastServedTick') ?? 0n;
    const from = tickAt(client, 'from') ?? 0n;
    // A client that was sent nothing new is where it asked from.
    const tick = served > from ? served : from;
    return {
      serverId: textAt(client, 'serverId') ?? '?',
      tick: tick.toString(),
      ticksBehind: ticksFrom(tick, last),
      retainedBytes: numberAt(client, 'retainedBytes') ?? 0,
      lost: at(client, 'lost') === true,
      lastSeen: textAt(client, 'time') ?? null,
    };
  });
}

function ticksFrom(tick: Tick, last: Tick): number {
  return last > tick ? Number(last - tick) : 0;
}

function applierOf(applier: unknown, config: unknown, leader: string): ApplierReport {
  const running = at(applier, 'state', 'running') === true;
  const phase = textAt(applier, 'state', 'phase') ?? null;
  const applied = tickAt(applier, 'state', 'lastAppliedContinuousTick');
  const available = tickAt(applier, 'state', 'lastAvailableContinuousTick');
  const failedConnects = numberAt(applier, 'state', 'progress', 'failedConnects') ?? 0;
  // Other servers do not tell of phases, but count.
  const isHeard = running && phase !== 'backoff' && failedConnects === 0;
  const isCurrent = isHeard && at(applier, 'state', 'ticksBehind') !== null;
  const isKnown = isCurrent && applied !== undefined && available !== undefined;
  const ticksBehind = isKnown ? ticksFrom(applied, available) : null;
  const secondsBehind = numberAt(applier, 'state', 'secondsBehind') ?? null;
  return {
    leader,
    database: textAt(applier, 'database') ?? '_system',
    restriction: restrictionOf(config),
    running,
    phase,
    since: textAt(applier, 'state', 'since') ?? null,
    why: whyOf(applier),
    message: textAt(applier, 'state', 'progress', 'message') ?? null,
    appliedTick: applied?.toString() ?? null,
    availableTick: available?.toString() ?? null,
    ticksBehind,
    secondsBehind: ticksBehind === 0 ? 0 : isHeard ? secondsBehind : null,
    following: at(applier, 'state', 'following') ?? null,
    failedConnects,
  };
}

function whyOf(applier: unknown): string | null {
  if (numberAt(applier, 'state', 'whyStopped', 'errorNum') === STOPPED)
    return 'it was told to stop';
  return (
    textAt(applier, 'state', 'whyStopped', 'errorMessage') ??
    textAt(applier, 'state', 'whyWaiting', 'errorMessage') ??
    null
  );
}

/** Which collections are followed, where not all are. */
function restrictionOf(config: unknown): string {
  const type = textAt(config, 'restrictType') ?? '';
  const names = listAt(config, 'restrictCollections').join(', ');
  const restriction = type === 'include' ? `only collections ${names}` : `without ${names}`;
  const system = at(config, 'includeSystem') === false ? ['no system collections'] : [];
  return [...(type === '' ? [] : [restriction]), ...system].join(', ');
}

/** What the server tells of a copy; of one that tells no figures, its words. */
function syncOf(applier: unknown): unknown {
  const sync = at(applier, 'state', 'sync');
  if (sync !== undefined) return sync;
  if (textAt(applier, 'state', 'phase') !== 'syncing') return null;
  const message = textAt(applier, 'state', 'progress', 'message') ?? 'a copy is being made';
  return { message, since: textAt(applier, 'state', 'since') ?? null };
}

function storageProblems(logger: unknown): ProblemReport[] {
  const refused = at(logger, 'state', 'storage', 'writesRefused');
  const damage = at(logger, 'state', 'storage', 'damage');
  return [
    ...(refused === undefined
      ? []
      : [problem('writes refused', textAt(refused, 'message'), numberAt(refused, 'errorNum'))]),
    ...(damage === undefined
      ? []
      : [
          {
            ...problem('damage', damageText(damage), undefined),
            since: textAt(damage, 'since') ?? null,
          },
        ]),
  ];
}

function damageText(damage: unknown): string {
  const count = counted(numberAt(damage, 'count') ?? 0, 'time');
  return `met ${count}, last: ${textAt(damage, 'message') ?? ''}`;
}

/** Of these the first that there is. */
const REASONS = [
  ['whyStopped', 'stopped'],
  ['whyWaiting', 'waiting'],
  ['lastError', 'last error'],
] as const;

function applierProblems(applier: unknown): ProblemReport[] {
  const problems: ProblemReport[] = [];
  for (const [member, what] of REASONS) {
    const reason = at(applier, 'state', member);
    const errorNum = numberAt(reason, 'errorNum') ?? 0;
    if (errorNum === 0 || errorNum === STOPPED) continue;
    const since = textAt(applier, 'state', 'lastError', 'time') ?? null;
    problems.push({ ...problem(what, textAt(reason, 'errorMessage'), errorNum), since });
    break;
  }
  problems.push(...earlierProblems(applier, problems[0]));
  const ignored = at(applier, 'state', 'lastIgnoredError');
  if (ignored === undefined) return problems;
  const count = numberAt(applier, 'state', 'totalIgnoredErrors') ?? 1;
  const tick = textAt(ignored, 'tick') ?? '?';
  const words = `${count} in all, the last at tick ${tick}: ${textAt(ignored, 'errorMessage') ?? ''}`;
  return [...problems, problem('passed over', words, numberAt(ignored, 'errorNum'))];
}

/** The last errors besides the one that is shown as that anyway. */
function earlierProblems(applier: unknown, shown: ProblemReport | undefined): ProblemReport[] {
  const all = listAt(applier, 'state', 'lastErrors');
  const errors = all.filter((error) => numberAt(error, 'errorNum') !== STOPPED);
  const isShown = shown !== undefined && numberAt(errors[0], 'errorNum') === shown.errorNum;
  const earlier = isShown ? errors.slice(1) : errors;
  return earlier.slice(0, EARLIER_SHOWN).map((error) => {
    const count = numberAt(error, 'count') ?? 1;
    const times = count === 1 ? '' : `, ${counted(count, 'time')}`;
    return {
      what: 'earlier',
      message: `${textAt(error, 'errorMessage') ?? ''}${times}`,
      errorNum: numberAt(error, 'errorNum') ?? null,
      since: textAt(error, 'time') ?? null,
      cure: null,
    };
  });
}

function problem(
  what: ProblemReport['what'],
  message: string | undefined,
  errorNum: number | undefined,
): ProblemReport {
  const known = Object.values(ERRORS).find((each) => each.errorNum === errorNum);
  return {
    what,
    message: message ?? '',
    errorNum: errorNum ?? null,
    since: null,
    cure: known?.cure ?? null,
  };
}
