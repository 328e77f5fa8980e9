import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { assertOwnDirectory } from '../../../src/storage/own-directory.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { Store } from '../../../src/storage/store.ts';

import { makeTempDir, type TempDir } from '../../support/temp-dir.ts';

let dir: TempDir;

beforeEach(async () => {
  dir = await makeTempDir();
});

afterEach(async () => {
  await dir[Symbol.asyncDispose]();
});

const openStore = (): Promise<Store> =>
  Store.open({ clock: systemClock, logger: silentLogger }, { directory: dir.path });

async function put(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = join(dir.path, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, '');
  }
}

test.each<[string, string[]]>([
  ['nothing', []],
  ['what a file system has', ['lost+found/#17', '@eaDir/a', 'store/lost+found/#17']],
  ['hidden files', ['.snapshot/a', '.keep', 'store/.nfs0001']],
  ['output and process id of a server', ['ticklog.log', 'ticklog.pid']],
  [
    'what a first start has left that was interrupted',
    ['store/LOCK', 'store/LOG', 'store/MANIFEST-000001', 'store/000001.dbtmp', 'last-commit.new'],
  ],
  ['files that the server was told of', ['tls/server.pem', 'root.txt']],
])('a data directory can be made where there is: %s', async (_, names) => {
  await put(...names);
  const known = [join(dir.path, 'tls/server.pem'), join(dir.path, 'root.txt'), '/etc/passwd'];
  await assertOwnDirectory(dir.path, known);
});

test('a file that the server was told of may be named through a link, and so may the directory', async () => {
  await put('data/tls.pem');
  const link = join(dir.path, 'link');
  await symlink(join(dir.path, 'data'), link);
  await assertOwnDirectory(link, [join(dir.path, 'data/tls.pem')]);
  await assertOwnDirectory(join(dir.path, 'data'), [join(link, 'tls.pem')]);
});

test.each<[string[], string]>([
  [['dump.json', 'ENCRYPTION'], 'ENCRYPTION, dump.json'],
  [['src/main.c'], 'src'],
  [['root.txt'], 'root.txt'],
  [['store/shelf.txt'], 'store/shelf.txt'],
  [['a', 'b', 'c', 'd', 'e', 'f', 'store/LOCK'], 'a, b, c, d, e, ...'],
])('a directory with %j is somebody else’s', async (names, said) => {
  await put(...names);
  const before = await readdir(dir.path);
  await expect(openStore()).rejects.toMatchObject({
    kind: 'badParameter',
    message: expect.stringContaining(`it has ${said}. `) as string,
  });
  expect(await readdir(dir.path)).toEqual(before);
});

test('a data directory is opened whatever lies beside the store', async () => {
  await (await openStore()).close();
  await put('dump.json', 'notes/readme.txt');
  await rm(join(dir.path, 'last-commit'));
  await (await openStore()).close();
});

test('a store without CURRENT is damaged, and no table of it is removed', async () => {
  await (await openStore()).close();
  const store = join(dir.path, 'store');
  await rename(join(store, 'CURRENT'), join(dir.path, 'CURRENT'));
  const before = await readdir(store);
  await expect(openStore()).rejects.toMatchObject({ kind: 'storageDamaged' });
  expect(await readdir(store)).toEqual(before);
  await rename(join(dir.path, 'CURRENT'), join(store, 'CURRENT'));
  await (await openStore()).close();
});
