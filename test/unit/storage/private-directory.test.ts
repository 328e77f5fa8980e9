import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { Store } from '../../../src/storage/store.ts';
import { makePrivate } from '../../../src/storage/private-directory.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

test('a new store can be entered by its owner only', async () => {
  await using dir = await makeTempDir();
  const directory = join(dir.path, 'data');
  const store = await Store.open({ clock: systemClock, logger: silentLogger }, { directory });
  expect(await modeOf(directory)).toBe(0o700);
  expect(await modeOf(join(directory, 'store'))).toBe(0o700);
  await store.close();
});

test('a store that others could read is closed to them with its files, but not what it lies in', async () => {
  await using dir = await makeTempDir();
  const directory = join(dir.path, 'data');
  const deps = { clock: systemClock, logger: silentLogger };
  await (await Store.open(deps, { directory })).close();
  const location = join(directory, 'store');
  await chmod(directory, 0o755);
  await chmod(location, 0o755);
  await chmod(join(location, 'LOCK'), 0o644);
  await (await Store.open(deps, { directory })).close();
  expect(await modeOf(directory)).toBe(0o755);
  expect(await modeOf(location)).toBe(0o700);
  expect(await modeOf(join(location, 'LOCK'))).toBe(0o600);
});

test('what is closed already is left as it is', async () => {
  await using dir = await makeTempDir();
  const path = join(dir.path, 'closed');
  await mkdir(path, { mode: 0o700 });
  await writeFile(join(path, 'file'), '', { mode: 0o400 });
  await makePrivate({ logger: silentLogger }, path);
  expect([await modeOf(path), await modeOf(join(path, 'file'))]).toEqual([0o700, 0o400]);
});
