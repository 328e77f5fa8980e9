import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import type { Collection } from '../../../src/documents/collection.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import { checkpointAt, readCheckpoint, writeCheckpoint } from '../../../src/follower/checkpoint.ts';
import { PageApplier, type PageApplierOptions } from '../../../src/follower/page-applier.ts';
import { Restriction } from '../../../src/follower/restriction.ts';
import { removeOrphans } from '../../../src/follower/staging.ts';
import { Space, numberRange } from '../../../src/storage/keys.ts';
import { TestCore, type TestCoreOptions } from '../../support/store.ts';

const START = 1000n;
const OPTIONS: PageApplierOptions = {
  restriction: new Restriction('', [], true),
  transactionMaxBytes: 64 * 1024 * 1024,
  ignoreErrors: 0,
  interleaved: false,
};

/** A database that follows a log made up by the test, with the leader's collections `c` and `e`. */
class Follower implements AsyncDisposable {
  readonly core: TestCore;
  readonly options: PageApplierOptions;
  applier: PageApplier;

  private constructor(core: TestCore, options: PageApplierOptions) {
    this.core = core;
    this.options = options;
    this.applier = this.#newApplier();
  }

  static async open(
    options: Partial<PageApplierOptions> = {},
    coreOptions: TestCoreOptions = {},
  ): Promise<Follower> {
    const core = await TestCore.open(coreOptions);
    const follower = new Follower(core, { ...OPTIONS, ...options });
    await follower.apply([created(901, '77', 'c'), created(902, '78', 'e', 3)], { from: 900n });
    await core.store.commit((tx) =>
      writeCheckpoint(tx, core.system.number, checkpointAt({ leaderId: '1', tick: START }, 0)),
    );
    follower.applier = follower.#newApplier();
    return follower;
  }

  get c(): Collection {
    return this.core.system.get('c');
  }

  /** Applies one page; without `verified` its lines are parsed. */
  apply(
    lines: readonly string[],
    page: { verified?: boolean; scannedTo?: bigint; from?: bigint } = {},
  ): Promise<void> {
    if (page.from !== undefined) this.applier = this.#newApplier(page.from);
    return this.applier.apply(
      {
        body: Buffer.from(lines.map((line) => `${line}\n`).join('')),
        verified: page.verified ?? false,
        scannedTo: page.scannedTo ?? 0n,
      },
      new AbortController().signal,
    );
  }

  /** Closes everything and opens it again, as a restart does. */
  async restart(): Promise<void> {
    await this.core.reopen();
    const checkpoint = readCheckpoint(this.core.store, this.core.system.number);
    await removeOrphans(this.core.store, this.core.system.number, checkpoint?.open ?? []);
    this.applier = this.#newApplier();
  }

  /** Keys and values of a collection. */
  async content(name = 'c'): Promise<Record<string, unknown>> {
    const collection = this.core.system.get(name);
    const keys = await this.core.store.level
      .keys({ ...range(Space.primary, collection.number) })
      .all();
    const found: Record<string, unknown> = {};
    for (const stored of keys) {
      const key = stored.toString('utf8', 5);
      const line = this.core.store.readLine(collection.number, key)?.line ?? '';
      const { data } = JSON.parse(line) as { data: { v: unknown } };
      found[key] = data.v;
    }
    return found;
  }

  async stagedCount(): Promise<number> {
    const keys = await this.core.store.level
      .keys(range(Space.staging, this.core.system.number))
      .all();
    return keys.length;
  }

  /** Types of the events that this server logged itself. */
  async logged(): Promise<number[]> {
    const page = await this.core.system.changelog.readPage({
      from: 0n,
      to: 2n ** 63n,
      limitBytes: 1e9,
    });
    const lines = page.body.toString().split('\n').slice(0, -1);
    return lines.map((line) => (JSON.parse(line) as { type: number }).type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.core[Symbol.asyncDispose]();
  }

  #newApplier(from?: bigint): PageApplier {
    const { store, collections, system } = this.core;
    const checkpoint =
      (from === undefined ? readCheckpoint(store, system.number) : undefined) ??
      checkpointAt({ leaderId: '1', tick: from ?? START }, 0);
    return new PageApplier(
      { store, collections, database: system, logger: silentLogger },
      this.options,
      checkpoint,
    );
  }
}

