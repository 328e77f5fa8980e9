import { createHash } from 'node:crypto';
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DirectoryReport, checkDirectory } from '../../src/check-directory.ts';
import { Space, metaKey, prefixRange } from '../../src/storage/keys.ts';
import { logRecords } from '../../src/storage/log-records.ts';
import { decodeRecord, encodeRecord } from '../../src/storage/record.ts';
import { SERVER_KEY, type ServerRecord } from '../../src/storage/server-record.ts';
import { buildForChild } from '../support/child-build.ts';
import { fillStore } from '../support/filled-store.ts';
import { runAndKill } from '../support/killed-child.ts';
import { openStoreAt } from '../support/raw-store.ts';
import { Random } from '../support/random.ts';
import { type TempDir, makeTempDir } from '../support/temp-dir.ts';

/** The long form: npm run test:fault. */
const FLIPS = process.env['TICKLOG_LONG'] === '1' ? 1000 : 60;
const SEED = Number(process.env['TICKLOG_SEED'] ?? Date.now() % 1_000_000);
const OPERATIONS = 1500;

let dir: TempDir;
let whole: string;
let program: string;

beforeAll(async () => {
  dir = await makeTempDir();
  whole = join(dir.path, 'whole');
  await fillStore(whole, SEED, OPERATIONS);
  program = await buildForChild(join(dir.path, 'code'), 'test/support/crash-child.ts');
});

afterAll(() => dir[Symbol.asyncDispose]());

function check(directory: string): Promise<DirectoryReport> {
  return checkDirectory(directory, new AbortController().signal);
}

async function copyOf(directory: string): Promise<string> {
  const target = join(dir.path, 'copy');
  await rm(target, { recursive: true, force: true });
  await cp(directory, target, { recursive: true });
  return target;
}

/** The files that hold what is stored, with their contents. */
async function liveFiles(directory: string): Promise<Map<string, Buffer>> {
  const names = await readdir(join(directory, 'store'));
  const paths = names
    .filter((name) => /^(?:[0-9]+\.(?:ldb|log)|MANIFEST-[0-9]+|CURRENT)$/.test(name))
    .map((name) => join('store', name));
  const files = new Map<string, Buffer>();
  for (const path of [...paths, 'last-commit']) {
    files.set(path, await readFile(join(directory, path)));
  }
  return files;
}

async function digests(directory: string): Promise<Record<string, string>> {
  const files = [...(await liveFiles(directory))];
  const digest = (content: Buffer): string => createHash('sha1').update(content).digest('hex');
  return Object.fromEntries(files.map(([path, content]) => [path, digest(content)]));
}

function flipped(content: Buffer, bit: number): Buffer {
  const copy = Buffer.from(content);
  copy[bit >> 3] = copy[bit >> 3]! ^ (1 << (bit & 7));
  return copy;
}

/** Whether the bit is one of those that say nothing: of the padding at the end of the blocks of a log. */
function isPadding(path: string, before: Buffer, after: Buffer): boolean {
  if (!/\.log$|MANIFEST/.test(path)) return false;
  try {
    return (
      Buffer.concat(logRecords(before)).equals(Buffer.concat(logRecords(after))) &&
      before.length % 32_768 !== 0 &&
      isBehindRecords(before, after)
    );
  } catch {
    return false;
  }
}

/** Whether they differ in the last six bytes of a block of 32 KiB. */
function isBehindRecords(before: Buffer, after: Buffer): boolean {
  const at = before.findIndex((byte, i) => byte !== after[i]);
  return at % 32_768 >= 32_768 - 6 && before[at] === 0;
}

