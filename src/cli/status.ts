import { counted } from '../base/words.ts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { sleep } from '../base/sleep.ts';
import { describeError } from './describe-error.ts';
import {
  addConnectionFlags,
  type CliContext,
  type ConnectionFlags,
  connectionOf,
  parseSeconds,
} from './flags.ts';
import {
  type CliIo,
  ExitCode,
  note,
  OutputClosedError,
  printLines,
  printResult,
  writeOut,
} from './io.ts';
import { type Connection, type ServerClient, withServer } from './server-client.ts';
import type { Room } from './screen.ts';
import { readStatus, type StatusReport } from './status-report.ts';
import { statusScreen } from './status-screen.ts';
import { durationText } from './units.ts';
import { WriteMeter } from './write-meter.ts';

export interface StatusOptions {
  readonly server: Connection;
  /** How long to wait before looking again; once when absent. */
  readonly watchMs?: number;
  /** How far a follower may be behind. */
  readonly maxLagSeconds?: number;
}

interface StatusFlags {
  readonly watch?: number | true;
  readonly maxLag?: number;
}

const WATCH_SECONDS = 2;
const WATCH_SECONDS_MIN = 0.2;
const HOME = '\x1b[H';
/** A line that goes on below would move all others. */
const NO_WRAP = '\x1b[?7l';
const WRAP = '\x1b[?7h';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const CLEAR_SCREEN = '\x1b[2J';

export function addStatusCommand(program: Command, { io, signal, done }: CliContext): void {
  const command = program
    .command('status')
    .description(
      'Show on one screen what a server is, what it logs, who reads that and whom it follows. Ends ' +
        'with 1 when an error has stopped the applier.',
    )
    .addOption(
      new Option(
        '--watch [SECONDS]',
        'Look again and again; every 2 seconds by default.',
      ).argParser(parseWatch),
    )
    .option(
      '--max-lag <SECONDS>',
      'End with 4 when the follower is further behind, or it can not be known how far. A server ' +
        'that follows nobody never is.',
      parseSeconds,
    );
  addConnectionFlags(command).action(async (flags: ConnectionFlags & StatusFlags) => {
    const { watch, maxLag } = flags;
    const options = {
      server: connectionOf(flags),
      ...(watch === undefined ? {} : { watchMs: (watch === true ? WATCH_SECONDS : watch) * 1000 }),
      ...(maxLag === undefined ? {} : { maxLagSeconds: maxLag }),
    };
    done(await statusVerb(options, io, signal));
  });
}

/** Asks for everything and prints it, once or until interrupted. */
export async function statusVerb(
  options: StatusOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  return withServer(options.server, async (client) => {
    if (options.watchMs !== undefined) return watch(client, options, io, signal);
    const report = await readStatus(client, options.server, new WriteMeter(), signal);
    await printResult(io, report);
    await printLines(io, statusScreen(report, io, Date.now()));
    return exitCodeOf(report, options, io);
  });
}

/** Until it is interrupted; a server that does not answer may do so again. */
async function watch(
  client: ServerClient,
  options: StatusOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  let meter = new WriteMeter();
  let exitCode: number = ExitCode.ok;
  const { server, watchMs = 0 } = options;
  if (io.isTty && !io.isJson) await writeOut(io.stdout, CLEAR_SCREEN, signal);
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    try {
      const report = await readStatus(client, server, meter, signal);
      exitCode = lagOf(report, options) === undefined ? failureOf(report) : ExitCode.lag;
      if (io.isJson) await writeOut(io.stdout, `${JSON.stringify(report)}\n`, signal);
      else await draw(statusScreen(report, io, Date.now(), roomOf(io)), io, signal);
    } catch (error) {
      if (error instanceof OutputClosedError) throw error;
      if (isOver()) break;
      meter = new WriteMeter();
      exitCode = ExitCode.failed;
      if (io.isJson) note(io, describeError(error).join(' '));
      else await draw([new Date().toISOString(), ...describeError(error)], io, signal);
    }
    await sleep(watchMs, signal);
  }
  return exitCode;
}

/** What a screen may take of a terminal: the cursor stands below it. */
function roomOf({ isTty, size }: CliIo): Room | undefined {
  if (!isTty || !size) return undefined;
  const { columns, rows } = size();
  return { columns, rows: Math.max(1, rows - 1) };
}

/** Over the screen before, which is not cleared first: that would flicker. */
async function draw(lines: readonly string[], io: CliIo, signal: AbortSignal): Promise<void> {
  if (!io.isTty) {
    await writeOut(io.stdout, `${lines.join('\n')}\n\n`, signal);
    return;
  }
  const shown = lines.slice(0, roomOf(io)?.rows).map((line) => `${line}${CLEAR_LINE}\n`);
  const screen = `${HOME}${NO_WRAP}${shown.join('')}${CLEAR_BELOW}${WRAP}`;
  await writeOut(io.stdout, screen, signal);
}

function exitCodeOf(report: StatusReport, options: StatusOptions, io: CliIo): number {
  const failure = failureOf(report);
  const lag = lagOf(report, options);
  if (lag !== undefined) note(io, lag);
  return lag === undefined ? failure : ExitCode.lag;
}

function failureOf({ applier, unfinishedSync }: StatusReport): number {
  // A copy that was begun and is not made any more is nobody's wish; an applier that runs makes do without it.
  const isUnfinished = unfinishedSync !== null && !applier?.running;
  return applier?.phase === 'failed' || isUnfinished ? ExitCode.failed : ExitCode.ok;
}

/** How the report goes beyond `--max-lag`; undefined when it does not. */
function lagOf({ applier }: StatusReport, { maxLagSeconds }: StatusOptions): string | undefined {
  if (maxLagSeconds === undefined || !applier) return undefined;
  const { secondsBehind, ticksBehind, phase, since } = applier;
  const allowed = `, --max-lag allows ${durationText(maxLagSeconds)}`;
  // Without the leader it is behind by no more than what it has not heard of it, if it was not before.
  const silence =
    phase === 'backoff' && since !== null ? (Date.now() - Date.parse(since)) / 1000 : null;
  const lag = secondsBehind ?? silence;
  if (lag === null) {
    const state = ticksBehind === null ? '' : ` (${counted(ticksBehind, 'tick')})`;
    return `how far it is behind can not be known${state}${allowed}`;
  }
  return lag > maxLagSeconds ? `${durationText(lag)} behind${allowed}` : undefined;
}

/** @throws InvalidArgumentError as `parseSeconds`, and for less than can be looked at */
function parseWatch(value: string): number {
  const seconds = parseSeconds(value);
  if (seconds >= WATCH_SECONDS_MIN) return seconds;
  throw new InvalidArgumentError(`Expected at least ${WATCH_SECONDS_MIN}.`);
}
