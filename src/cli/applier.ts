import { type Command, Option } from 'commander';
import { DEFAULT_APPLIER_CONFIG } from '../model/applier-config.ts';
import { type Action, addActionVerb } from './action.ts';
import { type CliContext, parseTickFlag } from './flags.ts';
import type { CliIo } from './io.ts';
import { at, textAt } from './json.ts';
import type { ServerClient } from './server-client.ts';
import type { KnownSettings } from './settings.ts';
import { followerReport } from './applier-report.ts';
import { followerScreen } from './status-screen.ts';

/** Those without a default are texts. */
const SETTINGS: KnownSettings = {
  ...DEFAULT_APPLIER_CONFIG,
  ...{ endpoint: '', database: '', username: '', password: '', jwt: '' },
};

/** What can be done with the applier of a database (contract 5); all is answered with its state. */
export function addApplierCommand(program: Command, context: CliContext): void {
  const from = new Option('--from <TICK>', 'Begin after this tick in place of it.');
  const actions: readonly Omit<Action, 'screen'>[] = [
    {
      name: 'start',
      description: 'Follow the leader, from the stored position on.',
      method: 'PUT',
      command: 'applier-start',
      flags: [from.argParser(parseTickFlag)],
    },
    {
      name: 'stop',
      description: 'Stop following, and end a sync of the database.',
      method: 'PUT',
      command: 'applier-stop',
    },
    {
      name: 'state',
      description: 'Show what it does, how far it is behind, and why it has stopped.',
      method: 'GET',
      command: 'applier-state',
    },
    {
      name: 'forget',
      description: 'Stop, and forget the settings and the position.',
      method: 'DELETE',
      command: 'applier-state',
    },
  ];
  addActionVerb(program, context, {
    name: 'applier',
    description: 'Start, stop, watch or set up the applier, which follows a leader.',
    actions: actions.map((action) => ({ ...action, screen: stateLines })),
    config: { command: 'applier-config', settings: SETTINGS, complete: presentDatabase },
  });
}

function stateLines(state: unknown, io: CliIo): string[] {
  return followerScreen(followerReport(state, undefined), io, Date.now());
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
