import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { Maintenance } from '../../src/documents/maintenance.ts';
import { OpStream } from './op-stream.ts';
import { Random } from './random.ts';
import { type OpenCore, openCore } from './store.ts';

/**
 * Fills a data directory by random operations of all kinds, most of which end up in tables and the last in
 * the log, and closes it: everything that a store can hold is there.
 */
export async function fillStore(
  directory: string,
  seed: number,
  operations: number,
): Promise<void> {
  const core = await openCore(directory, { clock: systemClock, loggerConfig: { autoStart: true } });
  const database = await core.databases.create('other');
  const capped = await core.collections.create(database, { name: 'capped' });
  await core.collections.createIndex(database, capped, { type: 'cap', size: 20 });
  for (let i = 0; i < 50; i++) {
    await core.documents.insert(database, capped, `{"_key":"c${i % 30}","n":${i}}`, {
      overwriteMode: 'replace',
    });
  }
  await withMaintenance(core, async () => {
    const stream = new OpStream(
      { core, random: new Random(seed), acknowledge: () => undefined },
      { databases: ['_system', 'other'] },
    );
    await stream.run(Math.ceil(operations * 0.8), 16);
    await compactAll(core);
    await stream.run(Math.ceil(operations * 0.2), 16);
    await stream.transactions.close();
  });
  await core.collections.close();
  await core.store.close();
}

/** Has LevelDB move everything into tables. */
export async function compactAll({ store }: Pick<OpenCore, 'store'>): Promise<void> {
  // Not part of what all kinds of databases can do, hence not of the type.
  const classic = store.level as unknown as {
    compactRange(start: Buffer, end: Buffer): Promise<void>;
  };
  await classic.compactRange(Buffer.from([0]), Buffer.from([255]));
}

async function withMaintenance(core: OpenCore, run: () => Promise<void>): Promise<void> {
  const maintenance = new Maintenance(
    { store: core.store, catalogue: core.catalogue, clock: systemClock, logger: silentLogger },
    { intervalMs: 1, removalAgeMs: 100, horizon: () => undefined },
  );
  maintenance.start();
  try {
    await run();
  } finally {
    await maintenance.stop();
  }
}
