import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isNothingThere } from '../base/nothing-there.ts';

/** What is written so that something interrupted can go on; whole after a crash at any moment. */
export class StateFile<T> {
  readonly #path: string;
  #saving: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined without a file, or with one that cannot be made sense of. */
  async read(): Promise<T | undefined> {
    try {
      return JSON.parse(await readFile(this.#path, 'utf8')) as T;
    } catch (error) {
      if (isNothingThere(error) || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /** On the disk when it resolves; one after another. */
  save(state: T): Promise<void> {
    const saved = this.#saving.then(() => this.#write(JSON.stringify(state)));
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  async remove(): Promise<void> {
    await this.#saving;
    await rm(this.#path, { force: true });
  }

  async #write(text: string): Promise<void> {
    const next = `${this.#path}.next`;
    const handle = await open(next, 'w', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(next, this.#path);
    // A name is on the disk only with its directory.
    const directory = await open(dirname(this.#path), 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}
