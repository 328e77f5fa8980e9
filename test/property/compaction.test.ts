import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import { DocumentTx } from '../../src/documents/document-tx.ts';
import { type CompactionLimits, compactJournal } from '../../src/documents/journal-compaction.ts';
import type { Tick } from '../../src/model/tick.ts';
import { buildData } from '../../src/protocol/json-text.ts';
import {
  type Documents,
  JournalModel,
  expectSame,
  expectWhole,
  replay,
} from '../support/journal-model.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { TestCore } from '../support/store.ts';

/** The long form: TICKLOG_COMPACTION_RUNS=500 npm test -- test/property/compaction */
const RUNS = Number(process.env['TICKLOG_COMPACTION_RUNS'] ?? 7);
const KEYS = 600;
/** Neighbouring writes go to this many keys, so that elsewhere keys that are gone stay gone. */
const KEYS_AT_ONCE = 80;
const REMOVAL_AGE_MS = 1000;
/** Documents that a request reads which does nothing else. */
const READS_EACH = 30;

type Step =
  | { kind: 'write'; seed: number; count: number; apart: boolean; removals: number }
  | { kind: 'maintain' }
  | { kind: 'maintainWhileWriting'; seed: number; count: number; openBatch: boolean }
  | { kind: 'openBatch' }
  | { kind: 'closeBatch'; which: number }
  | { kind: 'copy' }
  | { kind: 'resume' }
  | { kind: 'wait'; ms: number }
  | { kind: 'restart' };

