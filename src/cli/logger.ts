import type { Command } from 'commander';
import { DEFAULT_LOGGER_CONFIG } from '../model/logger-config.ts';
import {
  addConnectionFlags,
  type CliContext,
  collect,
  type ConnectionFlags,
  connectionOf,
} from './flags.ts';
import { type CliIo, ExitCode, printJson } from './io.ts';
import { type KnownSettings, parseSettings, type SettingValue } from './settings.ts';
import { type Connection, type ServerClient, withServer } from './server-client.ts';

/** What can be done with the logger of a database. */
export type LoggerAction =
  | { readonly verb: 'start' | 'stop' | 'state' }
  /** Shows the settings, after changing those that are given. */
  | { readonly verb: 'config'; readonly settings: Readonly<Record<string, SettingValue>> };

/** What the commands have besides the connection, each some of it. */
interface ActionFlags {
  readonly set?: readonly string[];
}

export interface LoggerOptions {
  readonly server: Connection;
  readonly action: LoggerAction;
}

const SETTINGS: KnownSettings = { ...DEFAULT_LOGGER_CONFIG };

export function addLoggerCommand(program: Command, { io, signal, done }: CliContext): void {
  const logger = program
    .command('logger')
    .description('Start, stop, watch or set up the logger, which writes the log of changes.');
  const add = (command: Command, actionOf: (flags: ActionFlags) => LoggerAction): void => {
    addConnectionFlags(command).action(async (flags: ConnectionFlags & ActionFlags) => {
      const options = { server: connectionOf(flags), action: actionOf(flags) };
      done(await loggerVerb(options, io, signal));
    });
  };
  add(logger.command('start').description('Log changes from now on.'), () => ({ verb: 'start' }));
  add(
    logger
      .command('stop')
      .description(
        'Log no more changes. Followers have to copy everything anew if something is written ' +
          'before the next start.',
      ),
    () => ({ verb: 'stop' }),
  );
  add(
    logger.command('state').description('Show how far the log reaches and who reads it.'),
    () => ({
      verb: 'state',
    }),
  );
  add(
    logger
      .command('config')
      .description('Show the settings, after changing those that are given.')
      .option('--set <KEY=VALUE>', 'Change a setting; may be given several times.', collect, []),
    ({ set = [] }) => ({
      verb: 'config',
      settings: parseSettings(set, SETTINGS),
    }),
  );
}

/** Does it (contract 2.2 to 2.5) and prints the server's answer. */
export async function loggerVerb(
  { server, action }: LoggerOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  return withServer(server, async (client) => {
    await printJson(io, await run(client, action, signal));
    return ExitCode.ok;
  });
}

async function run(
  client: ServerClient,
  action: LoggerAction,
  signal: AbortSignal,
): Promise<unknown> {
  switch (action.verb) {
    case 'start':
      return client.replication('PUT', 'logger-start', signal);
    case 'stop':
      return client.replication('PUT', 'logger-stop', signal);
    case 'state':
      return client.replication('GET', 'logger-state', signal);
    case 'config': {
      const { settings } = action;
      if (Object.keys(settings).length === 0) {
        return client.replication('GET', 'logger-config', signal);
      }
      return client.replication('PUT', 'logger-config', signal, { body: settings });
    }
  }
}
