import type { Command } from 'commander';
import type { ReplicationCommand } from '../protocol/paths.ts';
import {
  addConnectionFlags,
  type CliContext,
  collect,
  type ConnectionFlags,
  connectionOf,
} from './flags.ts';
import { ExitCode, printJson } from './io.ts';
import { type ServerClient, withServer } from './server-client.ts';
import { type KnownSettings, parseSettings } from './settings.ts';

/** One of the things a command can do with its server, such as `applier start`. */
export interface Action<Flags extends object> {
  readonly name: string;
  readonly description: string;
  /** Adds what it takes besides the connection. */
  readonly addFlags?: (command: Command) => Command;
  /** Sends what the flags ask for; resolves with the server's answer, which is printed. */
  readonly run: (client: ServerClient, flags: Flags, signal: AbortSignal) => Promise<unknown>;
}

/** The settings of something that has its own command in the replication interface. */
export interface ConfigAction {
  readonly command: ReplicationCommand;
  readonly settings: KnownSettings;
  /** What a PUT must have besides what is to be changed. */
  readonly complete?: (client: ServerClient, signal: AbortSignal) => Promise<object>;
}

interface SetFlags {
  readonly set?: readonly string[];
}

/** Adds an action to its command. */
export function addAction<Flags extends object>(
  parent: Command,
  { io, signal, done }: CliContext,
  { name, description, addFlags, run }: Action<Flags>,
): void {
  const command = parent.command(name).description(description);
  addFlags?.(command);
  addConnectionFlags(command).action(async (flags: ConnectionFlags & Flags) => {
    await withServer(connectionOf(flags), async (client) => {
      await printJson(io, await run(client, flags, signal));
    });
    done(ExitCode.ok);
  });
}

/** Adds `config`: shows the settings, after changing those that are given with `--set`. */
export function addConfigAction(
  parent: Command,
  context: CliContext,
  { command, settings, complete }: ConfigAction,
): void {
  addAction(parent, context, {
    name: 'config',
    description: 'Show the settings, after changing those that are given.',
    addFlags: (each) =>
      each.option(
        '--set <KEY=VALUE>',
        'Change a setting; may be given several times.',
        collect,
        [],
      ),
    run: async (client, { set = [] }: SetFlags, signal) => {
      const changes = parseSettings(set, settings);
      if (Object.keys(changes).length === 0) return client.replication('GET', command, signal);
      const body = { ...(await complete?.(client, signal)), ...changes };
      return client.replication('PUT', command, signal, { body });
    },
  });
}
