import type { Command } from 'commander';
import type { CliIo } from './io.ts';

const SIDES = ['server', 'leader'] as const;

/**
 * Asks for the passwords that a command line leaves open: a user is named and no password is given, in
 * whatever way. Where nobody can be asked the password is empty, as that of a new server's `root` may be.
 *
 * @throws Error when the question is not answered
 */
export async function askPasswords(command: Command, io: CliIo): Promise<void> {
  const { ask } = io;
  if (!ask) return;
  for (const side of SIDES) {
    const username: unknown = command.getOptionValue(`${side}.username`);
    const isGiven =
      command.getOptionValueSource(`${side}.password`) !== 'default' ||
      command.getOptionValue(`${side}.passwordFile`) !== undefined;
    if (typeof username !== 'string' || username === '' || isGiven) continue;
    const question = `Password of ${username} on the ${side}: `;
    const password = await ask(question, { isHidden: true });
    if (password === undefined) throw new Error('no password was given');
    command.setOptionValue(`${side}.password`, password);
  }
}
