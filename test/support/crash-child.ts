import process from 'node:process';
import './kill-points.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { CollectionView } from '../../src/documents/collection-view.ts';
import { Maintenance } from '../../src/documents/maintenance.ts';
import { type Acknowledged, OpStream } from './op-stream.ts';
import { Random } from './random.ts';
import { type OpenCore, openCore } from './store.ts';
import { ServiceError } from '../../src/model/errors.ts';

/** What this program says on its standard output, a line each. */
export type ChildReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'acknowledged'; readonly op: Acknowledged }
  /** A tick that was shown to somebody. */
  | { readonly kind: 'tick'; readonly tick: string };

function report(line: ChildReport): void {
  // Pipes are written synchronously, so what is reported is out before the process can be killed.
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function showTicks(core: OpenCore): Promise<never> {
  for (;;) {
    report({ kind: 'tick', tick: (await core.store.drawTick()).toString() });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Documents one after another, none of which is changed later. */
async function insertOnly(core: OpenCore): Promise<never> {
  const database = core.catalogue.get('_system');
  const collection =
    database.byName('c') ?? (await core.collections.create(database, { name: 'c' }));
  report({ kind: 'ready' });
  for (let n = 0; ; n++) {
    const body = `{"n":${n},"pad":"${'x'.repeat(n % 700)}"}`;
    const { rev } = await core.documents.insert(database, collection, body);
    report({ kind: 'acknowledged', op: { database: '_system', type: 2300, rev } });
  }
}

/** Reads views of all collections one after another, while others write; one is always open. */
async function readViews(core: OpenCore): Promise<never> {
  for (let before: CollectionView | undefined; ;) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    for (const collection of core.catalogue.databases.flatMap((each) => each.collections)) {
      try {
        const view = await CollectionView.open(core.store, collection);
        before?.close();
        before = view;
        await checkView(view);
      } catch (error) {
        if (!(error instanceof ServiceError) || error.kind !== 'collectionNotFound') throw error;
      }
    }
  }
}

/** As many documents as there were, each of which can be read. */
async function checkView(view: CollectionView): Promise<void> {
  let count = 0;
  for await (const pointers of view.pointers()) {
    for await (const { key, line } of view.lines(pointers)) {
      if (!line.includes(`"key":"${key}"`)) throw new Error(`${line} is not the line of ${key}`);
      count++;
    }
  }
  if (count === view.stats.count) return;
  throw new Error(`a view has ${count} documents instead of ${view.stats.count}`);
}

/** Logs of databases that hold no more than so many events. */
const RETAINED_EVENTS = 256;

/** As `allOperations`, with logs that are cut off all the time. */
async function withRetention(core: OpenCore, seed: number): Promise<void> {
  for (const { changelog } of core.catalogue.databases) {
    await core.store.commit(
      (tx) => {
        changelog.configure(tx, { ...changelog.config, maxEvents: RETAINED_EVENTS });
      },
      { exclusive: true },
    );
  }
  await allOperations(core, seed);
}

/** Everything there is, until somebody kills the process. */
async function allOperations(core: OpenCore, seed: number): Promise<void> {
  if (!core.catalogue.find('other')) await core.databases.create('other');
  const maintenance = new Maintenance(
    { store: core.store, catalogue: core.catalogue, clock: systemClock, logger: silentLogger },
    { intervalMs: 1, removalAgeMs: 100, horizon: () => undefined },
  );
  maintenance.start();
  const random = new Random(seed);
  const stream = new OpStream(
    { core, random, acknowledge: (op) => report({ kind: 'acknowledged', op }) },
    { databases: ['_system', 'other'] },
  );
  report({ kind: 'ready' });
  await Promise.all([stream.run(Infinity, 1 + random.below(64)), showTicks(core), readViews(core)]);
}

const [directory, mode, seed] = process.argv.slice(2);
if (directory === undefined) throw new Error('usage: crash-child <directory> <mode> <seed>');
const core = await openCore(directory, { clock: systemClock, loggerConfig: { autoStart: true } });
if (mode === 'insert') await insertOnly(core);
else await (mode === 'retention' ? withRetention : allOperations)(core, Number(seed));
