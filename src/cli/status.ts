import type { Command } from 'commander';
import { ERRORS } from '../model/errors.ts';
import {
  addConnectionFlags,
  type CliContext,
  type ConnectionFlags,
  connectionOf,
} from './flags.ts';
import { type CliIo, ExitCode, printLines } from './io.ts';
import { at, listAt, numberAt, textAt, tickAt } from './json.ts';
import { type Connection, type ServerClient, withServer } from './server-client.ts';
import { counted } from './words.ts';

export interface StatusOptions {
  readonly server: Connection;
}

/** Requests for counts that are under way at a time. */
const COUNTS_AT_A_TIME = 4;
/** Clients of the log that get a line. */
const CLIENTS_SHOWN = 8;
const EDGES = 3;
const LABEL_WIDTH = 12;

/** The answers that the screen is made of. */
interface Answers {
  readonly logger: unknown;
  readonly applier: unknown;
  readonly applierConfig: unknown;
  readonly version: unknown;
  readonly collections: readonly unknown[];
  /** Documents, in the order of `collections`. */
  readonly counts: readonly number[];
}

export function addStatusCommand(program: Command, { io, signal, done }: CliContext): void {
  const command = program
    .command('status')
    .description('Show on one screen what a server is, what it logs and whom it follows.');
  addConnectionFlags(command).action(async (flags: ConnectionFlags) => {
    done(await statusVerb({ server: connectionOf(flags) }, io, signal));
  });
}

/** Asks for everything and prints it. @returns 1 when an applier was stopped by an error, and not by anyone's wish */
export async function statusVerb(
  { server }: StatusOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  const answers = await withServer(server, (client) => ask(client, signal));
  await printLines(io, [
    labelled(io, 'Server', `${server.endpoint.text}, database ${server.database}`),
    labelled(io, 'Role', roleOf(answers)),
    labelled(io, 'Version', versionOf(answers)),
    labelled(io, 'Collections', collectionsLine(answers)),
    ...section(io, 'Storage', storageLines(answers.logger)),
    ...section(io, 'Logger', loggerLines(answers.logger)),
    ...section(io, 'Clients', clientLines(answers.logger)),
    ...section(io, 'Applier', applierLines(answers)),
  ]);
  const hasFailed = textAt(answers.applier, 'state', 'phase') === 'failed';
  return hasFailed ? ExitCode.failed : ExitCode.ok;
}

async function ask(client: ServerClient, signal: AbortSignal): Promise<Answers> {
  const [logger, applier, applierConfig, version, list] = await Promise.all([
    client.replication('GET', 'logger-state', signal),
    client.replication('GET', 'applier-state', signal),
    client.replication('GET', 'applier-config', signal),
    client.get('/_api/version', signal, { details: true }),
    client.get('/_api/collection', signal, { excludeSystem: true }),
  ]);
  // 1.4 and 3.x call the list differently; who speaks both may send it twice.
  const collections = listAt(
    list,
    at(list, 'collections') === undefined ? 'result' : 'collections',
  );
  const counts: number[] = [];
  for (let i = 0; i < collections.length; i += COUNTS_AT_A_TIME) {
    const some = collections.slice(i, i + COUNTS_AT_A_TIME).map((each) => {
      const name = encodeURIComponent(textAt(each, 'name') ?? '');
      return client.get(`/_api/collection/${name}/count`, signal);
    });
    for (const answer of await Promise.all(some)) counts.push(numberAt(answer, 'count') ?? 0);
  }
  return { logger, applier, applierConfig, version, collections, counts };
}

function labelled(io: CliIo, label: string, text: string): string {
  const padded = label.padEnd(LABEL_WIDTH);
  return (io.isTty && label !== '' ? `\x1b[1m${padded}\x1b[0m` : padded) + text;
}

/** The label stands before the first line only. */
function section(io: CliIo, label: string, lines: readonly string[]): string[] {
  return lines.map((line, i) => labelled(io, i === 0 ? label : '', line));
}

