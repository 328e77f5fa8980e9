import { execFile } from 'node:child_process';
import { cp, open, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isServiceError } from '../../src/model/errors.ts';
import { Space } from '../../src/storage/keys.ts';
import { readPage } from '../../src/storage/page.ts';
import { buildForChild } from '../support/child-build.ts';
import type { Expected } from '../support/damage-child.ts';
import { runAndKill } from '../support/killed-child.ts';
import type { Acknowledged } from '../support/op-stream.ts';
import { Random } from '../support/random.ts';
import { openCore } from '../support/store.ts';
import { type TempDir, makeTempDir } from '../support/temp-dir.ts';
import { verifyAcknowledged, verifyCore } from '../support/verify-core.ts';

/** Places to damage in each test. The long form: npm run test:fault, or as many as TICKLOG_DAMAGE_PLACES says. */
const DEFAULT_PLACES = process.env['TICKLOG_LONG'] === '1' ? 1000 : 40;
const PLACES = Number(process.env['TICKLOG_DAMAGE_PLACES'] ?? DEFAULT_PLACES);

interface Killed extends AsyncDisposable {
  readonly directory: string;
  readonly acknowledged: readonly Acknowledged[];
  /** A fresh copy of the data directory. */
  copy(): Promise<string>;
}

let code: TempDir;
let program: string;

beforeAll(async () => {
  code = await makeTempDir();
  program = await buildForChild(join(code.path, 'code'), 'test/support/crash-child.ts');
});

afterAll(() => code[Symbol.asyncDispose]());

