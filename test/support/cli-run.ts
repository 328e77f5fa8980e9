import { Writable } from 'node:stream';
import { runProgram } from '../../src/cli/program.ts';

/** What a command line has come to. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliRunOptions {
  readonly signal?: AbortSignal;
  readonly isTty?: boolean;
  /** In place of the stream that collects the output. */
  readonly stdout?: Writable;
}

/** A stream that keeps what is written to it. */
export class CollectingStream extends Writable {
  readonly #chunks: Buffer[] = [];

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.#chunks.push(chunk);
    callback();
  }
}

/** Runs a command line in this process, without a server of its own: `serve` is not known to it. */
export async function runCli(
  argv: readonly string[],
  options: CliRunOptions = {},
): Promise<CliResult> {
  const stdout = new CollectingStream();
  const stderr = new CollectingStream();
  const code = await runProgram(
    argv,
    {
      io: { stdout: options.stdout ?? stdout, stderr, isTty: options.isTty ?? false },
      signal: options.signal ?? new AbortController().signal,
    },
    { version: '9.8.7' },
  );
  return { code, stdout: stdout.text, stderr: stderr.text };
}
