import { counted } from '../base/words.ts';
import { Argument, type Command } from 'commander';
import { DEFAULT_LOGGER_CONFIG } from '../model/logger-config.ts';
import { addActionVerb } from './action.ts';
import type { CliContext } from './flags.ts';
import type { CliIo } from './io.ts';
import { at } from './json.ts';
import { loggerReport } from './log-report.ts';
import type { Connection, ServerClient } from './server-client.ts';
import { loggerScreen } from './status-screen.ts';

/** What can be done with the logger of a database (contract 2.2 to 2.5). */
export function addLoggerCommand(program: Command, context: CliContext): void {
  addActionVerb(program, context, {
    name: 'logger',
    description: 'Start, stop, watch or set up the logger, which writes the log of changes.',
    actions: [
      {
        name: 'start',
        description: 'Log changes from now on.',
        method: 'PUT',
        command: 'logger-start',
        screen: runningLines,
      },
      {
        name: 'stop',
        description:
          'Log no more changes. Followers have to copy everything anew if something is written ' +
          'before the next start.',
        method: 'PUT',
        command: 'logger-stop',
        screen: runningLines,
        loss: followersLost,
      },
      {
        name: 'state',
        description: 'Show how far the log reaches and who reads it.',
        method: 'GET',
        command: 'logger-state',
        screen: stateLines,
      },
      {
        name: 'forget',
        description:
          'Forget a client that does not come back, so that nothing of the log is kept for it. One that asks ' +
          'again is known again.',
        method: 'DELETE',
        command: 'logger-state',
        argument: new Argument('<CLIENT>', 'Its server id, as state lists it.'),
        screen: stateLines,
      },
    ],
    config: { command: 'logger-config', settings: { ...DEFAULT_LOGGER_CONFIG } },
  });
}

/** Who loses its place when the logger stops: nobody where it does not run, or nobody reads the log any more. */
async function followersLost(
  client: ServerClient,
  { endpoint, database }: Connection,
  signal: AbortSignal,
): Promise<string | undefined> {
  const answer = await client.replication('GET', 'logger-state', signal);
  const { log, clients } = loggerReport(answer, null);
  const count = clients.filter(({ lost }) => !lost).length;
  if (!log.running || count === 0) return undefined;
  const follow = count === 1 ? 'follows' : 'follow';
  return (
    `${counted(count, 'client')} ${follow} the log of database ${database} of ${endpoint.text} (ticklog logger state ` +
    'lists them), and must copy everything anew once something is written while the logger is stopped'
  );
}

function runningLines(answer: unknown): string[] {
  return [
    at(answer, 'running') === true
      ? 'the logger runs: changes are logged'
      : 'the logger is STOPPED: changes are not logged',
  ];
}

function stateLines(state: unknown, io: CliIo): string[] {
  return loggerScreen(loggerReport(state, null), io, Date.now());
}
