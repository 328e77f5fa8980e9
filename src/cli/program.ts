import { Command, CommanderError, Help, Option } from 'commander';
import { nearestName } from '../base/nearest-name.ts';
import { withoutPassword } from '../base/without-password.ts';
import { addApplierCommand } from './applier.ts';
import { commandOf, spellOutSwitches } from './bare-switches.ts';
import { addDatabaseCommand } from './database.ts';
import { describeError, type FailedCommand } from './describe-error.ts';
import { addDumpCommand } from './dump.ts';
import { parseEndpoint } from '../follower/endpoint.ts';
import { examplesText } from './examples.ts';
import type { CliContext } from './flags.ts';
import { addFollowCommand } from './follow.ts';
import { addInventoryCommand } from './inventory.ts';
import { type CliIo, ExitCode, OutputClosedError, type Surroundings, UsageError } from './io.ts';
import { addLoggerCommand } from './logger.ts';
import { addMakeFollowerCommand } from './make-follower.ts';
import { askPasswords } from './passwords.ts';
import { addPromoteCommand } from './promote.ts';
import { addRestoreCommand } from './restore.ts';
import { addStatusCommand } from './status.ts';
import { addSyncCommand } from './sync.ts';
import { addUserCommand } from './user.ts';
import { addVerifyCommand } from './verify.ts';

/** Adds a command of its own to the program. */
export type AddCommand = (program: Command, context: CliContext) => void;

export interface ProgramDeps {
  readonly io: Surroundings;
  /** Aborted when the process is told to end. */
  readonly signal: AbortSignal;
  /** The command that runs a server, which needs more than the others. */
  readonly addServe?: AddCommand;
  /** The one that checks a data directory, likewise. */
  readonly addCheck?: AddCommand;
}

const VERBS: readonly AddCommand[] = [
  addSyncCommand,
  addMakeFollowerCommand,
  addApplierCommand,
  addLoggerCommand,
  addStatusCommand,
  addInventoryCommand,
  addFollowCommand,
  addVerifyCommand,
  addPromoteCommand,
  addDumpCommand,
  addRestoreCommand,
  addDatabaseCommand,
  addUserCommand,
];

const MORE_HELP = `
Exit codes:
  0  good
  1  failed
  2  wrong usage, or data would be replaced and nobody said --yes
  3  different (verify), damaged (check)
  4  further behind than allowed (status --max-lag)

Results are on standard output, everything else on standard error. Colours and
progress bars are for terminals only; NO_COLOR turns colours off.

The server that a command asks is named with --server.endpoint, or in the
environment as TICKLOG_SERVER_ENDPOINT, which is where serve listens.

Passwords come from a file (--server.password-file), the environment
(TICKLOG_SERVER_PASSWORD), or are asked for when there is a user name and a
terminal.

First steps:
    ticklog serve --database.directory ./leader
    ticklog status
    ticklog help make-follower`;

/**
 * Runs a command line and resolves with what the process is to end with. Failures are printed, none
 * is thrown but broken invariants.
 *
 * @param argv without the names of node and of the script
 * @param version what --version prints
 */
export async function runProgram(
  argv: readonly string[],
  { io, signal, addServe, addCheck }: ProgramDeps,
  { version }: { version: string },
): Promise<number> {
  let exitCode: number = ExitCode.ok;
  const done = (code: number): void => {
    exitCode = code;
  };
  const output = { isJson: false };
  // A copy, but for what changes: the size of the terminal is a function.
  const verbIo: CliIo = Object.assign(output, io);
  const program = buildProgram({ io: verbIo, signal, done }, { addServe, addCheck, version, argv });
  let failed: FailedCommand = {};
  program.hook('preAction', async (_program, command) => {
    const asksDefaultServer = command.getOptionValueSource('server.endpoint') === 'default';
    failed = { restores: command.name() === 'restore', asksDefaultServer };
    output.isJson = command.getOptionValue('output') === 'json';
    await askPasswords(command, verbIo);
  });
  try {
    const words = helpSpelledOut(argv, program);
    await program.parseAsync(spellOutSwitches(words, program), { from: 'user' });
    return exitCode;
  } catch (error) {
    return reportFailure(error, failed, verbIo, signal);
  }
}

/**
 * All commands with their flags, help and examples.
 * @param options.argv the command line, of which it can be told what was probably meant
 */
export function buildProgram(
  context: CliContext,
  options: {
    addServe?: AddCommand | undefined;
    addCheck?: AddCommand | undefined;
    version: string;
    argv?: readonly string[];
  },
): Command {
  const program = newProgram(context.io, options);
  for (const add of [options.addServe, ...VERBS, options.addCheck]) add?.(program, context);
  finishCommands(program, '');
  return program;
}

/** Gives each command its examples, and the flag that says how results are printed. */
function finishCommands(parent: Command, words: string): void {
  for (const command of parent.commands) {
    const name = `${words} ${command.name()}`.trim();
    command.addHelpText('after', examplesText(name));
    if (command.commands.length > 0) finishCommands(command, name);
    else if (name !== 'serve') command.addOption(outputFlag());
  }
}

