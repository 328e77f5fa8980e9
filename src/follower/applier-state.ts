import { counted } from '../base/words.ts';
import type { Database } from '../documents/database.ts';
import type { ApplierConfig } from '../model/applier-config.ts';
import type { SyncNumbers, UnfinishedSync } from '../model/sync-numbers.ts';
import type { Tick } from '../model/tick.ts';
import { wireTime } from '../protocol/wire-time.ts';
import { type ApplierMachine, isRunning, reasonOf } from './applier-machine.ts';
import type { ApplierProgress } from './applier-progress.ts';
import type { ApplierRunFigures } from './applier-run.ts';
import { type Checkpoint, UNKNOWN_LEADER } from './checkpoint.ts';
import type { ErrorHistory, NotedError, RepeatedError } from './error-history.ts';
import type { InitialSyncer, SyncView } from './initial-syncer.ts';

/** All that the state of an applier is made of. */
export interface ApplierView {
  readonly machine: ApplierMachine;
  readonly config: ApplierConfig;
  readonly progress: ApplierProgress;
  /** As stored; undefined without one. */
  readonly checkpoint: Checkpoint | undefined;
  /** Newest tick looked at, where that is beyond the position: the line that stopped the applier. */
  readonly failedTick: Tick | undefined;
  readonly figures: ApplierRunFigures;
  readonly errors: Pick<ErrorHistory, 'last' | 'all'>;
  readonly nowMs: number;
  readonly server: { readonly version: string; readonly serverId: string };
}

/** The document that applier-state, -start and -stop answer (contract 5.4). */
export interface ApplierStateDocument {
  readonly state: Readonly<Record<string, unknown>> & {
    readonly running: boolean;
    readonly sync?: SyncNumbers;
    readonly unfinishedSync?: UnfinishedSync;
  };
  readonly server: { readonly version: string; readonly serverId: string };
  readonly endpoint?: string;
  readonly database?: string;
}

/**
 * Prints the state: the members of 1.4 in its order, then what 2.4 and later have, then our own:
 * `phase` and `since`, `whyStopped`, when the leader is asked again, how far behind the leader it is, what failed and
 * was passed over, the last errors, the transactions that are open, among them one that is being applied in several
 * batches, and whose log the position is in.
 */
export function applierStateDocument(view: ApplierView): ApplierStateDocument {
  const { machine, config, progress, checkpoint, nowMs } = view;
  const running = isRunning(machine);
  return {
    state: {
      running,
      lastAppliedContinuousTick: tickText(checkpoint?.appliedTick),
      lastProcessedContinuousTick: tickText(view.failedTick ?? checkpoint?.processedTick),
      lastAvailableContinuousTick: tickText(progress.lastAvailableTick),
      progress: {
        time: progress.messageAtMs === 0 ? '' : wireTime(progress.messageAtMs),
        ...(progress.message === undefined ? {} : { message: progress.message }),
        failedConnects: progress.failedConnects,
      },
      totalRequests: progress.totalRequests,
      totalFailedConnects: progress.totalFailedConnects,
      totalEvents: view.figures.events,
      lastError: errorDocument(view.errors.last),
      time: wireTime(nowMs),
      safeResumeTick: tickText(safeResumeTick(checkpoint)),
      totalOperationsExcluded: view.figures.excluded,
      totalResyncs: view.figures.resyncs,
      ...timesDocument(progress),
      ...ignoredDocument(view.figures.ignored),
      phase: machine.phase,
      since: wireTime(machine.sinceMs),
      ...whyDocument(machine),
      ...nextAttemptDocument(machine, progress),
      lastErrors: view.errors.all.map(repeatedDocument),
      ...(running ? behind(view) : {}),
      ...(running && machine.phase !== 'syncing' ? { following: following(view) } : {}),
      openTransactions: openDocuments(checkpoint),
      ...leaderDocument(checkpoint),
    },
    server: view.server,
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    ...(config.database === undefined ? {} : { database: config.database }),
  };
}

/**
 * Shows a sync in numbers, and one that somebody asked for, at rest, also as a phase and a progress message; what
 * it does is no running of the applier.
 */
function withSync(document: ApplierStateDocument, sync: SyncView): ApplierStateDocument {
  if (document.state.running) {
    return { ...document, state: { ...document.state, sync: sync.numbers } };
  }
  const { collections, collectionsDone, documents } = sync.figures;
  const message =
    `sync: ${sync.message} ` +
    `(${collectionsDone} of ${counted(collections, 'collection')} done, ${counted(documents, 'document')} copied)`;
  const progress = { time: wireTime(sync.messageAtMs), message, failedConnects: 0 };
  const since = wireTime(sync.sinceMs);
  const shown = { progress, phase: 'syncing', since, sync: sync.numbers };
  return { ...document, state: { ...document.state, ...shown } };
}

