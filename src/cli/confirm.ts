import type { Command } from 'commander';
import { type CliIo, UsageError } from './io.ts';

/** The flag of verbs that replace data, or take followers their place. */
export interface YesFlags {
  readonly yes?: boolean;
}

/** Somebody was asked and said no. Ends with `ExitCode.failed`. */
class NotConfirmedError extends Error {
  override readonly name = 'NotConfirmedError';
}

export function addYesFlag(command: Command): Command {
  return command.option('-y, --yes', 'Do it without asking; without a terminal to ask on, a must.');
}

/**
 * Lets somebody decide whether data is replaced, or something else lost, who is told which.
 *
 * @param what a sentence without its full stop: what will be gone
 * @throws UsageError where nobody can be asked and `yes` is not given; Error when the answer is no.
 *   Nothing must have been changed before.
 */
export async function confirmReplacing(
  io: CliIo,
  { yes = false }: YesFlags,
  what: string,
): Promise<void> {
  if (yes) return;
  if (!io.ask) throw nobodyToAsk(what);
  const answer = await io.ask(`${what}. Go on? [y/N] `, { isHidden: false });
  if (/^y(?:es)?$/i.test(answer?.trim() ?? '')) return;
  throw new NotConfirmedError('not confirmed; nothing was changed');
}

/**
 * For a verb that finds out only after long work what it would replace: refuses before that work what
 * `confirmReplacing` would refuse behind it.
 * @throws UsageError where nobody can be asked and `yes` is not given
 */
export function assertCanConfirm(io: CliIo, { yes = false }: YesFlags, what: string): void {
  if (!yes && !io.ask) throw nobodyToAsk(what);
}

function nobodyToAsk(what: string): UsageError {
  return new UsageError(`${what}. There is no terminal to ask on: say --yes to have it done`);
}
