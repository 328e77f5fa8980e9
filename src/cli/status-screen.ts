import { versionTitle } from './server-version.ts';
import type { CliIo } from './io.ts';
import { numberAt, textAt } from './json.ts';
import { type Look, type Paint, paintFor } from './paint.ts';
import { splitMessage } from '../model/error-words.ts';
import { spanWords } from '../model/write-rate.ts';
import type { ApplierReport, FollowerReport } from './applier-report.ts';
import type { ClientReport, LoggerReport, LogReport } from './log-report.ts';
import { type Room, type Section, fittedLines, screenLines } from './screen.ts';
import type { StatusReport } from './status-report.ts';
import { syncLine } from './sync-figures.ts';
import { workLine } from './work-report.ts';
import {
  alignedColumns,
  byteRateText,
  bytesText,
  durationText,
  exactCount,
  rateText,
} from './units.ts';
import { counted, nounFor } from '../base/words.ts';

/** Clients of the log that get a line. */
const CLIENTS_SHOWN = 8;
/** Characters of an entry that an error is about. */
const ENTRY_SHOWN = 200;
/** Behind, keeps. */
const RIGHT: ReadonlySet<number> = new Set([1, 2, 3]);

/** What the phases of an applier that runs are called. */
const PHASE_WORDS: ReadonlyMap<string, string> = new Map([
  ['starting', 'looks for the leader'],
  ['syncing', 'copies the leader'],
  ['tailing', 'follows the leader'],
  ['backoff', 'WAITS, the leader can not be reached'],
  ['stopping', 'is being stopped'],
]);

/** What is told less of where room is short, and what has to be read to its end. */
const FITTING = {
  cut: ['Clients', 'Data', 'Work', 'Log', 'Server', 'Errors'],
  wrapped: new Set(['Role', 'Work', 'Log', 'Clients', 'Applier', 'Errors']),
};

/**
 * The report as lines of a screen.
 * @param nowMs against which `ago` is counted
 * @param room that of a terminal on which it all must fit: less is told then, of errors and state last
 */
export function statusScreen(
  report: StatusReport,
  io: CliIo,
  nowMs: number,
  room?: Room,
): string[] {
  const paint = paintFor(io);
  const sections: Section[] = [
    { ...plain('Server', serverLines(report)), keep: 1 },
    plain('Role', [roleLine(report)]),
    plain('Data', [dataLine(report)]),
    plain('Work', report.works.map(workLine)),
    ...logSections(report, paint, nowMs),
    applierSection(report, paint, nowMs),
    errorSection(report, paint),
  ];
  if (!room) return screenLines(sections, paint);
  return fittedLines(sections, paint, room, FITTING);
}

/** The part of the screen that is about the log. @param nowMs as for `statusScreen` */
export function loggerScreen(report: LoggerReport, io: CliIo, nowMs: number): string[] {
  const paint = paintFor(io);
  return screenLines([...logSections(report, paint, nowMs), errorSection(report, paint)], paint);
}

/** The part of the screen that is about following. @param nowMs as for `statusScreen` */
export function followerScreen(report: FollowerReport, io: CliIo, nowMs: number): string[] {
  const paint = paintFor(io);
  const { applier } = report;
  const sections = [
    plain('Leader', applier ? [leaderText(applier)] : []),
    applierSection(report, paint, nowMs),
    errorSection(report, paint),
  ];
  return screenLines(sections, paint);
}

function logSections({ log, clients }: LoggerReport, paint: Paint, nowMs: number): Section[] {
  return [{ ...plain('Log', logLines(log, paint)), keep: 1 }, clientSection(clients, paint, nowMs)];
}

function applierSection(
  { applier, sync, unfinishedSync }: FollowerReport,
  paint: Paint,
  nowMs: number,
): Section {
  return plain('Applier', [
    ...(unfinishedSync === null ? [] : [paint('yellow', unfinishedWords(unfinishedSync))]),
    ...(applier ? applierLines(applier, paint, nowMs) : []),
    ...(applier || sync !== null ? [] : ['not set up: follows nobody']),
    ...syncLines(sync, nowMs),
  ]);
}

function unfinishedWords(unfinished: unknown): string {
  const id = textAt(unfinished, 'leaderId') ?? 'unknown';
  const done = numberAt(unfinished, 'collectionsDone') ?? 0;
  const all = numberAt(unfinished, 'collectionsExpected') ?? 0;
  return (
    `A COPY OF SERVER ${id} WAS NOT FINISHED (${done} of ${counted(all, 'collection')}): make-follower or sync ` +
    'goes on with it, applier forget removes it'
  );
}

/** All of which is told. */
function plain(label: string, lines: readonly string[]): Section {
  return { label, items: lines.map((line) => [line]) };
}

function serverLines({ endpoint, database, server }: StatusReport): string[] {
  const { ticklog, version, id, upSeconds } = server;
  const versions = versionTitle(version, ticklog ?? undefined);
  const up = upSeconds === null ? '' : `, up ${durationText(upSeconds)}`;
  return [`${endpoint}, database ${database}`, `${versions}, server id ${id}${up}`];
}

