import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readDumpDirectory, type ReadDumpOptions } from '../../src/cli/dump-directory-reader.ts';
import { DumpDirectoryWriter } from '../../src/cli/dump-directory-writer.ts';
import { fileBaseOf, nameHash } from '../../src/cli/dump-layout.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';

let dir: TempDir;

beforeEach(async () => {
  dir = await makeTempDir();
});

afterEach(async () => {
  await dir[Symbol.asyncDispose]();
});

const STRICT: ReadDumpOptions = { allowUnfinished: false, allowOtherNames: false };

async function put(files: Readonly<Record<string, string | object>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    await writeFile(join(dir.path, name), text);
  }
}

function structure(name: string, more: object = {}): object {
  return { parameters: { name, type: 2, cid: '17', ...more }, indexes: [] };
}

const read = (options: Partial<ReadDumpOptions> = {}) =>
  readDumpDirectory(dir.path, { ...STRICT, ...options });

/** The files with data of the one collection there is. */
async function dataFiles(): Promise<string[]> {
  const { collections } = await read();
  expect(collections).toHaveLength(1);
  return collections[0]!.dataFiles.map((path) => path.slice(dir.path.length + 1));
}

describe('layouts', () => {
  const md5 = fileBaseOf('orders');

  test('1.4: the name alone, no dump.json', async () => {
    await put({ 'orders.structure.json': structure('orders'), 'orders.data.json': '' });
    expect(await dataFiles()).toEqual(['orders.data.json']);
    const dump = await read();
    expect(dump.database).toBeUndefined();
    expect(dump.useEnvelope).toBeUndefined();
  });

  test('2.7 to 3.3: name and MD5, database in dump.json', async () => {
    expect(md5).toBe('orders_12c500ed0b7879105fb46af0f246be87');
    await put({
      [`${md5}.structure.json`]: structure('orders'),
      [`${md5}.data.json`]: '',
      'dump.json': { database: 'shop', lastTickAtDumpStart: '5' },
      ENCRYPTION: 'none\n',
    });
    expect(await dataFiles()).toEqual([`${md5}.data.json`]);
    expect(await read()).toMatchObject({ database: 'shop' });
  });

  test('3.4 and later: compressed, with or without envelope', async () => {
    await put({
      [`${md5}.structure.json`]: structure('orders'),
      [`${md5}.data.json.gz`]: '',
      'dump.json': { database: 'shop', useEnvelope: false, properties: { id: '1' } },
      'things.view.json': { name: 'things' },
    });
    expect(await dataFiles()).toEqual([`${md5}.data.json.gz`]);
    expect(await read()).toMatchObject({ useEnvelope: false, views: ['things.view.json'] });
  });

  test('of this program: how much there is, in documents or at least in lines', async () => {
    const counted = async (count: object): Promise<number | undefined> => {
      const description = { database: 'shop', ticklog: { collections: { orders: count } } };
      await put({ [`${md5}.structure.json`]: structure('orders'), 'dump.json': description });
      return (await read()).collections[0]?.documents;
    };
    expect(await counted({ documents: 5, lines: 7 })).toBe(5);
    expect(await counted({ lines: 7 })).toBe(7);
    expect(await counted({})).toBeUndefined();
    await put({ 'dump.json': { database: 'shop' } });
    expect((await read()).collections[0]?.documents).toBeUndefined();
  });

  test('a cluster’s: structures without MD5, data with it', async () => {
    await put({ 'orders.structure.json': structure('orders'), [`${md5}.data.json.gz`]: '' });
    expect(await dataFiles()).toEqual([`${md5}.data.json.gz`]);
  });

  test('split files, in the order of their numbers', async () => {
    const parts = [`${md5}.0.data.json.gz`, `${md5}.2.data.json.gz`, `${md5}.10.data.json.gz`];
    await put({
      [`${md5}.structure.json`]: structure('orders'),
      ...Object.fromEntries(parts.map((part) => [part, ''])),
      [`${fileBaseOf('orders.1')}.data.json`]: '',
    });
    expect(await dataFiles()).toEqual(parts);
  });

  test('of several files with the data of a collection the contract’s order decides', async () => {
    const inOrder = [
      ...[`${md5}.data.json`, `${md5}.data.json.gz`, 'orders.data.json.gz', 'orders.data.json'],
    ];
    for (let first = inOrder.length - 1; first >= 0; first--) {
      await put({ 'orders.structure.json': structure('orders'), [inOrder[first]!]: '' });
      expect(await dataFiles()).toEqual([inOrder[first]]);
    }
  });

  test('only structures', async () => {
    await put({ [`${md5}.structure.json`]: structure('orders') });
    expect(await dataFiles()).toEqual([]);
  });

  test('names beyond ASCII: files are named after the id', async () => {
    await put({ '17.structure.json': structure('größe'), '17.data.json': '' });
    expect(await dataFiles()).toEqual(['17.data.json']);
  });

  test('indexes that stand with the parameters are brought to where they belong', async () => {
    const indexes = [{ id: '3', type: 'hash', fields: ['a'] }];
    await put({ 'a.structure.json': { parameters: { name: 'a', type: 3, indexes } } });
    const { collections } = await read();
    expect(collections[0]).toMatchObject({ name: 'a', type: 3, indexCount: 1 });
    expect(JSON.parse(collections[0]!.structure)).toMatchObject({ indexes });
  });

  test('a structure is sent as it was written', async () => {
    const text = '{"indexes":[],"parameters":{"name":"a","type":2,"extra":12345678901234567890}}';
    await put({ 'a.structure.json': `${text}\n` });
    expect((await read()).collections[0]!.structure).toBe(text);
  });

  test('a database without collections is no mistake', async () => {
    await put({ 'dump.json': { database: 'shop' } });
    expect((await read()).collections).toEqual([]);
  });

  test('collections that were dropped are passed over', async () => {
    await put({ 'a.structure.json': structure('a', { deleted: true }), 'dump.json': {} });
    expect((await read()).collections).toEqual([]);
  });
});