describe('ticklog check', () => {
  test('finds nothing wrong with what is whole, and changes nothing', async () => {
    const before = await digests(whole);
    const report = await check(whole);
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ isComplete: true, findingsCount: 0 });
    expect(report.databases).toBeGreaterThan(1);
    expect(report.documents).toBeGreaterThan(50);
    expect(report.events).toBeGreaterThan(500);
    expect(report.tables).toBeGreaterThan(0);
    expect(await digests(whole)).toEqual(before);
  });

  test(
    `finds each of ${FLIPS} flipped bits (seed ${SEED})`,
    { timeout: 30_000 + FLIPS * 500 },
    async () => {
      const random = new Random(SEED);
      const files = [...(await liveFiles(whole))];
      const copy = await copyOf(whole);
      const missed: string[] = [];
      for (let n = 0; n < FLIPS; n++) {
        // Half of them in any file, so that small ones are hit, too; the others in any byte.
        const [path, content] = n % 2 === 0 ? random.pick(files)! : byBytes(files, random);
        const bit = random.below(content.length * 8);
        const damaged = flipped(content, bit);
        await writeFile(join(copy, path), damaged);
        const { findingsCount } = await check(copy);
        if (findingsCount === 0 && !isPadding(path, content, damaged))
          missed.push(`${path} ${bit}`);
        await writeFile(join(copy, path), content);
      }
      expect(missed).toEqual([]);
      expect((await check(copy)).findings).toEqual([]);
    },
  );

  test('finds a table, a log or a manifest that is gone or cut off', async () => {
    for (const [path, content] of await liveFiles(whole)) {
      const copy = await copyOf(whole);
      await rm(join(copy, path));
      if (path.endsWith('CURRENT')) continue;
      expect((await check(copy)).findingsCount, `${path} gone`).toBeGreaterThan(0);
      if (content.length < 2) continue;
      await writeFile(join(copy, path), content.subarray(0, content.length - 1));
      expect((await check(copy)).findingsCount, `${path} cut off`).toBeGreaterThan(0);
    }
  });

  test('finds that last-commit is missing, until the next start notes it anew; not in stores that never had it', async () => {
    const copy = await copyOf(whole);
    const file = join(copy, 'last-commit');
    await rm(file);
    expect((await check(copy)).findings).toEqual([
      { place: 'commit chain', what: expect.stringMatching(/last-commit is missing/) as string },
    ]);
    await (await openStoreAt(copy)).close();
    expect((await check(copy)).findings).toEqual([]);
    // As earlier versions wrote it.
    await change(copy, async (level) => {
      const record = decodeRecord<ServerRecord>(SERVER_KEY, await level.get(SERVER_KEY));
      expect(record.hasLastCommit).toBe(true);
      const { format, serverId, incarnations } = record;
      await level.put(SERVER_KEY, encodeRecord(SERVER_KEY, { format, serverId, incarnations }));
    });
    await rm(file);
    expect((await check(copy)).findings).toEqual([]);
    await (await openStoreAt(copy)).close();
    await rm(file);
    expect((await check(copy)).findingsCount).toBe(1);
  });

  test('is refused while a server has the directory open, which goes on undisturbed', async () => {
    const directory = join(dir.path, 'served');
    const found = runAndKill(program, [directory, 'insert'], {
      afterReports: 400,
      onReport: async (n) => {
        if (n === 50) await expect(check(directory)).rejects.toThrow(/a server has .* open/);
      },
    });
    expect((await found).reports.length).toBeGreaterThanOrEqual(400);
    expect((await check(directory)).findings).toEqual([]);
  });

  test('what a killed server leaves behind is whole', { timeout: 60_000 }, async () => {
    const directory = join(dir.path, 'killed');
    for (let i = 0; i < 4; i++) {
      const args = [directory, 'all', String(SEED + i)];
      await runAndKill(program, args, { afterMs: 200 + 200 * i });
      expect((await check(directory)).findings).toEqual([]);
    }
  });
});

function byBytes(files: readonly [string, Buffer][], random: Random): [string, Buffer] {
  let at = random.below(files.reduce((sum, [, { length }]) => sum + length, 0));
  return files.find(([, { length }]) => (at -= length) < 0)!;
}

type RawLevel = Level<Buffer, Buffer>;

/** Changes a store as no fault of a disk could: with checksums that hold. */
async function change(directory: string, run: (level: RawLevel) => Promise<void>): Promise<void> {
  const level: RawLevel = new Level(join(directory, 'store'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    compression: false,
  });
  await level.open();
  await run(level);
  await level.close();
}

async function firstKey(level: RawLevel, space: number): Promise<Buffer> {
  const { start, end } = prefixRange(Buffer.from([space]));
  const [key] = await level.keys({ gte: start, lt: end, limit: 1 }).all();
  return key!;
}

const LOSSES: readonly (readonly [string, RegExp, (level: RawLevel) => Promise<void>])[] = [
  [
    'a pointer',
    /figures say count/,
    async (level) => level.del(await firstKey(level, Space.primary)),
  ],
  [
    'a block',
    /lacks|figures say entries/,
    async (level) => level.del(await firstKey(level, Space.journal)),
  ],
  [
    'a block of the log',
    /its state says/,
    async (level) => level.del(await firstKey(level, Space.changelog)),
  ],
  [
    'an index entry',
    /index|cap/,
    async (level) => level.del(await firstKey(level, Space.secondary)),
  ],
  ['a commit', /commit chain/, async (level) => level.del(await firstKey(level, Space.commit))],
  [
    'the catalogue',
    /belongs to nothing|has no database/,
    async (level) =>
      level.del(metaKey('d', (await firstKey(level, Space.changelog)).readUInt32BE(1))),
  ],
];

describe('ticklog check of contents', () => {
  test.each(LOSSES)('finds that %s is missing', async (_, message, lose) => {
    const copy = await copyOf(whole);
    await change(copy, lose);
    const { findings } = await check(copy);
    expect(findings.map(({ place, what }) => `${place}: ${what}`).join('\n')).toMatch(message);
  });

  test('finds a pointer that leads to another document', async () => {
    const copy = await copyOf(whole);
    await change(copy, async (level) => {
      const { start, end } = prefixRange(Buffer.from([Space.primary]));
      const [first, second] = await level.iterator({ gte: start, lt: end, limit: 2 }).all();
      await level.put(first![0], second![1]);
    });
    expect((await check(copy)).findingsCount).toBeGreaterThan(0);
  });

  test('finds data that belong to nothing, and a position that is none', async () => {
    const copy = await copyOf(whole);
    await change(copy, async (level) => {
      const key = Buffer.from(await firstKey(level, Space.primary));
      key.writeUInt32BE(0x7fff_ffff, 1);
      await level.put(key, Buffer.alloc(13));
      const position = metaKey('k', (await firstKey(level, Space.changelog)).readUInt32BE(1));
      await level.put(position, encodeRecord(position, { leaderId: 1 }));
    });
    const text = JSON.stringify((await check(copy)).findings);
    expect(text).toMatch(/belongs to nothing/);
    expect(text).toMatch(/applier of database/);
  });
});