function roleLine({ applier, clients, sync }: StatusReport): string {
  const source = textAt(sync, 'endpoint');
  const copying = source === undefined ? 'is being copied to' : `copies ${source}`;
  const roles = [
    ...(applier ? [`follower of ${leaderText(applier)}`] : sync === null ? [] : [copying]),
    ...(clients.length === 0 ? [] : [`leader of ${counted(clients.length, 'client')}`]),
  ];
  return roles.length === 0 ? 'on its own: follows nobody, followed by nobody' : roles.join('; ');
}

function leaderText({ leader, database }: ApplierReport): string {
  return `${leader}, database ${database}`;
}

function dataLine({ data }: StatusReport): string {
  const documents = exactly(data.documents, 'document');
  return `${counted(data.collections, 'collection')} (${data.edgeCollections} of edges), ${documents}`;
}

function logLines(log: LogReport, paint: Paint): string[] {
  const { running, firstTick, lastTick, events, bytes, holeAt } = log;
  const state = running
    ? paint('green', 'running')
    : paint('red', 'STOPPED, changes are not logged');
  const size =
    events === null || bytes === null ? '' : `, ${exactly(events, 'event')}, ${bytesText(bytes)}`;
  const range = firstTick === '0' ? `last tick ${lastTick}` : `ticks ${firstTick} to ${lastTick}`;
  return [
    `${state}; ${range}${size}`,
    ...reachLines(log),
    ...(holeAt === '0' ? [] : [`followers whose position is below tick ${holeAt} must copy anew`]),
  ];
}

function reachLines({ eventsPerSecond, measuredSeconds, reachesBackSeconds }: LogReport): string[] {
  if (eventsPerSecond === null || measuredSeconds === null) return [];
  const span = spanWords(measuredSeconds);
  if (eventsPerSecond === 0) return [`nothing written ${span}`];
  const written = `${rateText(eventsPerSecond)} written ${span}`;
  if (reachesBackSeconds === null) return [written];
  return [`${written}: at this rate it reaches back ${durationText(reachesBackSeconds)}`];
}

function clientSection(clients: readonly ClientReport[], paint: Paint, nowMs: number): Section {
  if (clients.length === 0) return plain('Clients', ['none']);
  // Those that need help are among those that are seen.
  const sorted = [...clients].sort((a, b) => Number(b.lost) - Number(a.lost));
  const shown = sorted.slice(0, CLIENTS_SHOWN);
  const rows = shown.map((client) => [
    client.serverId,
    client.tick,
    client.ticksBehind === 0 ? 'up to date' : exactly(client.ticksBehind, 'tick'),
    client.retainedBytes === 0 ? '-' : bytesText(client.retainedBytes),
    client.lastSeen === null ? 'never' : agoText(client.lastSeen, nowMs),
  ]);
  const [head = '', ...lines] = alignedColumns(
    [['SERVER ID', 'TICK', 'BEHIND', 'LOG KEPT', 'LAST SEEN'], ...rows],
    RIGHT,
  );
  return {
    label: 'Clients',
    head: paint('dim', head),
    items: lines.map((line, i) => [
      shown[i]?.lost === true
        ? `${line}  ${paint('red', 'HAS LOST ITS PLACE, must copy anew')}`
        : line,
    ]),
    leftOut: clients.length - shown.length,
    keep: 1,
  };
}

function applierLines(applier: ApplierReport, paint: Paint, nowMs: number): string[] {
  const { running, phase, since, why, message, nextAttempt, restriction } = applier;
  const [look, words] = stateWords(applier);
  const when = since === null ? '' : ` since ${since} (${elapsedText(since, nowMs)})`;
  const isTold = running && message !== null && phase !== 'tailing';
  return [
    `${paint(look, words)}${when}`,
    ...(why === null ? [] : [`because: ${splitMessage(why).text}`]),
    positionLine(applier),
    ...passedOverLines(applier, paint),
    ...followingLines(applier),
    ...(nextAttempt === null ? (isTold ? [message] : []) : [attemptLine(nextAttempt, nowMs)]),
    ...(restriction === '' ? [] : [restriction]),
  ];
}

/** What it did last is over. */
function attemptLine(nextAttempt: string, nowMs: number): string {
  const seconds = Math.ceil((Date.parse(nextAttempt) - nowMs) / 1000);
  const inTime = seconds > 0 ? ` (in ${durationText(seconds)})` : '';
  return `asks the leader again at ${nextAttempt}${inTime}`;
}

function stateWords({ running, phase, passedOver }: ApplierReport): [Look, string] {
  if (running) {
    const words = PHASE_WORDS.get(phase ?? '') ?? (phase === null ? 'runs' : phase);
    return [phase === 'backoff' || passedOver > 0 ? 'yellow' : 'green', words];
  }
  // Stopping it is nobody's choice while a sync holds its place.
  if (phase === 'syncing') return ['yellow', 'not running during a sync'];
  return ['red', phase === 'failed' ? 'STOPPED by an error' : 'STOPPED'];
}

