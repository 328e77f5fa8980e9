import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A process that was killed a moment ago may still have a file open. */
const REMOVAL = { recursive: true, force: true, maxRetries: 10, retryDelay: 50 };

/** Makes a new directory for data; it is removed when it is disposed of, or when the program ends. */
export class WorkDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'ticklog-bench-'));
  readonly #remove = (): void => rmSync(this.path, REMOVAL);

  constructor() {
    process.once('exit', this.#remove);
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#remove);
    this.#remove();
  }
}
