import type { Writable } from 'node:stream';

/** Asks the person at the terminal; undefined when there was no answer (end of input, Ctrl-C). */
export type Ask = (
  question: string,
  options: { readonly isHidden: boolean },
) => Promise<string | undefined>;

/** What the program runs in. */
export interface Surroundings {
  /** Results. */
  readonly stdout: Writable;
  /** Everything that is not the result: progress, questions, failures. */
  readonly stderr: Writable;
  /** Whether `stdout` is a terminal, so that a human reads along. */
  readonly isTty: boolean;
  /** Whether `stderr` is one, where progress can be drawn. */
  readonly isErrTty: boolean;
  /** Whether colours may be used on a terminal. */
  readonly useColor: boolean;
  /** Size of the terminal under `stdout`, as it is now; undefined where there is none. */
  readonly size?: () => { readonly columns: number; readonly rows: number };
  /** Absent where nobody can be asked. */
  readonly ask?: Ask;
}

/** What a verb is given to read from and write to. */
export interface CliIo extends Surroundings {
  /** Whether the result is one JSON value, so that nothing else may be written to `stdout`. */
  readonly isJson: boolean;
  /** Takes results in place of `stdout`: those of one database among several. */
  readonly gather?: (value: unknown) => void;
}

/** What the process ends with. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  /** The command line or the configuration can not be used. */
  usage: 2,
  /** `verify` found a difference, `check` damage. */
  different: 3,
  /** A follower is further behind than `status --max-lag` allows. */
  lag: 4,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** A command line that the parser takes but the verb does not; ends with `ExitCode.usage`. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Nobody reads the output any more, as when `head` has seen enough; no failure, and the end of what only prints. */
export class OutputClosedError extends Error {
  override readonly name = 'OutputClosedError';
}

const CLOSED: ReadonlySet<unknown> = new Set(['EPIPE', 'ERR_STREAM_DESTROYED']);

/**
 * Writes and waits until the system has taken it, so that a slow reader slows the writer. Resolves
 * early when the signal aborts.
 * @throws OutputClosedError when the reader is gone; other errors of the stream as they are.
 */
export function writeOut(
  stream: Writable,
  chunk: string | Buffer,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const settle = (error?: Error | null): void => {
      signal?.removeEventListener('abort', onAbort);
      if (!error) resolve();
      else if ('code' in error && CLOSED.has(error.code)) reject(new OutputClosedError());
      else reject(error);
    };
    const onAbort = (): void => settle();
    signal?.addEventListener('abort', onAbort, { once: true });
    stream.write(chunk, settle);
  });
}

/**
 * Writes lines for people; nothing where the result is JSON. Where nobody reads them any more they are dropped: what a
 * verb does, and what it ends with, does not depend on a reader.
 */
export async function printLines(io: CliIo, lines: readonly string[]): Promise<void> {
  if (io.isJson || lines.length === 0) return;
  await writeToReader(io.stdout, lines.map((line) => `${line}\n`).join(''));
}

/** Writes the result where that is JSON; nothing where people read it as lines. Dropped as by `printLines`. */
export async function printResult(io: CliIo, value: unknown): Promise<void> {
  if (!io.isJson) return;
  if (io.gather) io.gather(value);
  else await writeToReader(io.stdout, `${JSON.stringify(value, null, 2)}\n`);
}

async function writeToReader(stream: Writable, text: string): Promise<void> {
  try {
    await writeOut(stream, text);
  } catch (error) {
    if (!(error instanceof OutputClosedError)) throw error;
  }
}

/** Says something that is not the result. */
export function note(io: CliIo, text: string): void {
  io.stderr.write(`ticklog: ${text}\n`);
}