function roleOf({ logger, applier }: Answers): string {
  const clients = listAt(logger, 'clients').length;
  const endpoint = textAt(applier, 'endpoint');
  const roles = [
    ...(endpoint === undefined ? [] : [`follower of ${endpoint}`]),
    ...(clients === 0 ? [] : [`leader of ${counted(clients, 'client')}`]),
  ];
  return roles.length === 0 ? 'on its own: follows nobody, followed by nobody' : roles.join(', ');
}

function versionOf({ logger, version }: Answers): string {
  const spoken = textAt(logger, 'server', 'version') ?? 'unknown';
  const own = textAt(version, 'details', 'ticklog');
  const versions = own === undefined ? spoken : `${own} (speaks ${spoken})`;
  return `${versions}, server id ${textAt(logger, 'server', 'serverId') ?? 'unknown'}`;
}

function collectionsLine({ collections, counts }: Answers): string {
  const edges = collections.filter((each) => at(each, 'type') === EDGES).length;
  const documents = counts.reduce((sum, each) => sum + each, 0);
  return (
    `${counted(collections.length, 'collection')} (${edges} of edges), ` +
    counted(documents, 'document')
  );
}

/** None, while nothing is wrong. */
function storageLines(logger: unknown): string[] {
  const refused = textAt(logger, 'state', 'storage', 'writesRefused', 'message');
  const damage = at(logger, 'state', 'storage', 'damage');
  const met = counted(numberAt(damage, 'count') ?? 0, 'time');
  const since = textAt(damage, 'since') ?? 'now';
  return [
    ...(refused === undefined ? [] : [`WRITES ARE REFUSED: ${refused}`]),
    ...(damage === undefined
      ? []
      : [`DAMAGED: met ${met} since ${since}, last: ${textAt(damage, 'message') ?? ''}`]),
  ];
}

function loggerLines(logger: unknown): string[] {
  const running = at(logger, 'state', 'running') === true;
  const first = tickAt(logger, 'state', 'firstTick') ?? 0n;
  const last = tickAt(logger, 'state', 'lastLogTick') ?? 0n;
  const hole = tickAt(logger, 'state', 'holeAt') ?? 0n;
  const events = numberAt(logger, 'state', 'totalEvents') ?? 0;
  const range = first > 0n ? `ticks ${first} to ${last}` : `last tick ${last}`;
  return [
    `${running ? 'running' : 'STOPPED, changes are not logged'}; ` +
      `${range}; ${counted(events, 'event')} since the start of the server`,
    ...(hole > 0n ? [`followers whose position is below tick ${hole} must copy anew`] : []),
  ];
}

function clientLines(logger: unknown): string[] {
  const clients = listAt(logger, 'clients');
  const last = tickAt(logger, 'state', 'lastLogTick') ?? 0n;
  if (clients.length === 0) return ['none'];
  const lines = clients.slice(0, CLIENTS_SHOWN).map((client) => {
    const served = tickAt(client, 'lastServedTick') ?? 0n;
    const from = tickAt(client, 'from') ?? 0n;
    // A client that was sent nothing new is where it asked from.
    const position = served > from ? served : from;
    const behind = last > position ? `${last - position} ticks behind` : 'up to date';
    const id = textAt(client, 'serverId') ?? '?';
    const kept = numberAt(client, 'retainedBytes') ?? 0;
    const keeps = kept > 0 ? `, ${kept} bytes of log kept for it` : '';
    const lost = at(client, 'lost') === true ? ', has lost its place and must copy anew' : '';
    const seen = `last seen ${textAt(client, 'time') ?? 'never'}`;
    return `${id} at tick ${position}, ${behind}${keeps}${lost}; ${seen}`;
  });
  const more = clients.length - lines.length;
  return more > 0 ? [...lines, `and ${more} more`] : lines;
}

function applierLines({ applier, applierConfig }: Answers): string[] {
  const endpoint = textAt(applier, 'endpoint');
  if (endpoint === undefined) return ['not set up', ...syncLines(applier)];
  const database = textAt(applier, 'database') ?? '_system';
  const running = at(applier, 'state', 'running') === true;
  const phase = textAt(applier, 'state', 'phase');
  const since = textAt(applier, 'state', 'since');
  const isTelling = running && phase !== undefined && since !== undefined;
  const telling = phase === 'backoff' ? 'but the leader can not be reached' : phase;
  const message = textAt(applier, 'state', 'progress', 'message');
  return [
    `${running ? 'running' : stoppedWord(phase)}${isTelling ? `, ${telling} since ${since}` : ''}`,
    ...(running && message !== undefined ? [message] : []),
    ...syncLines(applier),
    `leader ${endpoint}, database ${database}${restrictionOf(applierConfig)}`,
    positionLine(applier),
    ...errorLines(applier),
  ];
}

