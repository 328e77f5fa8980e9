import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { Checksums } from '../../src/documents/checksum.ts';
import type { Collection } from '../../src/documents/collection.ts';
import { CollectionView } from '../../src/documents/collection-view.ts';
import { DocumentTx } from '../../src/documents/document-tx.ts';
import { type CompactionLimits, compactJournal } from '../../src/documents/journal-compaction.ts';
import { buildData } from '../../src/protocol/json-text.ts';
import { JournalModel, expectWhole } from '../support/journal-model.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { Random } from '../support/random.ts';
import { TestCore } from '../support/store.ts';
import { checksumOf, expectView, keptCount } from '../support/view-model.ts';

/** The long form: TICKLOG_VIEW_RUNS=200 npm test -- test/property/views. A run is repeated with TICKLOG_SEED. */
const RUNS = Number(process.env['TICKLOG_VIEW_RUNS'] ?? 2);
const SEED = Number(process.env['TICKLOG_SEED'] ?? Date.now() % 1_000_000);
const STEPS = 60;
const KEYS = 3000;
const VIEWS_MAX = 4;
const REMOVAL_AGE_MS = 1000;
const NEVER = new AbortController().signal;

/** Writes of all kinds into one collection, all of which a model knows, and what reads or tidies meanwhile. */
class Run {
  readonly core: TestCore;
  readonly clock: ManualClock;
  readonly random: Random;
  readonly model = new JournalModel();
  readonly counts = new Map<string, number>();
  readonly #lastPass: CompactionLimits['lastPass'] = new WeakMap();
  views: CollectionView[] = [];
  #written = 0;
  #grown = 0;

  constructor(core: TestCore, clock: ManualClock, random: Random) {
    this.core = core;
    this.clock = clock;
    this.random = random;
  }

  get collection(): Collection {
    return this.core.system.get('c');
  }

  async step(): Promise<void> {
    const { random } = this;
    const chance = random.below(100);
    if (chance < 30) await this.write();
    else if (chance < 40) await this.grow();
    else if (chance < 45) await this.truncate();
    else if (chance < 55) await this.compact();
    else if (chance < 60) await Promise.all([this.compact(), this.write()]);
    else if (chance < 75) await this.open();
    else if (chance < 85) await this.readWhileWriting();
    else if (chance < 95) await this.close();
    else await this.fail();
  }

  /** Updates, removals and insertions, each a request of its own or all of them one. */
  async write(): Promise<void> {
    const { random } = this;
    const removals = random.pick([0, 20, 90]) ?? 0;
    const first = random.below(KEYS);
    const spread = random.pick([50, KEYS]) ?? KEYS;
    const change = (writes: DocumentTx): void => {
      const key = `k${(first + random.below(spread)) % KEYS}`;
      if (random.percent(removals)) this.#remove(writes, key);
      else this.#put(writes, key);
    };
    if (random.percent(50)) {
      const count = 1 + random.below(2500);
      await this.#request((writes) => {
        for (let i = 0; i < count; i++) change(writes);
      });
      return;
    }
    const requests = Array.from({ length: 1 + random.below(200) }, () => this.#request(change));
    await Promise.all(requests);
  }

  /** New keys behind all others, as an import has them; some are written twice. */
  grow(): Promise<void> {
    const count = 1 + this.random.below(1500);
    return this.#request((writes) => {
      for (let i = 0; i < count; i++) {
        const key = `z${String(this.#grown++).padStart(8, '0')}`;
        this.#put(writes, key);
        if (this.random.percent(5)) this.#put(writes, key);
        if (this.random.percent(5)) this.#remove(writes, key);
      }
    });
  }

  truncate(): Promise<void> {
    this.#count('truncate');
    return this.#request((writes) => {
      for (const key of [...this.model.now.keys()]) this.#remove(writes, key);
    });
  }

  async compact(): Promise<void> {
    this.clock.advance(REMOVAL_AGE_MS + 1);
    const { entries } = this.collection.stats;
    await compactJournal(
      this.core.store,
      this.collection,
      {
        horizon: () => undefined,
        removalAgeMs: REMOVAL_AGE_MS,
        nowMs: () => this.clock.nowMs(),
        lastPass: this.#lastPass,
      },
      NEVER,
    );
    if (this.collection.stats.entries < entries) this.#count('compact');
  }

  /** Between requests of which nobody knows how they are put together. */
  async open(): Promise<void> {
    if (this.views.length >= VIEWS_MAX) return;
    const before = this.write();
    const view = CollectionView.open(this.core.store, this.collection);
    await Promise.all([before, this.write()]);
    this.views.push(await view);
    this.#count('open');
  }

  async readWhileWriting(): Promise<void> {
    const view = this.random.pick(this.views);
    if (!view) return;
    const writing = Promise.all([this.write(), this.grow(), this.write(), this.compact()]);
    await this.#check(view);
    await writing;
  }

  async close(): Promise<void> {
    const view = this.random.pick(this.views);
    if (!view) return;
    await this.#check(view);
    this.views = this.views.filter((each) => each !== view);
    view.close();
  }

  /** What is taken back leaves no trace. */
  async fail(): Promise<void> {
    const refused = this.#request((writes) => {
      for (let i = 0; i < 100; i++) {
        const key = `k${this.random.below(KEYS)}`;
        const old = writes.pointer(this.collection, key);
        if (old) writes.remove(this.collection, key, old);
        else writes.upsert(this.collection, key, { value: {}, rest: '' }, undefined);
      }
      throw new Error('refused');
    });
    await expect(refused).rejects.toThrow('refused');
  }

  /** A checksum tells by its revision of which moment it is. */
  async checksum(checksums: Checksums): Promise<void> {
    const parts = { withData: this.random.percent(70), withRevisions: this.random.percent(50) };
    const { checksum, revision, count } = await checksums.of(this.collection, parts);
    const expected = this.model.asOf(BigInt(revision));
    expect({ checksum, count }, `at ${revision}, ${JSON.stringify(parts)}`).toEqual({
      checksum: checksumOf(expected, parts),
      count: expected.size,
    });
  }

  #check(view: CollectionView): Promise<void> {
    this.#count('check');
    return expectView(view, this.model.asOf(view.tick));
  }

  #request(run: (writes: DocumentTx) => void): Promise<void> {
    const database = this.core.system;
    return this.core.store.commit((tx) => {
      const grouped = this.random.percent(50);
      const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped });
      run(writes);
      writes.finish();
    });
  }

  #put(writes: DocumentTx, key: string): void {
    const old = writes.pointer(this.collection, key);
    const n = this.#written++;
    const rest = `"n":${n},"pad":"${'x'.repeat(Math.floor(this.random.next() ** 8 * 3000))}"`;
    const rev = writes.upsert(this.collection, key, { value: {}, rest }, old);
    const data = buildData(key, rev, undefined, undefined, rest);
    this.model.note({ tick: BigInt(rev), key, data });
  }

  #remove(writes: DocumentTx, key: string): void {
    const old = writes.pointer(this.collection, key);
    if (!old) return;
    const rev = writes.remove(this.collection, key, old);
    this.model.note({ tick: BigInt(rev), key, data: undefined });
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

