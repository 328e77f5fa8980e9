import { execFile } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildForChild } from '../support/child-build.ts';
import type { Reading } from '../support/reading-child.ts';
import { type TempDir, makeTempDir } from '../support/temp-dir.ts';

const READINGS: readonly Reading[] = ['pages', 'pieces'];
/** Of reading 384 MiB; where an iterator keeps what it read last it is nearly all of it. */
const GROWTH_MAX_MIB = 64;

let code: TempDir;
let program: string;

beforeAll(async () => {
  code = await makeTempDir();
  program = await buildForChild(join(code.path, 'code'), 'test/support/reading-child.ts');
});

afterAll(async () => {
  await code[Symbol.asyncDispose]();
});

test.for(READINGS)(
  'who reads a log in %s holds no memory of what was read, however seldom garbage is collected',
  async (reading) => {
    await using dir = await makeTempDir();
    const args = [program, join(dir.path, 'data'), reading];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    console.info(`${reading}: grown by ${stdout} MiB`);
    expect(Number(stdout)).toBeLessThan(GROWTH_MAX_MIB);
  },
);
