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
  /** Whether the output is a terminal. */
  readonly isTty?: boolean;
  /** Whether the error stream is one. */
  readonly isErrTty?: boolean;
  readonly useColor?: boolean;
  /** Of the terminal. */
  readonly size?: { readonly columns: number; readonly rows: number };
  /** What somebody at the terminal answers to a question; nobody is there when absent. */
  readonly answer?: (question: string, isHidden: boolean) => string | undefined;
  /** In place of the stream that collects the output. */
  readonly stdout?: Writable;
  /** In place of the one that the result is made of, for those who look at it meanwhile. */
  readonly stderr?: CollectingStream;
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
  const { stderr = new CollectingStream() } = options;
  const { isErrTty = false, answer, size } = options;
  const code = await runProgram(
    argv,
    {
      io: {
        stdout: options.stdout ?? stdout,
        stderr: Object.assign(stderr, { isTTY: isErrTty, columns: 200 }),
        isTty: options.isTty ?? false,
        isErrTty,
        useColor: options.useColor ?? true,
        ...(size ? { size: () => size } : {}),
        ...(answer ? { ask: (text, { isHidden }) => Promise.resolve(answer(text, isHidden)) } : {}),
      },
      signal: options.signal ?? new AbortController().signal,
    },
    { version: '9.8.7' },
  );
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** A pipe whose reader is gone. */
export function closedPipe(): Writable {
  const pipe = new Writable({
    write: (_chunk, _encoding, callback) => {
      callback(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    },
  });
  pipe.on('error', () => undefined);
  return pipe;
}
