import type { Command } from 'commander';
import { refusedAnswer } from '../follower/classify.ts';
import { isApplierRunning } from './applier.ts';
import { databaseNames, inTurn } from './databases-in-turn.ts';
import {
  addConnectionFlags,
  type CliContext,
  type ConnectionFlags,
  connectionOf,
} from './flags.ts';
import { type CliIo, ExitCode, note, printLines, printResult } from './io.ts';
import { at, textAt, tickAt } from './json.ts';
import { type Connection, type ServerClient, withServer } from './server-client.ts';

export interface PromoteOptions {
  /** The follower that becomes a leader. */
  readonly server: Connection;
}

interface AllDatabasesFlags {
  readonly allDatabases?: boolean;
}

/** Statuses by which servers say that they have no such command: from 2.4 on loggers always run. */
const UNKNOWN_COMMAND: ReadonlySet<number> = new Set([400, 404, 405, 501]);

export function addPromoteCommand(program: Command, { io, signal, done }: CliContext): void {
  const command = program
    .command('promote')
    .description(
      'Make a leader of a follower: log what is written, stop the applier, and forget whom it ' +
        'followed, so that everyone may write. Can be repeated.',
    );
  command.option('--all-databases', 'One database after another; not with --server.database.');
  addConnectionFlags(command).action(async (flags: ConnectionFlags & AllDatabasesFlags) => {
    const server = connectionOf(flags);
    if (flags.allDatabases !== true) done(await promoteVerb({ server }, io, signal));
    else {
      const names = await databaseNames(server, signal);
      const promote = (database: string, own: CliIo): Promise<number> =>
        promoteVerb({ server: { ...server, database } }, own, signal);
      done(await inTurn(names, io, promote));
    }
  });
}

/**
 * Promotes a database. The logger is made to run, also after a restart, before anyone may write: the
 * first write already is in the log. Whatever is done already is not done again, so a promotion that
 * was interrupted is completed by another.
 */
export async function promoteVerb(
  { server }: PromoteOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  return withServer(server, async (client) => {
    const name = `${server.endpoint.text}, database ${server.database}`;
    await startLogger(client, name, io, signal);
    await endApplier(client, name, io, signal);
    const { running, lastLogTick } = await loggerState(client, signal);
    if (!running) {
      note(io, `${name}: the logger has stopped again; nothing that is written is logged`);
      return ExitCode.failed;
    }
    const { endpoint, database } = server;
    await printResult(io, { endpoint: endpoint.text, database, running, lastLogTick });
    await printLines(io, [`${name}: is a leader, its log ends at tick ${lastLogTick}`]);
    return ExitCode.ok;
  });
}

async function startLogger(
  client: ServerClient,
  name: string,
  io: CliIo,
  signal: AbortSignal,
): Promise<void> {
  await keepAutoStart(client, name, io, signal);
  if ((await loggerState(client, signal)).running) return;
  await client.replication('PUT', 'logger-start', signal);
  await printLines(io, [`${name}: the logger is started`]);
}

/** Has the logger run after a restart of the server, too. */
async function keepAutoStart(
  client: ServerClient,
  name: string,
  io: CliIo,
  signal: AbortSignal,
): Promise<void> {
  let config: unknown;
  try {
    config = await client.replication('GET', 'logger-config', signal);
  } catch (error) {
    if (UNKNOWN_COMMAND.has(refusedAnswer(error)?.status ?? 0)) return;
    throw error;
  }
  if (at(config, 'autoStart') === true) return;
  await client.replication('PUT', 'logger-config', signal, { body: { autoStart: true } });
  await printLines(io, [`${name}: the logger is set to start with the server`]);
}

async function endApplier(
  client: ServerClient,
  name: string,
  io: CliIo,
  signal: AbortSignal,
): Promise<void> {
  const before = await client.replication('GET', 'applier-state', signal);
  const leader = textAt(before, 'endpoint');
  if (isApplierRunning(before)) {
    await client.replication('PUT', 'applier-stop', signal);
    await printLines(io, [`${name}: the applier is stopped`]);
  }
  if (leader === undefined) {
    await printLines(io, [`${name}: follows nobody`]);
    return;
  }
  const after = await client.replication('GET', 'applier-state', signal);
  await printLines(io, [`${name}: ${positionText(leader, after)}`]);
  await client.replication('DELETE', 'applier-state', signal);
  await printLines(io, [`${name}: follows nobody any more`]);
}

/** How far it came, which nobody can tell afterwards. */
function positionText(leader: string, state: unknown): string {
  const applied = tickAt(state, 'state', 'lastAppliedContinuousTick');
  const available = tickAt(state, 'state', 'lastAvailableContinuousTick');
  if (applied === undefined) return `had replayed nothing of the log of ${leader}`;
  const text = `had replayed the log of ${leader} up to tick ${applied}`;
  if (available === undefined || available <= applied) return text;
  return `${text}, of what was known of it up to tick ${available}`;
}

async function loggerState(
  client: ServerClient,
  signal: AbortSignal,
): Promise<{ running: boolean; lastLogTick: string }> {
  const answer = await client.replication('GET', 'logger-state', signal);
  return {
    running: at(answer, 'state', 'running') === true,
    lastLogTick: textAt(answer, 'state', 'lastLogTick') ?? '0',
  };
}
