import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Collection } from '../../../src/documents/collection.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import { DocumentTx } from '../../../src/documents/document-tx.ts';
import { CollectionType } from '../../../src/model/collection.ts';
import { PlainLines } from '../../../src/protocol/plain-lines.ts';
import { type DocumentRows, ROW_CELLS, RowColumn } from '../../../src/storage/document-rows.ts';
import { metaKey } from '../../../src/storage/keys.ts';
import type { Pointer } from '../../../src/storage/pointer.ts';
import type { WriteTx } from '../../../src/storage/write-tx.ts';
import { Random } from '../../support/random.ts';
import { TestCore } from '../../support/store.ts';
import { verifyCore } from '../../support/verify-core.ts';

const SEED = Number(process.env['TICKLOG_SEED'] ?? Date.now() % 1_000_000);
const SERVER_ID = metaKey('g').toString('latin1');

interface Given {
  readonly key: string;
  readonly rev: string | undefined;
  readonly ends: { from: string; to: string } | undefined;
  /** From the first attribute, or the closing brace, on. */
  readonly rest: string;
}

/** Rows with something between the documents, as between those of a body. */
function rowsOf(documents: readonly Given[]): DocumentRows {
  const cells = new Int32Array(documents.length * ROW_CELLS).fill(-1);
  const parts: string[] = [];
  let bytes = 0;
  const put = (text: string): number => {
    parts.push(text);
    return (bytes += Buffer.byteLength(text));
  };
  documents.forEach(({ key, rev, ends, rest }, i) => {
    const note = (column: number, value: string | undefined): void => {
      if (value === undefined) return;
      cells[i * ROW_CELLS + column] = put(' ');
      cells[i * ROW_CELLS + column + 1] = put(value);
    };
    note(RowColumn.keyStart, key);
    note(RowColumn.revStart, rev);
    note(RowColumn.fromStart, ends?.from);
    note(RowColumn.toStart, ends?.to);
    note(RowColumn.restStart, rest);
  });
  return { source: Buffer.from(parts.join('')), cells, count: documents.length };
}

class Documents {
  readonly #random: Random;
  readonly #isEdge: boolean;
  #next = 100;
  readonly keys: string[] = [];

  constructor(random: Random, isEdge: boolean) {
    this.#random = random;
    this.#isEdge = isEdge;
  }

  /** With keys above all before. */
  take(count: number): Given[] {
    return Array.from({ length: count }, () => this.#one());
  }

  /** A key there may be, or one that there is not, below all those that are taken. */
  anyKey(): string {
    return this.#random.percent(80)
      ? (this.#random.pick(this.keys) ?? 'a')
      : `a${this.#random.below(50)}`;
  }

  #one(): Given {
    const random = this.#random;
    this.#next += 1 + random.below(3);
    const key = `k${String(this.#next).padStart(8, '0')}${random.percent(20) ? ':x' : ''}`;
    this.keys.push(key);
    const rev = random.percent(30) ? String(1 + random.below(10_000)) : undefined;
    const ends = this.#isEdge ? { from: 'c/a', to: `d/${random.below(99)}` } : undefined;
    return { key, rev: random.percent(5) ? '_opaque' : rev, ends, rest: this.#rest() };
  }

  #rest(): string {
    const random = this.#random;
    if (random.percent(10)) return '}';
    const bytes = random.percent(3) ? 40_000 : random.below(600);
    return `"n":${random.below(9)},"t":"${random.percent(20) ? 'äö€' : ''}${'x'.repeat(bytes)}"}`;
  }
}

async function open(loggerRuns: boolean, type: CollectionType): Promise<TestCore> {
  const core = await TestCore.open();
  if (loggerRuns) await startLogger(core.store, core.system);
  const rest = { version: 4, deleted: false, doCompact: true, maximalSize: 33_554_432 };
  const parameters = {
    ...rest,
    name: 'c',
    cid: '4711',
    type,
    isVolatile: false,
    waitForSync: false,
  };
  await core.collections.restore(core.system, parameters, { overwrite: false });
  return core;
}

function collectionOf(core: TestCore): Collection {
  return core.system.get('c');
}

/** Digests of everything that is stored, by key, but of what differs between servers. */
async function stored(core: TestCore): Promise<Map<string, string>> {
  const all = await core.store.level.iterator().all();
  return new Map(
    all
      .map(([key, value]): [string, string] => [key.toString('latin1'), hashOf(value)])
      .filter(([key]) => key !== SERVER_ID),
  );
}

function hashOf(value: Buffer): string {
  return createHash('sha1').update(value).digest('hex');
}

/** Writes as runs, or one by one, and looks at what it has written. */
class Writer {
  readonly core: TestCore;
  readonly #asRun: boolean;