function outputFlag(): Option {
  return new Option('-o, --output <FORMAT>', 'How the result is printed.')
    .choices(['text', 'json'])
    .default('text');
}

/** Width of a description below which it is no longer broken between words; the longest flags leave 39. */
const MIN_WIDTH_TO_WRAP = 30;

/** A default that is empty says nothing that the description does not say. */
function describeOption(option: Option): string {
  const fallback: unknown = option.defaultValue;
  const isEmpty = fallback === '' || (Array.isArray(fallback) && fallback.length === 0);
  return isEmpty ? option.description : Help.prototype.optionDescription(option);
}

function newProgram(
  io: CliIo,
  { version, argv = [] }: { version: string; argv?: readonly string[] },
): Command {
  const program = new Command('ticklog');
  return program
    .description('A document server whose centre is its replication log, and what drives it.')
    .version(version, '--version', 'Print the version.')
    .helpOption('-h, --help', 'Print this.')
    .helpCommand('help [command...]', 'Print what a command does and takes.')
    .addHelpText('after', MORE_HELP)
    .showHelpAfterError('(ticklog help COMMAND says more)')
    .showSuggestionAfterError(false)
    .configureHelp({ minWidthToWrap: MIN_WIDTH_TO_WRAP, optionDescription: describeOption })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => {
        write(withoutTypedPassword(text).replace(/^error: /, 'ticklog: '));
        const command = commandOf(argv[0] === 'help' ? argv.slice(1) : argv, program);
        const meant = meantBy(text, command);
        if (meant !== undefined) write(`(did you mean ${meant}?)\n`);
        if (ABOUT_ARGUMENTS.test(text)) write(`(expected: ${formOf(command)})\n`);
        if (hasEndpointTooMany(text, command)) write(ENDPOINT_HINT);
      },
    });
}

/** What commander says where arguments are missing, too many, or not what they may be. */
const ABOUT_ARGUMENTS = /^error: (?:missing required argument|too many arguments|command-argument)/;

const ENDPOINT_HINT = '(the server that is asked goes behind --server.endpoint)\n';

/** Whether somebody has named the server as an argument, of a command that has a flag for it. */
function hasEndpointTooMany(text: string, command: Command): boolean {
  if (!text.startsWith('error: too many arguments')) return false;
  const isTaken = command.options.some(({ long }) => long === '--server.endpoint');
  const excess = command.args.slice(command.registeredArguments.length);
  return isTaken && excess.some((word) => parseEndpoint(word) !== undefined);
}

/** A command as it is typed, with its arguments: `ticklog user grant NAME DATABASE RIGHT`. */
function formOf(command: Command): string {
  const words = command.registeredArguments.map((argument) => argument.name());
  for (let each: Command | null = command; each; each = each.parent) words.unshift(each.name());
  return words.join(' ');
}

/** What was probably meant where commander knows no such flag, or command. */
function meantBy(text: string, command: Command): string | undefined {
  const [, flag] = /^error: unknown option '--?([^'=]+)/.exec(text) ?? [];
  if (flag !== undefined) {
    const flags = command.options.flatMap(({ long }) => long?.slice(2) ?? []);
    const near = nearestName(flag, flags);
    return near === undefined ? undefined : `--${near}`;
  }
  const [, word] = /^error: unknown command '([^']+)'/.exec(text) ?? [];
  const names = command.commands.map((each) => each.name());
  return word === undefined ? undefined : nearestName(word, names);
}

/** `help user create` is `user create --help`: commander's own help looks at the first word only. */
function helpSpelledOut(argv: readonly string[], program: Command): readonly string[] {
  const [first, ...words] = argv;
  if (first !== 'help' || words.length < 2 || words.some((word) => word.startsWith('-')))
    return argv;
  const isKnown = commandOf(words, program).name() === words.at(-1);
  // That there is no such command is said as of any.
  return isKnown ? [...words, '--help'] : words;
}

/** What commander repeats of a command line, which may be an endpoint with a password. */
const REPEATED =
  /((?:argument|value) ')([^]*?)(?=' is invalid)|(unknown (?:command|option) ')([^]*)(?=')/;

function withoutTypedPassword(text: string): string {
  return text.replace(
    REPEATED,
    (...[, before, value, unknown, word]: (string | undefined)[]) =>
      `${before ?? unknown ?? ''}${withoutPassword(value ?? word ?? '')}`,
  );
}

function reportFailure(
  error: unknown,
  command: FailedCommand,
  io: CliIo,
  signal: AbortSignal,
): number {
  if (error instanceof OutputClosedError) return ExitCode.ok;
  // Commander has said it all.
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  }
  if (error instanceof UsageError) {
    printProblems(io, error.message.split('\n'));
    return ExitCode.usage;
  }
  if (signal.aborted) {
    printProblems(io, ['interrupted']);
    return ExitCode.failed;
  }
  const [message = '', ...more] = describeError(error, command);
  printProblems(io, [message]);
  for (const line of more) io.stderr.write(`  ${line}\n`);
  return ExitCode.failed;
}

/** Prints what is wrong, a line each. */
export function printProblems(io: CliIo, problems: readonly string[]): void {
  for (const problem of problems) io.stderr.write(`ticklog: ${problem}\n`);
}
