import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL('failing-io.c', import.meta.url));

/** Lets writes of a server to its data fail with an I/O error, from outside of it. */
export class FailingIo {
  /** What the server must be started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly #control: string;

  private constructor(env: Readonly<Record<string, string>>, control: string) {
    this.env = env;
    this.#control = control;
  }

  /**
   * @param directory for the compiled library
   * @param below whose files are to fail
   * @returns why there is none, when it cannot be compiled
   */
  static async build(directory: string, below: string): Promise<FailingIo | string> {
    const library = join(directory, 'failing-io.so');
    const control = join(directory, 'fail');
    for (const compiler of ['cc', 'gcc']) {
      try {
        await run(compiler, ['-shared', '-fPIC', '-o', library, SOURCE, '-ldl']);
        const env = { TICKLOG_FAIL_WHILE: control, TICKLOG_FAIL_BELOW: below, LD_PRELOAD: library };
        return new FailingIo(env, control);
      } catch (error) {
        if (compiler === 'gcc') return `no C compiler: ${String(error)}`;
      }
    }
    return 'no C compiler';
  }

  async begin(): Promise<void> {
    await writeFile(this.#control, '');
  }

  async end(): Promise<void> {
    await rm(this.#control, { force: true });
  }
}