/** Shows the sync that is under way, or what one that was not finished has left (addition to contract 5.4). */
export function withSyncs(
  document: ApplierStateDocument,
  syncer: InitialSyncer,
  database: Database,
): ApplierStateDocument {
  const sync = syncer.view(database);
  if (sync) return withSync(document, sync);
  const unfinishedSync = syncer.unfinished(database);
  return unfinishedSync ? { ...document, state: { ...document.state, unfinishedSync } } : document;
}

/** Where servers of 2.7 and later would have to begin again; here what is open is kept. */
function safeResumeTick(checkpoint: Checkpoint | undefined): Tick | undefined {
  const starts = (checkpoint?.open ?? []).map(({ startTick }) => startTick);
  return starts.reduce(
    (least, tick) => (least === undefined || tick < least ? tick : least),
    checkpoint?.replay?.until ?? checkpoint?.appliedTick,
  );
}

/** In seconds, as 3.8 has them. */
function timesDocument({ times }: ApplierProgress): Record<string, unknown> {
  const { fetch, apply } = times;
  const average = ({ count, ms }: typeof fetch): number => (count === 0 ? 0 : ms / count / 1000);
  return {
    totalFetchTime: fetch.ms / 1000,
    averageFetchTime: average(fetch),
    totalApplyTime: apply.ms / 1000,
    averageApplyTime: average(apply),
  };
}

function ignoredDocument({ count, last }: ApplierRunFigures['ignored']): Record<string, unknown> {
  return {
    totalIgnoredErrors: count,
    ...(last === undefined
      ? {}
      : {
          lastIgnoredError: {
            tick: last.tick.toString(),
            errorNum: last.error.errorNum,
            errorMessage: last.error.message,
          },
        }),
  };
}

/** How far behind: null where it cannot be known, as the ticks while the leader does not answer. */
function behind(view: ApplierView): Record<string, unknown> {
  const { behindMs } = view.progress;
  return {
    ticksBehind: ticksBehind(view),
    secondsBehind: behindMs === undefined ? null : behindMs / 1000,
  };
}

function ticksBehind({ progress, checkpoint }: ApplierView): number | null {
  const { isCurrent, lastAvailableTick } = progress;
  const applied = checkpoint?.appliedTick ?? 0n;
  const ticks = lastAvailableTick > applied ? lastAvailableTick - applied : 0n;
  return isCurrent && lastAvailableTick > 0n ? Number(ticks) : null;
}

/** How fast the log is applied, and when its end will be reached. */
function following(view: ApplierView): Record<string, unknown> {
  const { rates } = view.progress;
  const ticks = ticksBehind(view);
  const secondsLeft = ticks === null ? null : rates.secondsLeft(ticks);
  return {
    eventsPerSecond: toTenth(rates.eventsPerSecond),
    bytesPerSecond: toTenth(rates.bytesPerSecond),
    secondsLeft: secondsLeft === null ? null : toTenth(secondsLeft),
  };
}

function toTenth(value: number): number {
  return Math.round(value * 10) / 10;
}

function whyDocument(machine: ApplierMachine): Record<string, unknown> {
  const why = reasonOf(machine);
  if (why === undefined) return {};
  const document = { errorNum: why.errorNum, errorMessage: why.message };
  return machine.phase === 'backoff' ? { whyWaiting: document } : { whyStopped: document };
}

/** Absent while the leader is being asked. */
function nextAttemptDocument(
  { phase }: ApplierMachine,
  { nextAttemptAtMs }: ApplierProgress,
): Record<string, unknown> {
  if (phase !== 'backoff' || nextAttemptAtMs === undefined) return {};
  return { nextAttempt: wireTime(nextAttemptAtMs) };
}

function openDocuments(checkpoint: Checkpoint | undefined): Record<string, unknown>[] {
  return (checkpoint?.open ?? []).map(({ tid, startTick, lines, bytes, appliedLines }) => ({
    tid,
    startTick: startTick.toString(),
    stagedLines: lines,
    stagedBytes: bytes,
    appliedLines,
  }));
}

function repeatedDocument(error: RepeatedError): object {
  const { atMs, firstAtMs, count, tick, ignored = false, ...why } = error;
  return {
    time: wireTime(atMs),
    ...{ errorNum: why.errorNum, errorMessage: why.message },
    ...(tick === undefined ? {} : { tick: tick.toString() }),
    ...(count === 1 ? {} : { count, firstTime: wireTime(firstAtMs) }),
    ...(ignored ? { ignored } : {}),
  };
}

function errorDocument(error: NotedError | undefined): Record<string, unknown> {
  if (error === undefined) return { errorNum: 0 };
  return { time: wireTime(error.atMs), errorMessage: error.message, errorNum: error.errorNum };
}

function leaderDocument(checkpoint: Checkpoint | undefined): Record<string, unknown> {
  const { leaderId = UNKNOWN_LEADER } = checkpoint ?? {};
  return leaderId === UNKNOWN_LEADER ? {} : { leaderId };
}

/** A tick that is 0 or unknown is null (contract 5.4). */
function tickText(tick: Tick | undefined): string | null {
  return tick === undefined || tick === 0n ? null : tick.toString();
}
