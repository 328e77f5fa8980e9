import { Command, CommanderError, Help, type Option } from 'commander';
import { addApplierCommand } from './applier.ts';
import { addDatabaseCommand } from './database.ts';
import { describeError } from './describe-error.ts';
import { addDumpCommand } from './dump.ts';
import type { CliContext } from './flags.ts';
import { addFollowCommand } from './follow.ts';
import { type CliIo, ExitCode, OutputClosedError, UsageError } from './io.ts';
import { addLoggerCommand } from './logger.ts';
import { addMakeFollowerCommand } from './make-follower.ts';
import { addPromoteCommand } from './promote.ts';
import { addRestoreCommand } from './restore.ts';
import { addStatusCommand } from './status.ts';
import { addSyncCommand } from './sync.ts';
import { addVerifyCommand } from './verify.ts';

/** Adds a command of its own to the program. */
export type AddCommand = (program: Command, context: CliContext) => void;

export interface ProgramDeps {
  readonly io: CliIo;
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
  addFollowCommand,
  addVerifyCommand,
  addPromoteCommand,
  addDumpCommand,
  addRestoreCommand,
  addDatabaseCommand,
];

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
  const program = newProgram(io, version);
  for (const add of [addServe, ...VERBS, addCheck]) add?.(program, { io, signal, done });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return reportFailure(error, io, signal);
  }
}

/** Width of a description below which it is no longer broken between words; the longest flags leave 39. */
const MIN_WIDTH_TO_WRAP = 30;

/** A default that is empty says nothing that the description does not say. */
function describeOption(option: Option): string {
  const fallback: unknown = option.defaultValue;
  const isEmpty = fallback === '' || (Array.isArray(fallback) && fallback.length === 0);
  return isEmpty ? option.description : Help.prototype.optionDescription(option);
}

function newProgram(io: CliIo, version: string): Command {
  return new Command('ticklog')
    .description('A document server whose centre is its replication log, and what drives it.')
    .version(version, '--version', 'Print the version.')
    .helpOption('-h, --help', 'Print this.')
    .helpCommand('help [command]', 'Print what a command does and takes.')
    .showHelpAfterError('(ticklog help COMMAND says more)')
    .configureHelp({ minWidthToWrap: MIN_WIDTH_TO_WRAP, optionDescription: describeOption })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'ticklog: ')),
    });
}

function reportFailure(error: unknown, io: CliIo, signal: AbortSignal): number {
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
  const [message = '', ...more] = describeError(error);
  printProblems(io, [message]);
  for (const line of more) io.stderr.write(`  ${line}\n`);
  return ExitCode.failed;
}

/** Prints what is wrong, a line each. */
export function printProblems(io: CliIo, problems: readonly string[]): void {
  for (const problem of problems) io.stderr.write(`ticklog: ${problem}\n`);
}
