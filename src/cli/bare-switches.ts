import type { Command } from 'commander';

/**
 * Gives switches such as `--repair [BOOL]` their value where an endpoint stands behind them, which would be taken
 * for it: `verify --repair A B` is `verify --repair=true A B`. What is not such a command line stays as it is.
 */
export function spellOutSwitches(argv: readonly string[], program: Command): string[] {
  const command = commandOf(argv, program);
  // Without arguments there is no other place for an endpoint.
  if (command.registeredArguments.length === 0) return [...argv];
  const switches = command.options.filter(({ optional }) => optional).map(({ long }) => long);
  return argv.map((word, i) => {
    const isBare = switches.includes(word) && argv[i + 1]?.includes('://') === true;
    return isBare ? `${word}=true` : word;
  });
}

/** The command that the first words name; the flags of the program itself have no values. */
export function commandOf(argv: readonly string[], program: Command): Command {
  let command = program;
  for (const word of argv) {
    const next = command.commands.find((each) => each.name() === word);
    if (!next) break;
    command = next;
  }
  return command;
}