function range(space: number, number: number): { gte: Buffer; lt: Buffer } {
  const { start, end } = numberRange(space, number);
  return { gte: start, lt: end };
}

function created(tick: number, cid: string, name: string, type = 2): string {
  const collection = { version: 4, type, cid, name, waitForSync: false };
  return JSON.stringify({ tick: String(tick), type: 2000, cid, cname: name, collection });
}

interface LineOptions {
  readonly tid?: string;
  readonly cid?: string;
  readonly cname?: string;
  readonly rev?: string;
}

/** A 2300 as our own leaders print it. */
function put(tick: number, key: string, v: unknown, options: LineOptions = {}): string {
  const { tid, cid = '77', cname = 'c', rev = String(tick) } = options;
  return JSON.stringify({
    tick: String(tick),
    type: 2300,
    ...(tid === undefined ? {} : { tid }),
    cid,
    cname,
    key,
    rev,
    data: { _key: key, _rev: rev, v },
  });
}

function del(tick: number, key: string, options: LineOptions = {}): string {
  const { tid, cid = '77', cname = 'c' } = options;
  const type = 2302;
  const rev = String(tick);
  return JSON.stringify({
    tick: String(tick),
    type,
    ...(tid === undefined ? {} : { tid }),
    cid,
    cname,
    key,
    rev,
  });
}

function begin(tick: number, tid: string): string {
  return JSON.stringify({ tick: String(tick), type: 2200, tid, collections: [] });
}

function commit(tick: number, tid: string): string {
  return JSON.stringify({ tick: String(tick), type: 2201, tid, collections: [] });
}

function ddl(tick: number, type: number, more: Record<string, unknown>, cid = '77'): string {
  return JSON.stringify({ tick: String(tick), type, cid, cname: 'c', ...more });
}

function uniqueIndex(tick: number, id = '990'): string {
  return ddl(tick, 2100, { index: { id, type: 'hash', unique: true, fields: ['v'] } });
}

function errorNum(num: number): Error {
  return expect.objectContaining({ errorNum: num }) as Error;
}