/** A data directory whose server was killed while most of its data was in the write-ahead log only. */
async function killedServer(reports: number): Promise<Killed> {
  const dir: TempDir = await makeTempDir();
  const directory = join(dir.path, 'data');
  const killed = await runAndKill(program, [directory, 'insert'], { afterReports: reports });
  let copies = 0;
  return {
    directory,
    acknowledged: killed.reports.flatMap((each) => (each.kind === 'acknowledged' ? each.op : [])),
    copy: async () => {
      const target = join(dir.path, `copy${copies++}`);
      await cp(directory, target, { recursive: true });
      return target;
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

async function logOf(directory: string): Promise<string> {
  const store = join(directory, 'store');
  const [name, ...more] = (await readdir(store)).filter((each) => each.endsWith('.log'));
  expect(more).toEqual([]);
  return join(store, name!);
}

async function flipBit(path: string, bit: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, bit >> 3);
  byte[0] = byte[0]! ^ (1 << (bit & 7));
  await file.write(byte, 0, 1, bit >> 3);
  await file.close();
}

/** True when opening refuses with a message that helps, false when everything answered is there. */
async function refusesOrIsWhole(
  directory: string,
  acknowledged: readonly Acknowledged[],
): Promise<boolean> {
  let core;
  try {
    core = await openCore(directory);
  } catch (error) {
    if (!isServiceError(error, 'storageDamaged')) throw error;
    expect(error.message).toMatch(/backup.*another server|cannot be opened/);
    return true;
  }
  try {
    await verifyCore(core);
    await verifyAcknowledged(core, acknowledged);
  } finally {
    await core.store.close();
  }
  return false;
}

describe('rule 9: a damaged write-ahead log', () => {
  test(
    'P5: after a kill, a flipped bit anywhere in it is refused, or nothing is lost',
    { timeout: 60_000 + PLACES * 1000 },
    async () => {
      await using killed = await killedServer(300);
      expect(killed.acknowledged.length).toBeGreaterThan(250);
      expect(await refusesOrIsWhole(await killed.copy(), killed.acknowledged)).toBe(false);
      const bits = (await stat(await logOf(killed.directory))).size * 8;
      let refused = 0;
      for (let n = 0; n < PLACES; n++) {
        // Half of the places are at the end, where damage looks like a write that was broken off.
        const bit =
          n % 2 === 0
            ? Math.floor((bits * n) / PLACES)
            : bits - 1 - (Math.floor(n * n * 1.7) % bits);
        const directory = await killed.copy();
        await flipBit(await logOf(directory), bit);
        if (await refusesOrIsWhole(directory, killed.acknowledged)) refused++;
        // A refusal changes nothing: the next try is refused too.
        await rm(directory, { recursive: true });
      }
      console.info(
        `write-ahead log: ${refused} of ${PLACES} flips refused, nothing lost by the others`,
      );
      expect(refused).toBeGreaterThan(0.9 * PLACES);
    },
  );

  test('a refusal leaves everything as it was, and says so again', async () => {
    await using killed = await killedServer(100);
    const path = await logOf(killed.directory);
    await flipBit(path, 4 * (await stat(path)).size);
    const before = (await readdir(join(killed.directory, 'store'))).sort();
    for (let i = 0; i < 3; i++) {
      expect(await refusesOrIsWhole(killed.directory, [])).toBe(true);
    }
    expect((await readdir(join(killed.directory, 'store'))).sort()).toEqual(before);
  });

  test('a log that is gone is not taken for an empty one', async () => {
    await using killed = await killedServer(100);
    await rm(await logOf(killed.directory));
    expect(await refusesOrIsWhole(killed.directory, killed.acknowledged)).toBe(true);
  });

  test('a zeroed stretch within it is refused', async () => {
    await using killed = await killedServer(300);
    const path = await logOf(killed.directory);
    const file = await open(path, 'r+');
    await file.write(Buffer.alloc(4096), 0, 4096, Math.floor((await file.stat()).size / 2));
    await file.close();
    expect(await refusesOrIsWhole(killed.directory, killed.acknowledged)).toBe(true);
  });

  test(
    'after an orderly stop, a log cut off anywhere is refused',
    { timeout: 60_000 },
    async () => {
      await using killed = await killedServer(100);
      const core = await openCore(killed.directory);
      const database = core.catalogue.get('_system');
      for (let i = 0; i < 50; i++) {
        await core.documents.insert(database, database.get('c'), '{"late":true}');
      }
      await core.store.close();
      const { size } = await stat(await logOf(killed.directory));
      for (const length of [0, 1, Math.floor(size / 2), size - 2000, size - 100, size - 1]) {
        const directory = await killed.copy();
        await truncate(await logOf(directory), length);
        expect(await refusesOrIsWhole(directory, killed.acknowledged), `${length}`).toBe(true);
      }
      expect(await refusesOrIsWhole(await killed.copy(), killed.acknowledged)).toBe(false);
    },
  );

  test('after a kill, a log cut off at its end loses the last commits whole, and nothing else', async () => {
    await using killed = await killedServer(200);
    const path = await logOf(killed.directory);
    await truncate(path, (await stat(path)).size - 3000);
    const core = await openCore(killed.directory);
    try {
      // Nothing tells a lost tail from writes that never came; what is there must still fit together.
      await verifyCore(core);
      await verifyAcknowledged(core, killed.acknowledged.slice(0, 100));
    } finally {
      await core.store.close();
    }
  });
});

describe('rule 9: a damaged table', () => {
  test(
    'a flipped bit is never served: every line that is answered is one that was written',
    { timeout: 60_000 + PLACES * 2000 },
    async () => {
      await using dir = await makeTempDir();
      const directory = join(dir.path, 'data');
      const file = join(dir.path, 'expected.json');
      await writeFile(file, JSON.stringify(await fillTables(directory)));
      const tables = (await readdir(join(directory, 'store'))).filter((each) =>
        each.endsWith('.ldb'),
      );
      expect(tables.length).toBeGreaterThan(0);
      const random = new Random(1);
      const outcomes: string[] = [];
      for (let n = 0; n < PLACES / 2; n++) {
        const copy = join(dir.path, `copy${n}`);
        await cp(directory, copy, { recursive: true });
        const path = join(copy, 'store', tables[n % tables.length]!);
        await flipBit(path, random.below((await stat(path)).size * 8));
        outcomes.push(await readDamaged(copy, file));
        await rm(copy, { recursive: true });
      }
      const noticed = outcomes.filter((outcome) => outcome === 'noticed').length;
      console.info(`tables: ${noticed} of ${outcomes.length} flips noticed`);
      expect(outcomes).not.toContain('wrong');
      expect(outcomes).toContain('noticed');
    },
  );
});

/** Makes a store all of whose data is in tables. */
async function fillTables(directory: string): Promise<Expected> {
  const core = await openCore(directory);
  const database = core.catalogue.get('_system');
  const { number } = await core.collections.create(database, { name: 'c' });
  const random = new Random(1);
  for (let i = 0; i < 400; i++) {
    const pad = Array.from({ length: 60 }, () => random.next().toString(36)).join('');
    const body = `{"_key":"k${i}","pad":"${pad}"}`;
    await core.documents.insert(database, database.get('c'), body);
  }
  const lines = Array.from({ length: 400 }, (_, i) => {
    const key = `k${i}`;
    return [key, core.store.readLine(number, key)!.line] as const;
  });
  const { store } = core;
  const to = store.lastCommitted;
  const range = { space: Space.journal, number, from: 0n, to, limitBytes: 1e9 } as const;
  const page = await readPage(store.level, range);
  // Not part of what all kinds of databases can do, hence not of the type.
  const classic = store.level as unknown as {
    compactRange(start: Buffer, end: Buffer): Promise<void>;
  };
  await classic.compactRange(Buffer.from([0]), Buffer.from([255]));
  await store.close();
  return { number, journal: page.body.toString(), lines };
}

/** Reads everything in a process of its own, as LevelDB ends the process at some kinds of damage. */
function readDamaged(directory: string, expectedFile: string): Promise<string> {
  const child = program.replace('crash-child', 'damage-child');
  return new Promise((resolve) => {
    execFile(process.execPath, [child, directory, expectedFile], (error, stdout) =>
      resolve(error ? `ended by itself: ${error.message}` : stdout),
    );
  });
}