/** A number with its noun, not rounded. */
function exactly(count: number, noun: string): string {
  return `${exactCount(count)} ${nounFor(count, noun)}`;
}

function positionLine(applier: ApplierReport): string {
  const { appliedTick, availableTick, ticksBehind, secondsBehind, running } = applier;
  if (appliedTick === null) return 'nothing applied yet';
  const applied = `applied up to tick ${appliedTick}`;
  if (availableTick === null) return `${applied}; the leader's is unknown`;
  if (ticksBehind === null) {
    const when = !running
      ? 'when the applier stopped'
      : applier.failedConnects > 0
        ? `before ${counted(applier.failedConnects, 'attempt')} to reach it failed`
        : 'when it answered last';
    return `${applied}; the leader's log was at ${availableTick} ${when}`;
  }
  const seconds = secondsBehind === null ? '' : `, ${durationText(secondsBehind)}`;
  const behind =
    ticksBehind === 0 ? inStepWords(applier) : `${exactly(ticksBehind, 'tick')}${seconds} behind`;
  return `${applied} of ${availableTick}: ${behind}`;
}

/** Who has passed entries over has read all, and does not have all. */
function inStepWords({ passedOver }: ApplierReport): string {
  return passedOver === 0 ? 'up to date' : 'at the end of the log';
}

function passedOverLines({ passedOver }: ApplierReport, paint: Paint): string[] {
  if (passedOver === 0) return [];
  const were = passedOver === 1 ? 'entry was' : 'entries were';
  const words = `${exactCount(passedOver)} ${were} passed over; verify shows what differs`;
  return [paint('yellow', words)];
}

/** How fast it goes, where the server tells. */
function followingLines({ following, ticksBehind }: ApplierReport): string[] {
  const events = numberAt(following, 'eventsPerSecond');
  if (events === undefined || events === 0) return [];
  const bytes = numberAt(following, 'bytesPerSecond') ?? 0;
  const left = numberAt(following, 'secondsLeft') ?? 0;
  const end = left > 0 && ticksBehind !== 0 ? `, caught up in ${durationText(left)}` : '';
  return [`${rateText(events)} applied, ${byteRateText(bytes)}${end}`];
}

/** Whom a sync copies may be another than whom the applier follows; other servers do not tell. */
function syncLines(sync: unknown, nowMs: number): string[] {
  if (sync === null) return [];
  const figures = syncLine(sync);
  const since = textAt(sync, 'since');
  const endpoint = textAt(sync, 'endpoint');
  if (figures !== undefined) {
    const when = since === undefined ? '' : ` since ${since} (${elapsedText(since, nowMs)})`;
    const told =
      endpoint === undefined ? `a sync is under way${when}` : `copying from ${endpoint}${when}`;
    return [`${told}: ${figures}`];
  }
  const message = textAt(sync, 'message') ?? '';
  return [`a sync is under way${since === undefined ? '' : ` since ${since}`}: ${message}`];
}

function errorSection({ problems }: Pick<StatusReport, 'problems'>, paint: Paint): Section {
  if (problems.length === 0) return plain('Errors', ['none']);
  const items = problems.map(({ what, message, errorNum, count, since, cure }) => {
    const details = [
      ...(errorNum === null ? [] : [`error ${errorNum}`]),
      ...(since ? [since] : []),
    ];
    const shown = details.length === 0 ? '' : ` (${details.join(', ')})`;
    const look = PROBLEM_LOOKS.get(what) ?? 'red';
    const { text, entry } = splitMessage(message);
    const times = count === null ? '' : `, ${counted(count, 'time')}`;
    return [
      `${paint(look, PROBLEM_WORDS.get(what) ?? what)}: ${text}${times}${shown}`,
      // What is over has no cure, and is told in a line.
      ...(entry === undefined || cure === null ? [] : [`  the entry: ${startOf(entry)}`]),
      ...(cure === null ? [] : [`  what to do: ${cure}`]),
    ];
  });
  return { label: 'Errors', items, leftOut: 0, keep: 1 };
}

function startOf(entry: string): string {
  return entry.length > ENTRY_SHOWN ? `${entry.slice(0, ENTRY_SHOWN)}…` : entry;
}

/** Of what does not stop anything now. */
const PROBLEM_LOOKS: ReadonlyMap<string, Look> = new Map([
  ['last error', 'yellow'],
  ['passed over', 'yellow'],
  ['earlier', 'dim'],
]);

/** What nobody is to overlook. */
const PROBLEM_WORDS: ReadonlyMap<string, string> = new Map([
  ['writes refused', 'WRITES ARE REFUSED'],
  ['damage', 'DAMAGED'],
]);

function agoText(time: string, nowMs: number): string {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? time : `${elapsedText(time, nowMs)} ago`;
}

/** Times have whole seconds, and clocks differ: what is to come was just now. */
function elapsedText(since: string, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(since)) / 1000));
  return Number.isNaN(seconds) ? '?' : durationText(seconds);
}
