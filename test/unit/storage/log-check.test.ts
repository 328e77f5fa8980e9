import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../../src/storage/crc32c.ts';
import { checkLogs } from '../../../src/storage/log-check.ts';
import { type TempDir, makeTempDir } from '../../support/temp-dir.ts';

interface LogFile extends AsyncDisposable {
  /** Bytes of a log that LevelDB wrote. */
  readonly bytes: Buffer;
  /** Whether the directory with this as its log is let pass. */
  accepts(bytes: Buffer): Promise<boolean>;
}

/** A LevelDB with batches of these sizes, closed, so that all of them are in its log. */
async function writeLog(sizes: readonly number[]): Promise<LogFile> {
  const dir: TempDir = await makeTempDir();
  const source = join(dir.path, 'source');
  const level = new Level<string, Buffer>(source, { valueEncoding: 'buffer' });
  await level.open();
  for (const [i, size] of sizes.entries()) await level.put(`key${i}`, Buffer.alloc(size, 0xa5 ^ i));
  await level.close();
  const name = (await readdir(source)).find((each) => each.endsWith('.log'))!;
  const bytes = await readFile(join(source, name));
  const target = join(dir.path, 'target');
  await mkdir(target);
  return {
    bytes,
    accepts: async (changed) => {
      await writeFile(join(target, name), changed);
      try {
        await checkLogs(target);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ kind: 'storageDamaged' });
        return false;
      }
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[bit >> 3] = copy[bit >> 3]! ^ (1 << (bit & 7));
  return copy;
}

describe('CRC-32C', () => {
  test('has the published check value, and goes on from a part', () => {
    const text = Buffer.from('123456789');
    expect(crc32c(text)).toBe(0xe3069283);
    expect(crc32c(text.subarray(4), crc32c(text.subarray(0, 4)))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  });
});

describe('the check of the write-ahead log', () => {
  test('lets pass what LevelDB writes, in records of any size', async () => {
    for (const sizes of [[], [10], [10, 40_000, 5, 100_000, 1], [32_700, 32_768, 32_761, 3]]) {
      await using log = await writeLog(sizes);
      expect(await log.accepts(log.bytes)).toBe(true);
    }
  });

  test('P5: every single flipped bit of a short log is found, the last record not excepted', async () => {
    await using log = await writeLog([20, 60, 30]);
    expect(log.bytes.length).toBeLessThan(300);
    for (let bit = 0; bit < log.bytes.length * 8; bit++) {
      expect(await log.accepts(flipped(log.bytes, bit)), `bit ${bit}`).toBe(false);
    }
  });

  test('P5: flipped bits in a log of many blocks are found, but for the filling between blocks', async () => {
    await using log = await writeLog([10_000, 100_000, 22_000, 700, 32_000, 9000, 20]);
    const { bytes } = log;
    for (let n = 0; n < 300; n++) {
      const bit = Math.floor(((n + 0.5) * bytes.length * 8) / 300);
      const inTrailer = (bit >> 3) % 32_768 >= 32_768 - 6 && bytes[bit >> 3] === 0;
      expect(await log.accepts(flipped(bytes, bit)), `bit ${bit}`).toBe(inTrailer);
    }
    // Lengths of records: the field in which a flip looks most like the end of the file.
    for (let bit = (bytes.length - 27 - 40) * 8; bit < bytes.length * 8; bit++) {
      expect(await log.accepts(flipped(bytes, bit)), `bit ${bit}`).toBe(false);
    }
  });

  test('a record that the process died in is no damage, wherever it was cut off', async () => {
    await using log = await writeLog([20, 60, 40_000]);
    const { bytes } = log;
    for (let length = 0; length < bytes.length; length += length < 300 ? 1 : 997) {
      expect(await log.accepts(bytes.subarray(0, length)), `length ${length}`).toBe(true);
    }
  });

  test('sectors at the end that a power cut left unwritten are no damage', async () => {
    await using log = await writeLog([20, 5000, 7000]);
    for (const from of [512, 1024, 4096, 8192, 12_288 - 512]) {
      const cut = Buffer.from(log.bytes);
      cut.fill(0, from);
      expect(await log.accepts(cut), `from ${from}`).toBe(true);
    }
    const behind = Buffer.concat([log.bytes, Buffer.alloc(4096)]);
    expect(await log.accepts(behind)).toBe(true);
  });

  test('zeros with data behind them are damage', async () => {
    await using log = await writeLog([20, 5000, 7000]);
    const hole = Buffer.from(log.bytes);
    hole.fill(0, 1024, 2048);
    expect(await log.accepts(hole)).toBe(false);
  });

  test('a damaged manifest is found too', async () => {
    await using dir = await makeTempDir();
    const level = new Level<string, string>(dir.path);
    await level.put('a', 'b');
    await level.close();
    await checkLogs(dir.path);
    const name = (await readdir(dir.path)).find((each) => each.startsWith('MANIFEST-'))!;
    const bytes = await readFile(join(dir.path, name));
    await writeFile(join(dir.path, name), flipped(bytes, (bytes.length - 3) * 8));
    await expect(checkLogs(dir.path)).rejects.toThrow(/MANIFEST.*damaged at byte/);
  });

  test('a directory that is not there yet is fine', async () => {
    await using dir = await makeTempDir();
    await checkLogs(join(dir.path, 'nothing'));
  });
});
