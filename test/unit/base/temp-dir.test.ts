import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeTempDir } from '../../support/temp-dir.ts';

test('a temporary directory is new, empty, and gone with its contents after disposal', async () => {
  let path;
  {
    await using dir = await makeTempDir();
    path = dir.path;
    expect(await readdir(path)).toEqual([]);
    await writeFile(join(path, 'LOCK'), '');
  }
  expect(existsSync(path)).toBe(false);
});