  constructor(core: TestCore, asRun: boolean) {
    this.core = core;
    this.#asRun = asRun;
  }

  insert(writes: DocumentTx, documents: readonly Given[]): void {
    const collection = collectionOf(this.core);
    if (this.#asRun) {
      const rows = rowsOf(documents);
      expect(writes.takesNew(collection, rows)).toBe(documents.length > 0);
      if (documents.length > 0) writes.writeNew(collection, rows);
      return;
    }
    for (const { key, rev, ends, rest } of documents) {
      const source = Buffer.from(rest);
      const bytes = { ...ends, rest: { source, start: 0, end: source.length } };
      writes.upsertBytes(collection, key, bytes, writes.pointer(collection, key), rev);
    }
  }

  /** Does what the random numbers say to documents old and new; returns what it has seen. */
  change(writes: DocumentTx, random: Random, keys: readonly string[]): unknown[] {
    const collection = collectionOf(this.core);
    return keys.map((key) => {
      const old = writes.pointer(collection, key);
      const seen = shown(old) && { ...shown(old), text: old && writes.text(collection, key, old) };
      if (random.percent(40)) {
        const ends = collection.type === CollectionType.edge ? { from: 'a/1', to: 'a/2' } : {};
        writes.upsert(collection, key, { ...ends, rest: '"again":1' }, old);
      } else if (old) {
        writes.remove(collection, key, old);
      }
      return seen;
    });
  }

