import type { Command } from 'commander';
import type { CliContext } from './flags.ts';
import { type CliIo, ExitCode, printLines, printResult } from './io.ts';
import { ProgressDisplay } from './progress.ts';
import { exactCounted } from './units.ts';

/** What there is to say of a data directory; see `checkDirectory`, which makes it. */
export interface CheckReport {
  readonly findings: readonly { readonly place: string; readonly what: string }[];
  readonly findingsCount: number;
  readonly isComplete: boolean;
  readonly tables: number;
  readonly bytes: number;
  readonly databases: number;
  readonly collections: number;
  readonly documents: number;
  readonly events: number;
}

/** Checks a data directory, and says what is being read. */
export type CheckDirectory = (
  directory: string,
  signal: AbortSignal,
  say: (step: string) => void,
) => Promise<CheckReport>;

const MIB = 1024 * 1024;

/** @param check what does the work: the verbs themselves talk HTTP, and this one reads files */
export function addCheckCommand(
  program: Command,
  { io, signal, done }: CliContext,
  check: CheckDirectory,
): void {
  program
    .command('check')
    .description(
      'Check a data directory whose server is stopped: every byte of its files, and that documents, ' +
        'indexes, counts, logs and positions fit each other. Changes nothing. Ends with 3 when it is damaged.',
    )
    .argument('<DIR>', 'The directory, as serve has it in --database.directory.')
    .option('--no-progress', 'Do not show how far it has come.')
    .action(async (directory: string, { progress }: { readonly progress: boolean }) => {
      let step: string | undefined;
      const display = ProgressDisplay.start(io, progress, () => step);
      let report: CheckReport;
      try {
        report = await check(directory, signal, (each) => (step = each));
      } finally {
        display?.[Symbol.dispose]();
      }
      done(await checkVerb(report, directory, io));
    });
}

async function checkVerb(report: CheckReport, directory: string, io: CliIo): Promise<number> {
  const { findings, findingsCount } = report;
  await printResult(io, { directory, ...report });
  if (findingsCount === 0) {
    await printLines(io, [`whole: ${directory}: ${contentsOf(report)}`]);
    return ExitCode.ok;
  }
  await printLines(
    io,
    findings.map(({ place, what }) => `${place}: ${what}`),
  );
  const more = findingsCount - findings.length;
  await printLines(io, [
    ...(more > 0 ? [`and ${more} more`] : []),
    ...(report.isComplete ? [] : ['what the files hold was not looked at, as they are damaged']),
    `DAMAGED: ${directory}: restore it from a backup, or copy the data anew from another server into an empty directory`,
  ]);
  return ExitCode.different;
}

function contentsOf(report: CheckReport): string {
  return [
    exactCounted(report.databases, 'database'),
    exactCounted(report.collections, 'collection'),
    exactCounted(report.documents, 'document'),
    exactCounted(report.events, 'log event'),
    `${exactCounted(report.tables, 'table')} (${(report.bytes / MIB).toFixed(1)} MiB)`,
  ].join(', ');
}
