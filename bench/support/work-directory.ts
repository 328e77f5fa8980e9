import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Makes a new directory for data; it is removed when it is disposed of, or when the program ends. */
export class WorkDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'ticklog-bench-'));
  readonly #remove = (): void => rmSync(this.path, { recursive: true, force: true });

  constructor() {
    process.once('exit', this.#remove);
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#remove);
    this.#remove();
  }
}