  commit<T>(run: (writes: DocumentTx, tx: WriteTx) => T): Promise<T> {
    const { store, system } = this.core;
    return store.commit((tx) => {
      const writes = new DocumentTx({ tx, database: system }, { origin: 'local', grouped: false });
      const result = run(writes, tx);
      writes.finish();
      return result;
    });
  }
}

function shown(pointer: Pointer | undefined): { tick: bigint; rev: string } | undefined {
  return pointer && { tick: pointer.tick, rev: pointer.rev };
}

describe(`documents that are known to be new (seed ${SEED})`, () => {
  const { document, edge } = CollectionType;
  const cases = [
    ...[0, 1, 2, 3, 4].map((n) => ({ n, loggerRuns: true, type: document })),
    { n: 5, loggerRuns: true, type: edge },
    { n: 6, loggerRuns: false, type: document },
  ];

  test.each(cases)(
    'are stored, logged and read back to the byte as if written one by one (%o)',
    async ({ n, loggerRuns, type }) => {
      await using runs = await open(loggerRuns, type);
      await using single = await open(loggerRuns, type);
      const seen: unknown[][] = [];
      for (const writer of [new Writer(runs, true), new Writer(single, false)]) {
        const random = new Random(SEED + n);
        const documents = new Documents(random.fork(), type === edge);
        const mine: unknown[] = [];
        for (let round = 0; round < 12; round++) {
          // All of a round is one batch.
          const requests = Array.from({ length: 1 + random.below(3) }, () => {
            const given = documents.take(random.below(random.percent(20) ? 700 : 60));
            const keys = Array.from({ length: random.below(12) }, () => documents.anyKey());
            const more = documents.take(random.below(5));
            const fails = random.percent(20);
            const own = random.fork();
            return writer.commit((writes) => {
              writer.insert(writes, given);
              const found = writer.change(writes, own, keys);
              writer.insert(writes, more);
              if (fails) throw new Error('taken back');
              return found;
            });
          });
          mine.push(...(await Promise.allSettled(requests)));
        }
        seen.push(mine);
        if (loggerRuns) await verifyCore(writer.core);
      }
      expect(seen[0]).toEqual(seen[1]);
      expect(await stored(runs)).toEqual(await stored(single));
    },
  );

  test('are found while their batch is being written, and not when it was taken back', async () => {
    await using core = await open(true, document);
    const writer = new Writer(core, true);
    const documents = new Documents(new Random(SEED), false);
    const given = documents.take(900);
    const first = writer.commit((writes) => {
      writer.insert(writes, given);
    });
    await nextTurn();
    // Written, or about to be: the others are answered from the open blocks.
    const found = await writer.commit((writes) =>
      given.map(({ key }) => shown(writes.pointer(collectionOf(core), key))),
    );
    await first;
    const later = await writer.commit((writes) =>
      given.map(({ key }) => shown(writes.pointer(collectionOf(core), key))),
    );
    expect(found).toEqual(later);
    expect(found.every((each) => each !== undefined)).toBe(true);

    const [gone] = documents.take(1);
    const refused = writer.commit((writes) => {
      writer.insert(writes, gone ? [gone] : []);
      throw new Error('taken back');
    });
    const after = writer.commit((writes) => writes.pointer(collectionOf(core), gone?.key ?? ''));
    await expect(refused).rejects.toThrow('taken back');
    expect(await after).toBeUndefined();
  });
});

test('new documents are replaced and removed by lines of a run in the same batch', async () => {
  await using core = await open(false, CollectionType.document);
  const collection = collectionOf(core);
  const key = (i: number): string => `k${i}`;
  const keys = [1, 2, 3, 4, 5].map(key);
  const plain = (type: number, i: number): string =>
    `{"tick":"10${i}","type":${type},"cid":"9","cname":"c","key":"${key(i)}","rev":"20${i}"` +
    (type === 2302 ? '}\n' : `,"data":{"_key":"${key(i)}","_rev":"20${i}","x":1}}\n`);
  const run = new PlainLines(
    Buffer.from(plain(2302, 1) + plain(2300, 2) + plain(2302, 3) + plain(2300, 3)),
  );
  expect(run.next(0, 1000)).toBe(true);
  expect(run.count).toBe(4);
  const given = keys.map((each) => ({ key: each, rev: undefined, ends: undefined, rest: '}' }));
  const shownKeys = (tx: WriteTx): unknown[] => {
    const writes = new DocumentTx(
      { tx, database: core.system },
      { origin: 'remote', grouped: false },
    );
    return keys.map((each) => writes.pointer(collection, each)?.rev);
  };
  const during = await core.store.commit((tx) => {
    const deps = { tx, database: core.system };
    const mine = new DocumentTx(deps, { origin: 'local', grouped: false });
    mine.writeNew(collection, rowsOf(given));
    mine.finish();
    const theirs = new DocumentTx(deps, { origin: 'remote', grouped: false });
    expect(theirs.takesRuns(collection)).toBe(true);
    theirs.writeRun([collection], run);
    theirs.finish();
    return shownKeys(tx);
  });
  const tickRev = expect.stringMatching(/^\d+$/) as string;
  expect(during).toEqual([undefined, '202', '203', tickRev, tickRev]);
  expect(await core.store.commit(shownKeys)).toEqual(during);
});

describe('it is not known that documents are new', () => {
  function takes(core: TestCore, keys: readonly string[]): Promise<boolean> {
    const rows = rowsOf(keys.map((key) => ({ key, rev: undefined, ends: undefined, rest: '}' })));
    return new Writer(core, true).commit((writes) => writes.takesNew(collectionOf(core), rows));
  }

  test('when a key is not above the one before, or not above one there is or was', async () => {
    await using core = await open(true, CollectionType.document);
    expect(await takes(core, ['b', 'c'])).toBe(true);
    expect(await takes(core, ['b', 'b'])).toBe(false);
    expect(await takes(core, ['b', 'a'])).toBe(false);
    expect(await takes(core, ['b', 'ba'])).toBe(true);
    expect(await takes(core, ['ba', 'b'])).toBe(false);
    expect(await takes(core, [])).toBe(false);
    await core.documents.insert(core.system, collectionOf(core), '{"_key":"m"}');
    expect(await takes(core, ['m', 'n'])).toBe(false);
    expect(await takes(core, ['a', 'n'])).toBe(false);
    expect(await takes(core, ['n', 'o'])).toBe(true);
  });

  test.each([
    ['an index', { type: 'hash', fields: ['u'], unique: true }],
    ['a cap', { type: 'cap', size: 10 }],
  ])('in a collection with %s', async (_, index) => {
    await using core = await open(true, CollectionType.document);
    expect(await takes(core, ['a'])).toBe(true);
    await core.collections.createIndex(core.system, collectionOf(core), index);
    expect(await takes(core, ['a'])).toBe(false);
  });

  test('in a collection that numbers its documents', async () => {
    await using core = await TestCore.open();
    const keyOptions = { type: 'autoincrement', allowUserKeys: true, offset: 0, increment: 1 };
    await core.collections.create(core.system, { name: 'c', keyOptions });
    expect(await takes(core, ['a'])).toBe(false);
  });
});