describe('what is refused', () => {
  test.each([
    ['an encrypted dump', { ENCRYPTION: 'aes-256-ctr' }, /encrypted \(aes-256-ctr\)/],
    ['no dump', { 'notes.txt': '' }, /there is no dump in '.*'/],
    ['a file of another collection', { 'b.structure.json': structure('a') }, /structure of 'a'/],
    ['a structure that is no JSON', { 'b.structure.json': '{' }, /b\.structure\.json: .*JSON/],
    ['one without a name', { 'b.structure.json': { parameters: {} } }, /no parameters\.name/],
    ['an unknown type', { 'b.structure.json': structure('b', { type: 4 }) }, /neither 2 nor 3/],
    [
      'a collection that is there twice',
      { 'b.structure.json': structure('b'), [`b_${nameHash('b')}.structure.json`]: structure('b') },
      /another file of 'b'/,
    ],
    [
      'a dump that did not come to its end',
      { 'dump.json.tmp': {}, 'b.structure.json': structure('b') },
      /did not come to its end/,
    ],
  ] as const)('%s', async (_, files, message) => {
    await put(files);
    await expect(read()).rejects.toThrow(message);
  });

  test('a directory that is not there', async () => {
    await expect(readDumpDirectory(join(dir.path, 'x'), STRICT)).rejects.toThrow(/is not there/);
  });

  test('a file where a directory should be, to read from or to write to', async () => {
    await put({ x: 'text' });
    for (const directory of [join(dir.path, 'x'), join(dir.path, 'x', 'y')]) {
      await expect(readDumpDirectory(directory, STRICT)).rejects.toThrow(/is a file, or in one/);
      const options = { directory, overwrite: false, compress: true };
      await expect(DumpDirectoryWriter.open(options)).rejects.toThrow(
        /'.*x.*' is a file, or in one: name a directory with --output-directory/,
      );
    }
    expect(await readFile(join(dir.path, 'x'), 'utf8')).toBe('text');
  });

  test('dumps of several databases, of which one must be named', async () => {
    await mkdir(join(dir.path, 'shop'));
    await put({ 'shop/a.structure.json': structure('a') });
    await expect(read()).rejects.toThrow(/such as '.*\/shop'/);
  });

  test('other file names and unfinished dumps are taken when that is asked for', async () => {
    await put({ 'b.structure.json': structure('a'), 'b.data.json': '', 'dump.json.tmp': {} });
    const dump = await read({ allowOtherNames: true, allowUnfinished: true });
    expect(dump.collections[0]).toMatchObject({
      name: 'a',
      dataFiles: [join(dir.path, 'b.data.json')],
    });
  });
});