const seed = fc.integer({ min: 1, max: 1 << 30 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      seed,
      count: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 2000 })),
      /** Each write a request and, nearly, a block of its own; else all in one request. */
      apart: fc.boolean(),
      /** Share of removals in percent. */
      removals: fc.constantFrom(0, 10, 50, 90),
    }),
  },
  { weight: 5, arbitrary: fc.constant({ kind: 'maintain' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('maintainWhileWriting' as const),
      seed,
      count: fc.integer({ min: 1, max: 300 }),
      openBatch: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'openBatch' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('closeBatch' as const), which: fc.nat(1) }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'copy' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'resume' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(400, 2000, 2000),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);

/** A copy that is left behind until removals it lacks are compacted: it must be refused. */
const OVERTAKEN: Step[] = [
  { kind: 'write', seed: 1, count: 2000, apart: false, removals: 0 },
  { kind: 'copy' },
  { kind: 'write', seed: 2, count: 2000, apart: false, removals: 90 },
  { kind: 'wait', ms: 2000 },
  { kind: 'wait', ms: 2000 },
  { kind: 'maintain' },
  { kind: 'resume' },
];

/** Small and fast; the same numbers for the same seed. */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A follower's copy, made up to a position. */
interface Copy {
  readonly position: Tick;
  readonly documents: Documents;
}

class Run {
  readonly core: TestCore;
  readonly clock: ManualClock;
  readonly model = new JournalModel();
  readonly copies: Copy[] = [];
  batches: Tick[] = [];
  compacted = 0;
  resumed = 0;
  refused = 0;
  #lastPass: CompactionLimits['lastPass'] = new WeakMap();
  #written = 0;
  #firstKey = 0;

  constructor(core: TestCore, clock: ManualClock) {
    this.core = core;
    this.clock = clock;
  }

  get collection(): Collection {
    return this.core.system.get('c');
  }

  async take(next: Step): Promise<void> {
    switch (next.kind) {
      case 'write':
        return this.#write(next);
      case 'maintain':
        return this.#maintain();
      case 'maintainWhileWriting': {
        const writing = this.#write({ ...next, apart: true, removals: 30 });
        const maintaining = this.#maintain();
        if (next.openBatch) {
          await new Promise((resolve) => setTimeout(resolve, 2));
          this.#openBatch();
        }
        const reading = this.#readDuring(maintaining, randomOf(next.seed));
        await Promise.all([writing, maintaining, reading]);
        return;
      }
      case 'openBatch':
        this.#openBatch();
        return;
      case 'closeBatch':
        this.batches.splice(next.which, 1);
        return;
      case 'copy': {
        const position = this.core.store.lastCommitted;
        const documents: Documents = new Map();
        await replay(this.core.store, this.collection, documents, { to: position });
        this.copies.push({ position, documents });
        if (this.copies.length > 6) this.copies.shift();
        return;
      }
      case 'resume':
        return this.#resume();
      case 'wait':
        this.clock.advance(next.ms);
        return;
      case 'restart':
        this.#lastPass = new WeakMap();
        this.batches = [];
        await this.core.reopen();
        return;
    }
  }

  /** What must hold after every step. */
  async check(): Promise<void> {
    const { store } = this.core;
    await expectWhole(store, this.collection, this.model);
    for (const tick of this.batches) {
      const seen: Documents = new Map();
      await replay(store, this.collection, seen, { to: tick });
      expectSame(seen, this.model.asOf(tick), `the journal up to the open batch at ${tick}`);
    }
  }

  async #resume(): Promise<void> {
    const { store } = this.core;
    const to = store.lastCommitted;
    const expected = this.model.asOf(to);
    for (const copy of this.copies) {
      if (this.collection.deletionsSince > copy.position) {
        this.refused++;
        continue;
      }
      const documents = new Map(copy.documents);
      await replay(store, this.collection, documents, { from: copy.position, to });
      expectSame(documents, expected, `a copy resumed at ${copy.position}`);
      this.resumed++;
    }
  }

  #openBatch(): void {
    if (this.batches.length < 2) this.batches.push(this.core.store.lastCommitted);
  }

  #horizon(): Tick | undefined {
    return this.batches.reduce<Tick | undefined>(
      (least, tick) => (least === undefined || tick < least ? tick : least),
      undefined,
    );
  }

  async #maintain(): Promise<void> {
    const { entries } = this.collection.stats;
    await compactJournal(
      this.core.store,
      this.collection,
      {
        horizon: () => this.#horizon(),
        removalAgeMs: REMOVAL_AGE_MS,
        nowMs: () => this.clock.nowMs(),
        lastPass: this.#lastPass,
      },
      new AbortController().signal,
    );
    if (this.collection.stats.entries < entries) this.compacted++;
  }

  async #write(wanted: {
    seed: number;
    count: number;
    apart: boolean;
    removals: number;
  }): Promise<void> {
    const random = randomOf(wanted.seed);
    this.#firstKey = Math.floor(random() * (KEYS - KEYS_AT_ONCE));
    if (!wanted.apart) {
      await this.#request((writes) => {
        for (let i = 0; i < wanted.count; i++) this.#change(writes, random, wanted.removals);
      });
      return;
    }
    for (let left = wanted.count; left > 0; left -= 8) {
      const requests = Array.from({ length: Math.min(left, 8) }, () =>
        this.#request((writes) => this.#change(writes, random, wanted.removals)),
      );
      await Promise.all(requests);
    }
  }

  /** Requests that read run at every turn, so also in the batch in which blocks are merged, and while it is written. */
  async #readDuring(work: Promise<void>, random: () => number): Promise<void> {
    const state = { over: false, failures: [] as unknown[] };
    const over = (): void => void (state.over = true);
    work.then(over, over);
    while (!state.over && state.failures.length === 0) {
      const read = this.#request((writes) => this.#expectRead(writes, random));
      read.catch((error: unknown) => state.failures.push(error));
      await nextTurn();
    }
    expect(state.failures).toEqual([]);
  }

  #expectRead(writes: DocumentTx, random: () => number): void {
    for (let i = 0; i < READS_EACH; i++) {
      const key = `k${Math.floor(random() * KEYS)}`;
      const pointer = writes.pointer(this.collection, key);
      const text = pointer && writes.text(this.collection, key, pointer);
      if (text !== this.model.now.get(key)) expect(text).toBe(this.model.now.get(key));
    }
  }

  #request(run: (writes: DocumentTx) => void): Promise<void> {
    const database = this.core.system;
    return this.core.store.commit((tx) => {
      const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped: false });
      run(writes);
      writes.finish();
    });
  }

  #change(writes: DocumentTx, random: () => number, removals: number): void {
    const key = `k${this.#firstKey + Math.floor(random() * KEYS_AT_ONCE)}`;
    const old = writes.pointer(this.collection, key);
    if (100 * random() < removals) {
      if (!old) return;
      const rev = writes.remove(this.collection, key, old);
      this.model.note({ tick: BigInt(rev), key, data: undefined });
      return;
    }
    const n = this.#written++;
    const rest = `"n":${n},"pad":"${'x'.repeat(Math.floor(random() ** 8 * 5000))}"`;
    const rev = writes.upsert(this.collection, key, { value: {}, rest }, old);
    const data = buildData(key, rev, undefined, undefined, rest);
    this.model.note({ tick: BigInt(rev), key, data });
  }
}

test(
  'compaction loses nothing: reads, whole replays, replays up to an open batch, and resumed copies agree with what was written',
  { timeout: 60_000 + RUNS * 10_000 },
  async () => {
    const totals = { compacted: 0, resumed: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 45, size: 'max' }),
        async (steps) => {
          const clock = new ManualClock();
          await using core = await TestCore.open({ clock });
          await core.collections.create(core.system, { name: 'c' });
          const run = new Run(core, clock);
          for (const next of steps) {
            await run.take(next);
            await run.check();
          }
          await run.take({ kind: 'resume' });
          totals.compacted += run.compacted;
          totals.resumed += run.resumed;
          totals.refused += run.refused;
        },
      ),
      { numRuns: RUNS, endOnFailure: RUNS > 12, examples: [[OVERTAKEN]] },
    );
    // Runs in which nothing was left out would prove nothing.
    expect(totals.compacted).toBeGreaterThan(0);
    expect(totals.resumed).toBeGreaterThan(0);
    expect(totals.refused).toBeGreaterThan(0);
  },
);
