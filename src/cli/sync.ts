import type { Command } from 'commander';
import { addCopyVerb, type CopyTask, runSync } from './copy-verb.ts';
import type { CliContext } from './flags.ts';
import { type CliIo, ExitCode, printLines, printResult } from './io.ts';
import { exactCounted } from './units.ts';

export function addSyncCommand(program: Command, context: CliContext): void {
  addCopyVerb(program, context, {
    name: 'sync',
    description:
      'Copy a leader once. Collections that the leader has, too, are replaced when the copy is ' +
      'complete, and those that once came from it and are gone there are dropped; those of ' +
      'this server are kept.',
    follows: false,
    run: sync,
  });
}

/** Has the server copy the leader (contract 3.7) and prints what was copied. */
async function sync(task: CopyTask, io: CliIo, signal: AbortSignal): Promise<number> {
  const { leader } = task;
  const copied = await runSync(task, io, signal);
  const ids = copied.collections.map(({ id }) => id.length);
  const width = Math.max(0, ...ids);
  const { endpoint, database } = leader;
  await printResult(io, { leader: { endpoint, database }, ...copied });
  await printLines(io, [
    ...copied.collections.map(({ id, name }) => `${id.padStart(width)}  ${name}`),
    `copied ${exactCounted(copied.collections.length, 'collection')} from ${leader.endpoint}, ` +
      `database ${leader.database}`,
    `lastLogTick ${copied.lastLogTick}`,
  ]);
  return ExitCode.ok;
}
