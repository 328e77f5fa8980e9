import type { Argument, Command, Option } from 'commander';
import type { QueryValues, ReplicationCommand } from '../protocol/paths.ts';
import { addYesFlag, confirmReplacing, type YesFlags } from './confirm.ts';
import {
  addConnectionFlags,
  type CliContext,
  collect,
  type ConnectionFlags,
  connectionOf,
} from './flags.ts';
import { type CliIo, ExitCode, printLines, printResult } from './io.ts';
import { type Connection, type ServerClient, withServer } from './server-client.ts';
import { type KnownSettings, parseSettings, settingText } from './settings.ts';
import { alignedColumns } from './units.ts';

/** A server's answer as lines for people. */
export type Screen = (answer: unknown, io: CliIo) => readonly string[];

/** A verb with things that can be done, all of them about the database of one server. */
export interface ActionVerb {
  readonly name: string;
  readonly description: string;
  readonly actions: readonly Action[];
  readonly config: ConfigAction;
}

/** One of the things a verb can do with its server, such as `applier start`: a request. */
export interface Action {
  readonly name: string;
  readonly description: string;
  readonly method: 'GET' | 'PUT' | 'DELETE';
  readonly command: ReplicationCommand;
  readonly screen: Screen;
  /** Sent in the query, under their own names. */
  readonly flags?: readonly Option[];
  /** Sent in the query, too, under its name in small letters. */
  readonly argument?: Argument;
  /**
   * What there is to be confirmed before it is done, as a sentence without its full stop; undefined for nothing. It
   * gives the verb `--yes`.
   */
  readonly loss?: (
    client: ServerClient,
    server: Connection,
    signal: AbortSignal,
  ) => Promise<string | undefined>;
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

/** Adds a verb with all that it can do. The answers are printed: for people, or with `-o json` as they are. */
export function addActionVerb(
  program: Command,
  context: CliContext,
  { name, description, actions, config }: ActionVerb,
): void {
  const verb = program.command(name).description(description);
  for (const action of actions) addAction(verb, context, action);
  addConfigAction(verb, context, config);
}

function addAction(parent: Command, context: CliContext, action: Action): void {
  const { name, description, method, command, screen, flags = [], argument, loss } = action;
  const own = parent.command(name).description(description);
  for (const flag of flags) own.addOption(flag);
  if (argument) own.addArgument(argument);
  if (loss) addYesFlag(own);
  run(own, context, screen, async (client, server) => {
    const lost = await loss?.(client, server, context.signal);
    if (lost !== undefined) await confirmReplacing(context.io, own.opts<YesFlags>(), lost);
    const given = own.opts<QueryValues>();
    const names = flags.map((flag) => flag.attributeName());
    const named = argument ? { [argument.name().toLowerCase()]: own.args[0] } : {};
    const query = { ...Object.fromEntries(names.map((each) => [each, given[each]])), ...named };
    return client.replication(method, command, context.signal, { query });
  });
}

/** Adds `config`: shows the settings, after changing those that are given with `--set`. */
function addConfigAction(
  parent: Command,
  context: CliContext,
  { command, settings, complete }: ConfigAction,
): void {
  const { signal } = context;
  const own = parent
    .command('config')
    .description('Show the settings, after changing those that are given.')
    .option('--set <KEY=VALUE>', 'Change a setting; may be given several times.', collect, []);
  run(own, context, settingLines, async (client) => {
    const changes = parseSettings(own.opts<SetFlags>().set ?? [], settings);
    if (Object.keys(changes).length === 0) return client.replication('GET', command, signal);
    const body = { ...(await complete?.(client, signal)), ...changes };
    return client.replication('PUT', command, signal, { body });
  });
}

function run(
  command: Command,
  { io, done }: CliContext,
  screen: Screen,
  ask: (client: ServerClient, server: Connection) => Promise<unknown>,
): void {
  addConnectionFlags(command).action(async () => {
    const server = connectionOf(command.opts<ConnectionFlags>());
    const answer = await withServer(server, (client) => ask(client, server));
    await printResult(io, answer);
    await printLines(io, screen(answer, io));
    done(ExitCode.ok);
  });
}

/** A line a setting, as `--set` takes it. */
function settingLines(settings: unknown): string[] {
  const rows = Object.entries(settings ?? {}).map(([name, value]) => [name, settingText(value)]);
  return alignedColumns([['SETTING', 'VALUE'], ...rows]);
}
