import { type WriteRate, reachOf } from '../model/write-rate.ts';
import { at, listAt, numberAt, textAt, tickAt, ticksFrom } from './json.ts';
import { type ProblemReport, storageProblems } from './problem-report.ts';

/** The log of changes. */
export interface LogReport {
  readonly running: boolean;
  readonly firstTick: string;
  readonly lastTick: string;
  /** Null where the server does not tell. */
  readonly events: number | null;
  readonly bytes: number | null;
  /** Null where it is not known. */
  readonly eventsPerSecond: number | null;
  /** Of how long `eventsPerSecond` is the average; null as that. */
  readonly measuredSeconds: number | null;
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

/** What one logger-state tells. */
export interface LoggerReport {
  readonly log: LogReport;
  readonly clients: readonly ClientReport[];
  readonly problems: readonly ProblemReport[];
}

/**
 * Reads a logger-state.
 * @param rate of writing; null where it is not known
 */
export function loggerReport(logger: unknown, rate: WriteRate | null): LoggerReport {
  return {
    log: logOf(logger, rate),
    clients: clientsOf(logger),
    problems: storageProblems(logger),
  };
}

function logOf(logger: unknown, rate: WriteRate | null): LogReport {
  const events = numberAt(logger, 'state', 'heldEvents') ?? null;
  return {
    running: at(logger, 'state', 'running') === true,
    firstTick: textAt(logger, 'state', 'firstTick') ?? '0',
    lastTick: textAt(logger, 'state', 'lastLogTick') ?? '0',
    events,
    bytes: numberAt(logger, 'state', 'heldBytes') ?? null,
    eventsPerSecond: rate?.perSecond ?? null,
    measuredSeconds: rate?.seconds ?? null,
    reachesBackSeconds: rate && events !== null ? reachOf(events, rate) : null,
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