describe.each([
  ['a verified page', true],
  ['a page of any leader', false],
])('%s', (_what, verified) => {
  test('is applied with its position, and both survive a restart', async () => {
    await using follower = await Follower.open();
    await follower.apply([put(1001, 'a', 1), put(1002, 'b', 'ü'), del(1003, 'a')], { verified });
    await follower.restart();
    expect(await follower.content()).toEqual({ b: 'ü' });
    expect(follower.applier.checkpoint).toMatchObject({
      appliedTick: 1003n,
      processedTick: 1003n,
    });
  });

  test('keeps revisions, and pushes the own counter above the numeric ones and the ticks', async () => {
    await using follower = await Follower.open();
    const { store } = follower.core;
    const high = 2n ** 62n;
    await follower.apply(
      [put(1001, 'a', 1, { rev: '_aBc---' }), put(1002, 'b', 1, { rev: high.toString() })],
      { verified },
    );
    expect(store.readLine(follower.c.number, 'a')?.pointer.rev).toBe('_aBc---');
    expect(await store.drawTick()).toBeGreaterThan(high);
  });

  test('applied twice changes nothing', async () => {
    await using follower = await Follower.open();
    const lines = [put(1001, 'a', 1), del(1002, 'a'), put(1003, 'a', 2)];
    await follower.apply(lines, { verified });
    const before = follower.c.stats;
    await follower.apply(lines, { verified });
    expect(follower.c.stats).toEqual(before);
    expect(follower.applier.figures.events).toBe(3);
  });

  test('is found by the id of the collection first, by its name when the id is unknown', async () => {
    await using follower = await Follower.open();
    await follower.apply(
      [
        put(1001, 'a', 'by id', { cname: 'e' }),
        put(1002, 'b', 'by name', { cid: '12345', cname: 'c' }),
      ],
      { verified },
    );
    expect(await follower.content()).toEqual({ a: 'by id', b: 'by name' });
  });

  test('stops at the line of an unknown collection; what stands before it is applied', async () => {
    await using follower = await Follower.open();
    const lines = [
      put(1001, 'a', 1),
      put(1002, 'x', 1, { cid: '5', cname: 'gone' }),
      put(1003, 'b', 1),
    ];
    await expect(follower.apply(lines, { verified })).rejects.toThrow(
      'collection not found, offending marker: {"tick":"1002","type":2300,"cid":"5"',
    );
    expect(await follower.content()).toEqual({ a: 1 });
    expect(follower.applier.checkpoint.processedTick).toBe(1001n);
    expect(follower.applier.failedTick).toBe(1002n);
  });

  test('goes on over as many failing events as it may, and stops at the next', async () => {
    await using follower = await Follower.open({ ignoreErrors: 2 });
    const bad = (tick: number): string => put(tick, 'x', 1, { cid: '5', cname: 'gone' });
    await follower.apply([bad(1001), put(1002, 'a', 1), bad(1003)], { verified });
    expect(follower.applier.checkpoint.processedTick).toBe(1003n);
    await expect(follower.apply([put(1004, 'b', 1), bad(1005)], { verified })).rejects.toThrow(
      errorNum(1203),
    );
    expect(await follower.content()).toEqual({ a: 1, b: 1 });
  });

  test('of collections that are not followed is counted and passed over', async () => {
    const restriction = new Restriction('exclude', ['e'], true);
    await using follower = await Follower.open({ restriction });
    const other = { cid: '78', cname: 'e' };
    const users = { cid: '79', cname: '_users' };
    await follower.apply(
      [
        put(1001, 'a', 1),
        put(1002, 'x', 1, other),
        del(1003, 'x', users),
        created(1004, '79', '_users'),
      ],
      { verified },
    );
    expect(follower.applier.figures).toEqual({ events: 4, excluded: 3 });
    expect(follower.core.system.byName('_users')).toBeUndefined();
    expect(follower.applier.checkpoint.processedTick).toBe(1004n);
  });

  test('moves the position up to what was looked at, also without lines', async () => {
    await using follower = await Follower.open();
    await follower.apply([put(1001, 'a', 1)], { verified, scannedTo: 1500n });
    expect(follower.applier.checkpoint).toMatchObject({ appliedTick: 1500n, processedTick: 1500n });
    await follower.apply([], { verified, scannedTo: 1600n });
    await follower.restart();
    expect(follower.applier.checkpoint).toMatchObject({ appliedTick: 1600n, processedTick: 1600n });
  });

  test('longer than a step is applied whole and in order', async () => {
    await using follower = await Follower.open();
    const text = 'x'.repeat(20_000);
    const lines = Array.from({ length: 200 }, (_, i) =>
      put(1001 + i, `k${i % 70}`, text + String(i)),
    );
    await follower.apply(lines, { verified });
    expect(follower.c.stats.count).toBe(70);
    expect((await follower.content())['k59']).toBe(`${text}199`);
  });

  test('with a unique value that another document holds here removes that one first', async () => {
    await using follower = await Follower.open();
    await follower.apply([put(1001, 'old', 7), uniqueIndex(1002), put(1003, 'new', 7)], {
      verified,
    });
    expect(await follower.content()).toEqual({ new: 7 });
    expect(follower.c.stats.count).toBe(1);
  });

  test('stops with 1210 when more documents are in the way than may be removed', async () => {
    await using follower = await Follower.open();
    const fields = Array.from({ length: 11 }, (_, i) => `f${i}`);
    const indexes = fields.map((field, i) =>
      ddl(1001 + i, 2100, {
        index: { id: String(500 + i), type: 'hash', unique: true, fields: [field] },
      }),
    );
    const doc = (tick: number, key: string, values: Record<string, unknown>): string =>
      JSON.stringify({
        tick: String(tick),
        type: 2300,
        cid: '77',
        cname: 'c',
        key,
        rev: String(tick),
        data: { _key: key, _rev: String(tick), ...values },
      });
    const holders = fields.map((field, i) => doc(1100 + i, `h${i}`, { [field]: 1 }));
    const all = Object.fromEntries(fields.map((field) => [field, 1]));
    await follower.apply([...indexes, ...holders], { verified });
    await expect(follower.apply([doc(1200, 'new', all)], { verified })).rejects.toThrow(
      errorNum(1210),
    );
    expect(await follower.content()).not.toHaveProperty('new');
    expect(follower.applier.checkpoint.processedTick).toBe(1110n);
  });

  test('with an edge for a document collection stops, and the other way round', async () => {
    await using follower = await Follower.open();
    const edge = put(1001, 'a', 1).replace('2300', '2301');
    await expect(follower.apply([edge], { verified })).rejects.toThrow(errorNum(1218));
    const plain = put(1002, 'a', 1, { cid: '78', cname: 'e' });
    await expect(follower.apply([plain], { verified })).rejects.toThrow(errorNum(1218));
  });
});

