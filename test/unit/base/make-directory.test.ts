import { existsSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeDirectory } from '../../../src/base/make-directory.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

test('makes what is missing on the way, and leaves what is there', async () => {
  await using dir = await makeTempDir();
  const path = join(dir.path, 'a', 'b', 'c');
  await makeDirectory(path, 0o700);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  expect((await stat(join(dir.path, 'a'))).mode & 0o777).toBe(0o700);
  await makeDirectory(path);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
});

test('says that there is a file of that name, or of one above', async () => {
  await using dir = await makeTempDir();
  const path = join(dir.path, 'file');
  await writeFile(path, '');
  await expect(makeDirectory(path)).rejects.toThrow(`'${path}' is a file`);
  await expect(makeDirectory(join(path, 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

test.runIf(existsSync('/proc/self'))(
  'ends where the system refuses it as something that is not there',
  async () => {
    await expect(makeDirectory('/proc/nope/below')).rejects.toMatchObject({ code: 'ENOENT' });
  },
);
