import { execFile } from 'node:child_process';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type TempDir, makeTempDir } from './temp-dir.ts';

const run = promisify(execFile);
const PIECE_BYTES = 256 * 1024;

/** A file system of its own in memory, which is soon full. Needs the right to mount. */
export class SmallDisk implements AsyncDisposable {
  readonly #dir: TempDir;
  #fillers = 0;

  private constructor(dir: TempDir) {
    this.#dir = dir;
  }

  /** @returns why there is none, when it cannot be mounted */
  static async mount(bytes: number): Promise<SmallDisk | string> {
    const dir = await makeTempDir();
    const disk = new SmallDisk(dir);
    await mkdir(disk.path);
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', disk.path]);
      return disk;
    } catch (error) {
      await dir[Symbol.asyncDispose]();
      return `a small file system cannot be mounted: ${String(error)}`;
    }
  }

  get path(): string {
    return join(this.#dir.path, 'disk');
  }

  /** Takes all room but so many bytes. */
  async fill(leaveBytes = 0): Promise<void> {
    for (;;) {
      const { bavail, bsize } = await statfs(this.path);
      const left = bavail * bsize - leaveBytes;
      if (left < bsize) return;
      const piece = Buffer.alloc(Math.min(left, PIECE_BYTES));
      await writeFile(join(this.path, `filler${this.#fillers++}`), piece);
    }
  }

  /** Gives the room back. */
  async free(): Promise<void> {
    while (this.#fillers > 0)
      await rm(join(this.path, `filler${--this.#fillers}`), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', ['-l', this.path]);
    await this.#dir[Symbol.asyncDispose]();
  }
}