describe.each([
  ['cut', true],
  ['parsed', false],
])('a transaction whose lines are %s', (_what, verified) => {
  const lines = [
    put(1001, 'before', 0),
    begin(1002, '55'),
    put(1003, 'a', 1, { tid: '55' }),
    put(1004, 'b', 2, { tid: '55' }),
    del(1005, 'before', { tid: '55' }),
    commit(1006, '55'),
    put(1007, 'after', 3),
  ];

  test('within one page is applied', async () => {
    await using follower = await Follower.open();
    await follower.apply(lines, { verified });
    expect(await follower.content()).toEqual({ a: 1, b: 2, after: 3 });
    expect(await follower.stagedCount()).toBe(0);
  });

  test('one line a page, with a restart after each, appears whole and only at its end', async () => {
    await using follower = await Follower.open();
    const seen: unknown[] = [];
    for (const line of lines) {
      await follower.apply([line], { verified });
      await follower.restart();
      seen.push(await follower.content());
    }
    const before = { before: 0 };
    expect(seen).toEqual([
      ...Array.from({ length: 5 }, () => before),
      { a: 1, b: 2 },
      { a: 1, b: 2, after: 3 },
    ]);
    expect(await follower.stagedCount()).toBe(0);
  });

  test('that is open moves the processed tick, but not the applied one', async () => {
    await using follower = await Follower.open();
    await follower.apply(lines.slice(0, 4), { verified, scannedTo: 1004n });
    expect(follower.applier.checkpoint).toMatchObject({
      appliedTick: 1001n,
      processedTick: 1004n,
      open: [{ tid: '55', startTick: 1002n, lines: 2, appliedLines: 0 }],
    });
  });

  test.each([
    ['1000', JSON.stringify({ tick: '1010', type: 1000, lastTick: '1005' })],
    ['1001', JSON.stringify({ tick: '1010', type: 1001, lastTick: '1005' })],
    ['2202', JSON.stringify({ tick: '1010', type: 2202, tid: '55' })],
    ['a change of a collection', created(1010, '900', 'other')],
    ['another 2200', begin(1010, '56')],
  ])('is forgotten at %s', async (_name, line) => {
    await using follower = await Follower.open();
    await follower.apply(lines.slice(0, 5), { verified });
    await follower.apply([line], { verified });
    expect(await follower.stagedCount()).toBe(0);
    expect(follower.applier.checkpoint.open.map(({ tid }) => tid)).toEqual(
      line.includes('2200') ? ['56'] : [],
    );
    await expect(follower.apply([commit(1020, '55')], { verified })).rejects.toThrow(
      errorNum(1408),
    );
    expect(await follower.content()).toEqual({ before: 0 });
  });

  test('without a beginning is refused with 1408, line and commit alike', async () => {
    await using follower = await Follower.open();
    const line = put(1001, 'a', 1, { tid: '9' });
    await expect(follower.apply([line], { verified })).rejects.toThrow(errorNum(1408));
    await expect(follower.apply([commit(1002, '9')], { verified })).rejects.toThrow(errorNum(1408));
    expect(await follower.content()).toEqual({});
  });

  test('that fails leaves nothing of it, and what stands before it applied', async () => {
    await using follower = await Follower.open();
    const failing = [...lines];
    failing[3] = put(1004, 'x', 2, { tid: '55', cid: '5', cname: 'gone' });
    await expect(follower.apply(failing, { verified })).rejects.toThrow(
      /collection not found, offending marker: \{"tick":"1004"/,
    );
    expect(await follower.content()).toEqual({ before: 0 });
    expect(follower.applier.checkpoint.processedTick).toBe(1001n);
  });

  test.each([
    ['in one page', 7],
    ['over several pages', 2],
  ])('that fails %s is passed over as one event when errors are ignored', async (_name, size) => {
    await using follower = await Follower.open({ ignoreErrors: 1 });
    const failing = [...lines];
    failing[3] = put(1004, 'x', 2, { tid: '55', cid: '5', cname: 'gone' });
    for (let i = 0; i < failing.length; i += size) {
      await follower.apply(failing.slice(i, i + size), { verified });
    }
    expect(await follower.content()).toEqual({ before: 0, after: 3 });
    expect(await follower.stagedCount()).toBe(0);
    expect(follower.applier.checkpoint.appliedTick).toBe(1007n);
  });

  test('above the limit is applied in several batches, and gone on with after a restart', async () => {
    await using follower = await Follower.open({ transactionMaxBytes: 500 });
    const many = Array.from({ length: 20 }, (_, i) => put(1002 + i, `k${i}`, i, { tid: '55' }));
    await follower.apply([begin(1001, '55')], { verified });
    for (const line of many) await follower.apply([line], { verified });
    // Broken off after the first batch of it, as a crash would; the page itself is one before.
    const { store } = follower.core;
    const commitBatch = store.commit.bind(store);
    let batches = 0;
    store.commit = (run, options) =>
      ++batches > 2 ? Promise.reject(new Error('killed')) : commitBatch(run, options);
    await expect(follower.apply([commit(1050, '55')], { verified })).rejects.toThrow('killed');
    await follower.restart();
    const some = Object.keys(await follower.content()).length;
    expect(some).toBeGreaterThan(0);
    expect(some).toBeLessThan(20);
    expect(follower.applier.checkpoint.open[0]).toMatchObject({ lines: 20, appliedLines: some });
    await follower.apply([commit(1050, '55')], { verified });
    expect(Object.keys(await follower.content())).toHaveLength(20);
    expect(follower.applier.checkpoint).toMatchObject({ appliedTick: 1050n, open: [] });
    expect(await follower.stagedCount()).toBe(0);
  });

  test('is logged as one where remote changes are logged, however it came', async () => {
    await using follower = await Follower.open({}, { loggerConfig: { logRemoteChanges: true } });
    await startLogger(follower.core.store, follower.core.system);
    await follower.apply(lines, { verified });
    const again = [begin(1102, '56'), put(1103, 'a', 5, { tid: '56' }), commit(1106, '56')];
    for (const line of again) await follower.apply([line], { verified });
    expect(await follower.logged()).toEqual([
      ...[1001, 2300],
      ...[2200, 2300, 2300, 2302, 2201, 2300],
      ...[2200, 2300, 2201],
    ]);
  });
});

test('transactions of later leaders may lie between each other and between single documents', async () => {
  await using follower = await Follower.open({ interleaved: true });
  const lines = [
    begin(1001, '1'),
    begin(1002, '2'),
    put(1003, 'a', 'one', { tid: '1' }),
    put(1004, 'b', 'two', { tid: '2' }),
    put(1005, 'alone', 0, { tid: '0' }),
    put(1006, 'c', 'one', { tid: '1' }),
    commit(1007, '2'),
    put(1008, 'b', 'after'),
    JSON.stringify({ tick: '1009', type: 2202, tid: '1' }),
  ];
  await follower.apply(lines.slice(0, 6));
  expect(await follower.content()).toEqual({ alone: 0 });
  expect(follower.applier.checkpoint.open.map(({ tid }) => tid)).toEqual(['1', '2']);
  await follower.apply(lines.slice(6));
  expect(await follower.content()).toEqual({ alone: 0, b: 'after' });
  expect(await follower.stagedCount()).toBe(0);
});

test('staged lines of a forgotten position are removed, those of the present one are not', async () => {
  await using follower = await Follower.open();
  await follower.apply([begin(1001, '5'), put(1002, 'a', 1, { tid: '5' })]);
  await follower.restart();
  expect(await follower.stagedCount()).toBe(1);
  const { store, system } = follower.core;
  await removeOrphans(store, system.number, []);
  expect(await follower.stagedCount()).toBe(0);
});

describe('a page that is damaged', () => {
  test.each([
    ['no JSON', '{foo', 600],
    ['no line', '[]', 1401],
    ['an unknown event', '{"tick":"1002","type":4711}', 1406],
    ['no tick', '{"type":2302,"cid":"77","cname":"c","key":"a","rev":"1"}', 1401],
    ['no key', '{"tick":"1002","type":2302,"cid":"77","cname":"c","rev":"1"}', 1401],
    ['an illegal key', put(1002, 'a/b', 1), 1221],
    ['a tick beyond 2^63', put(1002, 'a', 1).replace('1002', '9999999999999999999'), 10],
    ['a revision beyond 2^63', put(1002, 'a', 1, { rev: '18446744073709551615' }), 10],
  ])('by %s stops there, whatever may be ignored', async (_what, line, num) => {
    await using follower = await Follower.open({
      ignoreErrors: num === 1221 || num === 10 ? 0 : 5,
    });
    const page = [put(1001, 'first', 1), line];
    await expect(follower.apply(page)).rejects.toThrow(errorNum(num));
    expect(await follower.content()).toEqual({ first: 1 });
    expect(follower.applier.checkpoint.processedTick).toBe(1001n);
  });

  test('by bytes that are no UTF-8 is refused whole', async () => {
    await using follower = await Follower.open();
    const body = Buffer.concat([Buffer.from(put(1001, 'a', 1)), Buffer.from([0xff, 0x0a])]);
    const signal = new AbortController().signal;
    await expect(
      follower.applier.apply({ body, verified: false, scannedTo: 0n }, signal),
    ).rejects.toThrow(errorNum(1401));
  });

  test('after good lines loses none of them', async () => {
    await using follower = await Follower.open();
    await expect(follower.apply([put(1001, 'a', 1), '{foo'])).rejects.toThrow(errorNum(600));
    expect(await follower.content()).toEqual({ a: 1 });
    expect(follower.applier.checkpoint.processedTick).toBe(1001n);
  });
});

test('an abort ends it between steps; the position says how far it came', async () => {
  await using follower = await Follower.open();
  const abort = new AbortController();
  const text = 'x'.repeat(100_000);
  const lines = Array.from({ length: 100 }, (_, i) => `${put(1001 + i, `k${i}`, text)}\n`);
  const applied = follower.applier.apply(
    { body: Buffer.from(lines.join('')), verified: true, scannedTo: 5000n },
    abort.signal,
  );
  abort.abort();
  await applied;
  const { processedTick } = follower.applier.checkpoint;
  expect(processedTick).toBeLessThan(1100n);
  expect(follower.c.stats.count).toBe(Number(processedTick - START));
});

test('a document keeps the spelling of its numbers and loses its _id', async () => {
  await using follower = await Follower.open();
  const line =
    '{"tick":"1001","type":2300,"cid":"77","cname":"c","data":' +
    '{"n":12345678901234567890,"_id":"c/a","_key":"a","_rev":"999","f":1.50}}';
  await follower.apply([line]);
  const stored = follower.core.store.readLine(follower.c.number, 'a')?.line ?? '';
  expect(stored).toContain('{"_key":"a","_rev":"999","n":12345678901234567890,"f":1.50}');
});

test('edges of 3.x, which come as 2300, are edges here', async () => {
  await using follower = await Follower.open();
  const line =
    '{"tick":"1001","type":2300,"tid":"0","database":"1","cid":"78","cname":"e","data":' +
    '{"_id":"e/x","_key":"x","_rev":"9","_from":"c/a","_to":"c/b","v":1}}';
  await follower.apply([line]);
  const stored = follower.core.store.readLine(follower.core.system.get('e').number, 'x');
  expect(stored?.line).toContain('"type":2301');
  expect(stored?.line).toContain('"_from":"c/a","_to":"c/b","v":1}');
});

describe('events about collections and indexes', () => {
  test('are applied between documents in their order, each with the position', async () => {
    await using follower = await Follower.open();
    await follower.apply([
      put(1001, 'a', 1),
      created(1002, '900', 'new'),
      put(1003, 'b', 1, { cid: '900', cname: 'new' }),
      ddl(1004, 2002, { collection: { name: 'renamed' }, cname: 'new' }, '900'),
      put(1005, 'c', 1, { cid: '900', cname: 'renamed' }),
      ddl(1006, 2001, {}),
    ]);
    expect(await follower.content('renamed')).toEqual({ b: 1, c: 1 });
    expect(follower.core.system.byName('c')).toBeUndefined();
    await follower.restart();
    expect(follower.applier.checkpoint.processedTick).toBe(1006n);
    expect(follower.core.system.get('renamed').cid).toBe('900');
  });

  test('may all come again without any effect', async () => {
    await using follower = await Follower.open();
    await follower.apply([uniqueIndex(1001), ddl(1002, 2002, { collection: { name: 'd' } })]);
    await follower.apply([
      created(1003, '77', 'c'),
      created(1004, '4444', 'd'),
      uniqueIndex(1005),
      ddl(1006, 2002, { collection: { name: 'd' } }),
      ddl(1007, 2001, { cname: 'unknown' }, '5'),
      ddl(1008, 2101, { id: '123456' }),
    ]);
    expect(follower.core.system.get('d').cid).toBe('77');
    expect(follower.core.system.get('d').indexDefinitions).toHaveLength(1);
    expect(follower.applier.checkpoint.processedTick).toBe(1008n);
    expect(follower.applier.figures.events).toBe(8);
  });

  test('change properties, and keep what the event does not say', async () => {
    await using follower = await Follower.open();
    await follower.apply([
      ddl(1001, 2003, {
        collection: { waitForSync: true, doCompact: false, maximalSize: 2_000_000 },
      }),
      ddl(1002, 2003, { collection: { waitForSync: false, maximalSize: 17 } }),
    ]);
    expect(follower.c.parameters).toMatchObject({
      waitForSync: false,
      doCompact: false,
      maximalSize: 2_000_000,
    });
  });

  test('make and drop indexes with the ids of the leader', async () => {
    await using follower = await Follower.open();
    await follower.apply([uniqueIndex(1001, '991'), uniqueIndex(1002, '991')]);
    expect(follower.c.indexDefinitions).toMatchObject([{ id: '991', type: 'hash', unique: true }]);
    await follower.apply([ddl(1003, 2101, { id: '991' })]);
    expect(follower.c.indexDefinitions).toEqual([]);
  });

  test('of 3.x carry what they say in data', async () => {
    await using follower = await Follower.open();
    const line = (tick: number, type: number, data: unknown): string =>
      JSON.stringify({ tick: String(tick), type, database: '1', cid: '900', cname: 'x', data });
    await follower.apply([
      line(1001, 2000, { cid: '900', id: '900', name: 'x', type: 2, waitForSync: true }),
      line(1002, 2100, { id: '901', type: 'skiplist', fields: ['q'], unique: false, sparse: true }),
      put(1003, 'a', 1, { cid: '900', cname: 'x' }),
      line(1004, 2004, {}),
    ]);
    const { system } = follower.core;
    expect(system.get('x').indexDefinitions).toMatchObject([{ id: '901', sparse: true }]);
    expect(await follower.content('x')).toEqual({});
    await follower.apply([line(1005, 2001, { id: '900', name: 'x' })]);
    expect(system.byName('x')).toBeUndefined();
  });

  test.each([
    [
      'a rename of an unknown collection',
      ddl(1001, 2002, { collection: { name: 'n' } }, '5'),
      1203,
    ],
    ['a rename to a name that is taken', ddl(1001, 2002, { collection: { name: 'e' } }), 1207],
    ['a rename without a name', ddl(1001, 2002, { collection: {} }), 1406],
    ['a creation of another type', created(1001, '900', 'c', 3), 1207],
    ['a creation with an illegal name', created(1001, '900', 'a b'), 1208],
    ['an index of an unknown collection', ddl(1001, 2100, { index: {} }, '5'), 1203],
    ['an index that is not described', ddl(1001, 2100, {}), 1406],
  ])('%s stops the applier', async (_what, line, num) => {
    await using follower = await Follower.open();
    const stopped = follower.apply([
      line.replace('"cid":"5","cname":"c"', '"cid":"5","cname":"?"'),
    ]);
    await expect(stopped).rejects.toThrow(errorNum(num));
    await expect(stopped).rejects.toThrow(/, offending marker: \{"tick":"1001"/);
    expect(follower.applier.checkpoint.processedTick).toBe(START);
  });

  test('an index that local documents do not satisfy stops the applier and is not left behind', async () => {
    await using follower = await Follower.open();
    await follower.apply([put(1001, 'a', 1), put(1002, 'b', 1)]);
    await expect(follower.apply([uniqueIndex(1003)])).rejects.toThrow(errorNum(1210));
    expect(follower.c.indexDefinitions).toEqual([]);
    expect(follower.applier.checkpoint.processedTick).toBe(1002n);
  });
});