describe('writing', () => {
  const open = (more: { overwrite?: boolean; compress?: boolean } = {}) =>
    DumpDirectoryWriter.open({ directory: dir.path, overwrite: false, compress: true, ...more });
  async function* lines(...all: readonly string[]): AsyncGenerator<Buffer> {
    for (const line of all) yield await Promise.resolve(Buffer.from(`${line}\n`));
  }
  async function write(
    names: readonly string[],
    more: { overwrite?: boolean; compress?: boolean } = {},
  ): Promise<DumpDirectoryWriter> {
    const writer = await open(more);
    await writer.begin({ database: 'shop', useEnvelope: true });
    for (const name of names) {
      await writer.writeData(name, lines(`1 ${name}`, `2 ${name}`));
      await writer.writeStructure(name, structure(name));
    }
    return writer;
  }
  const files = async (): Promise<string[]> => (await readdir(dir.path)).sort();

  test('has the layout of 3.x when it is complete', async () => {
    await (await write(['a', 'b'])).commit();
    expect(await files()).toEqual(
      [
        ...['ENCRYPTION', 'dump.json'],
        ...['a', 'b'].flatMap((name) => [
          `${fileBaseOf(name)}.data.json.gz`,
          `${fileBaseOf(name)}.structure.json`,
        ]),
      ].sort(),
    );
    const data = await readFile(join(dir.path, `${fileBaseOf('a')}.data.json.gz`));
    expect(gunzipSync(data).toString()).toBe('1 a\n2 a\n');
    expect(await readFile(join(dir.path, 'dump.json'), 'utf8')).toBe(
      '{"database":"shop","useEnvelope":true}',
    );
    expect((await read()).collections.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('until then it is no dump, and can be written to again without being told to', async () => {
    await write(['a', 'b']);
    expect((await files()).every((file) => file.endsWith('.tmp'))).toBe(true);
    await expect(read()).rejects.toThrow(/did not come to its end/);
    await (await write(['b'])).commit();
    expect((await read()).collections.map(({ name }) => name)).toEqual(['b']);
    expect((await files()).some((file) => file.endsWith('.tmp'))).toBe(false);
  });

  test.each([[false], [true]])(
    'a directory that holds something else is left alone, whatever is said: overwrite %s',
    async (overwrite) => {
      await put({ 'users.data.json': 'mine', 'notes.txt': 'mine' });
      await expect(open({ overwrite })).rejects.toThrow(
        /is not empty, and there is no dump in it that could be replaced; .*--output-directory$/,
      );
      expect(await files()).toEqual(['notes.txt', 'users.data.json']);
    },
  );

  test('what a file system has of its own is replaced by nobody', async () => {
    await mkdir(join(dir.path, 'lost+found'));
    await (await write(['a'], { overwrite: true })).commit();
    expect(await files()).toContain('lost+found');
  });

  test.each([[[]], [['dump.json', 'a.structure.json']]])(
    'the data directory of a server is no place for a dump, with %j in it',
    async (names: string[]) => {
      await mkdir(join(dir.path, 'store'));
      await put({ 'store/CURRENT': 'MANIFEST-000001\n' });
      for (const name of names) await put({ [name]: {} });
      await expect(open({ overwrite: true })).rejects.toThrow(
        /is the data directory of a server.*--output-directory$/,
      );
    },
  );

  test('a dump that is there is replaced only when that is asked for, and as a whole', async () => {
    await (await write(['a', 'b'], { compress: false })).commit();
    await expect(open()).rejects.toThrow(/is not empty.*--overwrite true/);
    await put({ 'notes.txt': 'mine' });
    const writer = await write(['b', 'c'], { overwrite: true });
    const before = await read();
    expect(before).toMatchObject({ isBeforeUnfinished: true });
    expect(before.collections.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(before.collections[1]!.dataFiles[0]).toMatch(/json$/);
    await writer.commit();
    const after = await read();
    expect(after).toMatchObject({ isBeforeUnfinished: false });
    expect(after.collections.map(({ name }) => name)).toEqual(['b', 'c']);
    expect(after.collections[0]!.dataFiles[0]).toMatch(/json\.gz$/);
    expect(await readFile(join(dir.path, 'notes.txt'), 'utf8')).toBe('mine');
  });

  test('a directory with something else in it is left alone', async () => {
    await put({ 'notes.txt': 'mine' });
    await expect(open()).rejects.toThrow(/is not empty/);
    expect(await files()).toEqual(['notes.txt']);
  });

  test('a failure of the source is the failure of the writing', async () => {
    const writer = await open();
    await writer.begin({});
    async function* failing(): AsyncGenerator<Buffer> {
      yield await Promise.resolve(Buffer.from('x\n'));
      throw new Error('the source is gone');
    }
    await expect(writer.writeData('a', failing())).rejects.toThrow('the source is gone');
  });
});
