import type { Command } from 'commander';
import { DEFAULT_LOGGER_CONFIG } from '../model/logger-config.ts';
import { addAction, addConfigAction } from './action.ts';
import type { CliContext } from './flags.ts';

/** What can be done with the logger of a database (contract 2.2 to 2.5). */
export function addLoggerCommand(program: Command, context: CliContext): void {
  const logger = program
    .command('logger')
    .description('Start, stop, watch or set up the logger, which writes the log of changes.');
  addAction(logger, context, {
    name: 'start',
    description: 'Log changes from now on.',
    run: (client, _flags, signal) => client.replication('PUT', 'logger-start', signal),
  });
  addAction(logger, context, {
    name: 'stop',
    description:
      'Log no more changes. Followers have to copy everything anew if something is written ' +
      'before the next start.',
    run: (client, _flags, signal) => client.replication('PUT', 'logger-stop', signal),
  });
  addAction(logger, context, {
    name: 'state',
    description: 'Show how far the log reaches and who reads it.',
    run: (client, _flags, signal) => client.replication('GET', 'logger-state', signal),
  });
  addConfigAction(logger, context, {
    command: 'logger-config',
    settings: { ...DEFAULT_LOGGER_CONFIG },
  });
}
