import type { Writable } from 'node:stream';

/** Where a verb writes to. */
export interface CliIo {
  /** Results. */
  readonly stdout: Writable;
  /** Everything that is not the result. */
  readonly stderr: Writable;
  /** Whether `stdout` is a terminal, so that a human reads along. */
  readonly isTty: boolean;
}

/** What the process ends with. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  /** The command line or the configuration can not be used. */
  usage: 2,
  /** `verify` found a difference. */
  different: 3,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** A command line that the parser takes but the verb does not; ends with `ExitCode.usage`. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Nobody reads the output any more, as when `head` has seen enough; no failure. */
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

/** Writes lines of a result. @throws as `writeOut` */
export function printLines(io: CliIo, lines: readonly string[]): Promise<void> {
  return writeOut(io.stdout, lines.map((line) => `${line}\n`).join(''));
}

/** Writes a JSON value, for people and programs alike. @throws as `writeOut` */
export function printJson(io: CliIo, value: unknown): Promise<void> {
  return writeOut(io.stdout, `${JSON.stringify(value, null, 2)}\n`);
}

/** Says something that is not the result. */
export function note(io: CliIo, text: string): void {
  io.stderr.write(`ticklog: ${text}\n`);
}