/** Stopping it is nobody's choice while a sync holds its place. */
function stoppedWord(phase: string | undefined): string {
  return phase === 'syncing' ? 'not running during a sync' : 'STOPPED';
}

/** What a sync does that somebody asked for: nothing is followed meanwhile. */
function syncLines(applier: unknown): string[] {
  const isSync =
    at(applier, 'state', 'running') !== true && textAt(applier, 'state', 'phase') === 'syncing';
  if (!isSync) return [];
  const since = textAt(applier, 'state', 'since') ?? 'an unknown time';
  const message = textAt(applier, 'state', 'progress', 'message');
  return [`a sync runs since ${since}`, ...(message === undefined ? [] : [message])];
}

function positionLine(applier: unknown): string {
  const applied = tickAt(applier, 'state', 'lastAppliedContinuousTick');
  const available = tickAt(applier, 'state', 'lastAvailableContinuousTick');
  if (applied === undefined) return 'nothing applied yet';
  if (available === undefined) return `applied up to tick ${applied}; the leader's is unknown`;
  const unreachable = unreachableOf(applier);
  if (unreachable !== undefined) {
    return `applied up to tick ${applied}; the leader's log was at ${available}${unreachable}`;
  }
  const ticks = available > applied ? available - applied : 0n;
  const seconds = numberAt(applier, 'state', 'secondsBehind');
  const inSeconds = seconds === undefined ? '' : `, ${seconds.toFixed(1)} s`;
  const behind = ticks === 0n ? 'up to date' : `${ticks} ticks${inSeconds} behind`;
  return `applied up to tick ${applied} of ${available}: ${behind}`;
}

/** Why it can not be known how far behind the applier is; undefined when it can. */
function unreachableOf(applier: unknown): string | undefined {
  if (at(applier, 'state', 'running') !== true) return ' when the applier stopped';
  const phase = textAt(applier, 'state', 'phase');
  if (phase === 'backoff') return ' when it answered last';
  // Other servers do not tell of phases, but count.
  const failed = numberAt(applier, 'state', 'progress', 'failedConnects') ?? 0;
  if (failed > 0) return `, and can not be reached: ${counted(failed, 'attempt')} failed`;
  const isCurrent = at(applier, 'state', 'ticksBehind') !== null;
  return isCurrent ? undefined : ', and has not answered since';
}

/** Which collections are followed, where not all are. */
function restrictionOf(applierConfig: unknown): string {
  const type = textAt(applierConfig, 'restrictType') ?? '';
  const names = listAt(applierConfig, 'restrictCollections').join(', ');
  const restriction = type === 'include' ? `, only collections ${names}` : `, without ${names}`;
  const system = at(applierConfig, 'includeSystem') === false ? ', no system collections' : '';
  return (type === '' ? '' : restriction) + system;
}

/** The first of these that there is, with what to do about it. */
const REASONS = [
  ['whyStopped', 'stopped because'],
  ['whyWaiting', 'waiting because'],
  ['lastError', 'last error'],
] as const;

function errorLines(applier: unknown): string[] {
  for (const [member, words] of REASONS) {
    const errorNum = numberAt(applier, 'state', member, 'errorNum') ?? 0;
    if (errorNum === 0) continue;
    const message = textAt(applier, 'state', member, 'errorMessage') ?? '';
    const time = textAt(applier, 'state', 'lastError', 'time');
    const when = time === undefined ? '' : `, ${time}`;
    return [`${words}: ${message} (error ${errorNum}${when})`, ...cureLines(errorNum)];
  }
  return [];
}

function cureLines(errorNum: number): string[] {
  const known = Object.values(ERRORS).find((each) => each.errorNum === errorNum);
  return known ? [`what to do: ${known.cure}`] : [];
}
