import type { Command } from 'commander';
import { DEFAULT_APPLIER_CONFIG } from '../model/applier-config.ts';
import type { Tick } from '../model/tick.ts';
import {
  addConnectionFlags,
  type CliContext,
  collect,
  type ConnectionFlags,
  connectionOf,
  parseTickFlag,
} from './flags.ts';
import { type CliIo, ExitCode, printJson } from './io.ts';
import { at, textAt } from './json.ts';
import { type KnownSettings, parseSettings, type SettingValue } from './settings.ts';
import { type Connection, type ServerClient, withServer } from './server-client.ts';

/** What can be done with the applier of a database. */
export type ApplierAction =
  | { readonly verb: 'start'; readonly from?: Tick }
  | { readonly verb: 'stop' | 'state' | 'forget' }
  /** Shows the settings, after changing those that are given. */
  | { readonly verb: 'config'; readonly settings: Readonly<Record<string, SettingValue>> };

/** What the commands have besides the connection, each some of it. */
interface ActionFlags {
  readonly from?: Tick;
  readonly set?: readonly string[];
}

export interface ApplierOptions {
  readonly server: Connection;
  readonly action: ApplierAction;
}

/** Those without a default are texts. */
const SETTINGS: KnownSettings = {
  ...DEFAULT_APPLIER_CONFIG,
  ...{ endpoint: '', database: '', username: '', password: '', jwt: '' },
};

export function addApplierCommand(program: Command, { io, signal, done }: CliContext): void {
  const applier = program
    .command('applier')
    .description('Start, stop, watch or set up the applier, which follows a leader.');
  const add = (command: Command, actionOf: (flags: ActionFlags) => ApplierAction): void => {
    addConnectionFlags(command).action(async (flags: ConnectionFlags & ActionFlags) => {
      const options = { server: connectionOf(flags), action: actionOf(flags) };
      done(await applierVerb(options, io, signal));
    });
  };
  add(
    applier
      .command('start')
      .description('Follow the leader, from the stored position on.')
      .option('--from <TICK>', 'Begin after this tick in place of it.', parseTickFlag),
    ({ from }) => ({ verb: 'start', ...(from === undefined ? {} : { from }) }),
  );
  add(applier.command('stop').description('Stop following.'), () => ({ verb: 'stop' }));
  add(applier.command('state').description('Show what it does.'), () => ({ verb: 'state' }));
  add(
    applier
      .command('config')
      .description('Show the settings, after changing those that are given.')
      .option('--set <KEY=VALUE>', 'Change a setting; may be given several times.', collect, []),
    ({ set = [] }) => ({
      verb: 'config',
      settings: parseSettings(set, SETTINGS),
    }),
  );
  add(
    applier.command('forget').description('Stop, and forget the settings and the position.'),
    () => ({ verb: 'forget' }),
  );
}

/** Does it (contract 5) and prints the server's answer. */
export async function applierVerb(
  { server, action }: ApplierOptions,
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
  action: ApplierAction,
  signal: AbortSignal,
): Promise<unknown> {
  switch (action.verb) {
    case 'start':
      return client.replication('PUT', 'applier-start', signal, { query: { from: action.from } });
    case 'stop':
      return client.replication('PUT', 'applier-stop', signal);
    case 'state':
      return client.replication('GET', 'applier-state', signal);
    case 'forget':
      return client.replication('DELETE', 'applier-state', signal);
    case 'config':
      return configure(client, action.settings, signal);
  }
}

async function configure(
  client: ServerClient,
  settings: Readonly<Record<string, SettingValue>>,
  signal: AbortSignal,
): Promise<unknown> {
  if (Object.keys(settings).length === 0) {
    return client.replication('GET', 'applier-config', signal);
  }
  // A PUT without a database puts the server's own in its place (contract 5.1).
  const present = await presentDatabase(client, signal);
  const body = { ...(present === undefined ? {} : { database: present }), ...settings };
  return client.replication('PUT', 'applier-config', signal, { body });
}

async function presentDatabase(
  client: ServerClient,
  signal: AbortSignal,
): Promise<string | undefined> {
  return textAt(await client.replication('GET', 'applier-config', signal), 'database');
}

/** `running` of an applier-state. */
export function isApplierRunning(state: unknown): boolean {
  return at(state, 'state', 'running') === true;
}
