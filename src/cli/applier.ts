import type { Command } from 'commander';
import { DEFAULT_APPLIER_CONFIG } from '../model/applier-config.ts';
import type { Tick } from '../model/tick.ts';
import { addAction, addConfigAction } from './action.ts';
import { type CliContext, parseTickFlag } from './flags.ts';
import { at, textAt } from './json.ts';
import type { ServerClient } from './server-client.ts';
import type { KnownSettings } from './settings.ts';

interface StartFlags {
  readonly from?: Tick;
}

/** Those without a default are texts. */
const SETTINGS: KnownSettings = {
  ...DEFAULT_APPLIER_CONFIG,
  ...{ endpoint: '', database: '', username: '', password: '', jwt: '' },
};

/** What can be done with the applier of a database (contract 5). */
export function addApplierCommand(program: Command, context: CliContext): void {
  const applier = program
    .command('applier')
    .description('Start, stop, watch or set up the applier, which follows a leader.');
  addAction(applier, context, {
    name: 'start',
    description: 'Follow the leader, from the stored position on.',
    addFlags: (command) =>
      command.option('--from <TICK>', 'Begin after this tick in place of it.', parseTickFlag),
    run: (client, { from }: StartFlags, signal) =>
      client.replication('PUT', 'applier-start', signal, { query: { from } }),
  });
  addAction(applier, context, {
    name: 'stop',
    description: 'Stop following, and end a sync of the database.',
    run: (client, _flags, signal) => client.replication('PUT', 'applier-stop', signal),
  });
  addAction(applier, context, {
    name: 'state',
    description: 'Show what it does.',
    run: (client, _flags, signal) => client.replication('GET', 'applier-state', signal),
  });
  addConfigAction(applier, context, {
    command: 'applier-config',
    settings: SETTINGS,
    complete: presentDatabase,
  });
  addAction(applier, context, {
    name: 'forget',
    description: 'Stop, and forget the settings and the position.',
    run: (client, _flags, signal) => client.replication('DELETE', 'applier-state', signal),
  });
}

/** A PUT without a database puts the server's own in its place (contract 5.1). */
async function presentDatabase(
  client: ServerClient,
  signal: AbortSignal,
): Promise<{ database?: string }> {
  const config = await client.replication('GET', 'applier-config', signal);
  const database = textAt(config, 'database');
  return database === undefined ? {} : { database };
}

/** `running` of an applier-state. */
export function isApplierRunning(state: unknown): boolean {
  return at(state, 'state', 'running') === true;
}