async function begin(core: TestCore, clock: ManualClock, seed: number): Promise<Run> {
  await core.collections.create(core.system, { name: 'c' });
  return new Run(core, clock, new Random(seed));
}

describe(`views of a collection (seed ${SEED})`, () => {
  test(
    'show what was there when they were opened, whatever is written, taken back or compacted, and leave nothing',
    { timeout: 60_000 + RUNS * 30_000 },
    async () => {
      const totals = new Map<string, number>();
      for (let n = 0; n < RUNS; n++) {
        const clock = new ManualClock();
        await using core = await TestCore.open({ clock });
        const run = await begin(core, clock, SEED + n);
        // The first ones are there in any case.
        await run.grow();
        await run.open();
        await run.truncate();
        for (let step = 0; step < STEPS; step++) await run.step();
        await expectWhole(core.store, run.collection, run.model);
        expect(run.collection.views.isEmpty).toBe(run.views.length === 0);
        while (run.views.length > 0) await run.close();
        await run.compact();
        await expectWhole(core.store, run.collection, run.model);
        await vi.waitFor(async () => expect(await keptCount(core.store)).toBe(0), 10_000);
        for (const [what, count] of run.counts) totals.set(what, (totals.get(what) ?? 0) + count);
      }
      // Otherwise the test has not tried what it is there for.
      for (const what of ['open', 'check', 'truncate', 'compact']) {
        expect(totals.get(what) ?? 0, what).toBeGreaterThan(0);
      }
    },
  );

  test(
    'checksums are those of one moment, however fast others write',
    { timeout: 180_000 },
    async () => {
      const clock = new ManualClock();
      await using core = await TestCore.open({ clock });
      const run = await begin(core, clock, SEED);
      const checksums = new Checksums({ store: core.store });
      for (let i = 0; i < 5; i++) await run.grow();
      let isDone = false;
      const until = async (step: () => Promise<void>): Promise<void> => {
        while (!isDone) await step();
      };
      const others = [
        until(() => run.write()),
        until(() => run.grow()),
        until(async () => {
          await sleep(5);
          await run.compact();
        }),
        until(async () => {
          await sleep(400);
          await run.truncate();
          for (let i = 0; i < 3; i++) await run.grow();
        }),
      ];
      const readers = Array.from({ length: 5 }, async () => {
        for (let i = 0; i < 2; i++) await run.checksum(checksums);
      });
      await Promise.all(readers).finally(() => (isDone = true));
      await Promise.all(others);
      expect(run.counts.get('truncate')).toBeGreaterThan(0);
      await expectWhole(core.store, run.collection, run.model);
      expect(run.collection.views.isEmpty).toBe(true);
      await vi.waitFor(async () => expect(await keptCount(core.store)).toBe(0), 10_000);
    },
  );
});
