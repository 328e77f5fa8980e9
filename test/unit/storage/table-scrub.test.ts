import { randomBytes } from 'node:crypto';
import { Level } from 'level';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { DamageGuard } from '../../../src/storage/damage-guard.ts';
import { StoreHealth } from '../../../src/storage/health.ts';
import { readManifest } from '../../../src/storage/manifest.ts';
import { TableScrub } from '../../../src/storage/table-scrub.ts';
import { recordingLogger } from '../../support/recording-logger.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

/** Some twelve tables, which take longer to read than to merge. */
const RECORDS = 240;
const RECORD_BYTES = 100 * 1024;

async function fill(level: Level<Buffer, Buffer>): Promise<void> {
  for (let n = 0; n < RECORDS; n++) {
    await level.put(Buffer.from(`key${String(n).padStart(4, '0')}`), randomBytes(RECORD_BYTES));
  }
  // Not part of what all kinds of databases can do, hence not of the type.
  const classic = level as unknown as {
    compactRange(start: Buffer, end: Buffer): Promise<void>;
  };
  await classic.compactRange(Buffer.from('a'), Buffer.from('z'));
}

test('a table that was merged away before it is read is nothing to warn of', async () => {
  await using dir = await makeTempDir();
  const level = new Level<Buffer, Buffer>(dir.path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    compression: false,
  });
  await level.open();
  await fill(level);
  const listed = (await readManifest(dir.path))?.tables ?? [];
  const stop = new AbortController();
  const health = new StoreHealth({ clock: systemClock });
  const { logger, lines } = recordingLogger();
  const scrub = new TableScrub(
    { guard: new DamageGuard({ level }), health, logger },
    { storeDirectory: dir.path, signal: stop.signal },
  );
  scrub.start();
  await fill(level);
  await scrub.readOnce;
  stop.abort();
  await scrub.stopped();
  const left = new Set((await readManifest(dir.path))?.tables.map(({ number }) => number));
  await level.close();
  expect(listed.filter(({ number }) => !left.has(number)).length).toBeGreaterThan(5);
  expect(lines).toEqual([]);
  expect(health.damage).toBeUndefined();
});
