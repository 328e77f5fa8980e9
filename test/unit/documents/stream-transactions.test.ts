import { describe, expect, test } from 'vitest';
import type { Collection } from '../../../src/documents/collection.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import { DocumentTx } from '../../../src/documents/document-tx.ts';
import { StreamTransactions } from '../../../src/documents/stream-transactions.ts';
import type { StreamTransaction } from '../../../src/documents/stream-transaction.ts';
import type { CollectionAccess } from '../../../src/documents/write-locks.ts';
import type { ErrorName } from '../../../src/model/errors.ts';
import { failNextWrite, watchSync } from '../../support/batch-control.ts';
import { logLines } from '../../support/log-lines.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { TestCore } from '../../support/store.ts';

const MIB = 1024 * 1024;
const LIMITS = { maxBytes: MIB, budgetBytes: 2 * MIB, maxOpen: 10, idleTimeoutMs: 60_000 };
const NEVER = new AbortController().signal;

interface Opened extends AsyncDisposable {
  readonly core: TestCore;
  readonly c: Collection;
  readonly transactions: StreamTransactions;
  readonly begin: (access?: CollectionAccess) => Promise<StreamTransaction>;
  readonly insert: (
    body: Record<string, unknown>,
    transaction?: StreamTransaction,
  ) => Promise<unknown>;
  /** What an applier writes, whatever is locked. */
  readonly writeRemote: (key: string, value: Record<string, unknown> | undefined) => Promise<void>;
}

async function open(): Promise<Opened> {
  const clock = new ManualClock();
  const core = await TestCore.open({ clock });
  await startLogger(core.store, core.system);
  const c = await core.collections.create(core.system, { name: 'c' });
  const transactions = new StreamTransactions({ store: core.store, clock }, LIMITS);
  return {
    core,
    c,
    transactions,
    begin: (access = 'write') =>
      transactions.begin(
        core.system,
        {
          access: new Map([[c, access]]),
          waitForSync: false,
          allowImplicit: true,
          lockTimeoutMs: 50,
        },
        NEVER,
      ),
    insert: (body, transaction) =>
      core.documents.insert(core.system, c, JSON.stringify(body), { transaction }),
    writeRemote: (key, value) =>
      core.store.commit((tx) => {
        const database = core.system;
        const writes = new DocumentTx({ tx, database }, { origin: 'remote', grouped: false });
        const old = writes.pointer(c, key);
        const rest = value && JSON.stringify(value).slice(1, -1);
        if (value) writes.upsert(c, key, { value, rest: rest ?? '' }, old);
        else if (old) writes.remove(c, key, old);
        writes.finish();
      }),
    async [Symbol.asyncDispose]() {
      await transactions.close();
      await core[Symbol.asyncDispose]();
    },
  };
}

function refusal(kind: ErrorName, httpStatus?: number): Error {
  return expect.objectContaining({
    kind,
    ...(httpStatus === undefined ? {} : { httpStatus }),
  }) as Error;
}

describe('what an applier does meanwhile', () => {
  test('a document that it changed, removed or made fails the commit, and nothing is lost silently', async () => {
    await using opened = await open();
    const { core, c, begin, insert, writeRemote } = opened;
    await insert({ _key: 'changed' });
    await insert({ _key: 'removed' });
    const cases = [
      ['changed', { remote: true }],
      ['removed', undefined],
      ['made', { remote: true }],
    ] as const;
    for (const [key, value] of cases) {
      const transaction = await begin();
      await core.documents.insert(core.system, c, JSON.stringify({ _key: key, mine: true }), {
        overwriteMode: 'replace',
        transaction,
      });
      await insert({ _key: `beside ${key}`.replace(' ', '-') }, transaction);
      await writeRemote(key, value);
      await expect(transaction.commit()).rejects.toEqual(refusal('conflict', 409));
      expect(transaction.status).toBe('aborted');
      expect(() => core.documents.read(c, `beside-${key}`)).toThrow();
      if (value) expect(core.documents.read(c, key).text).toContain('"remote":true');
      else expect(() => core.documents.read(c, key)).toThrow();
    }
    expect(core.system.locks.isEmpty).toBe(true);
    expect(opened.transactions.usedBytes).toBe(0);
  });

  test('a unique value that it took fails the commit', async () => {
    await using opened = await open();
    const { core, c, begin, insert, writeRemote } = opened;
    const index = { type: 'hash', unique: true, fields: ['u'] };
    await core.collections.createIndex(core.system, c, index);
    const transaction = await begin();
    await insert({ _key: 'mine', u: 1 }, transaction);
    await writeRemote('theirs', { u: 1 });
    await expect(transaction.commit()).rejects.toEqual(refusal('uniqueConstraintViolated'));
    expect(c.stats.count).toBe(1);
  });

  test('documents that it wrote and the transaction did not are no obstacle', async () => {
    await using opened = await open();
    const { c, begin, insert, writeRemote } = opened;
    const transaction = await begin();
    await insert({ _key: 'mine' }, transaction);
    await writeRemote('theirs', {});
    await transaction.commit();
    expect(c.stats.count).toBe(2);
  });
});

describe('a commit', () => {
  test('can not be aborted once it is under way, and takes no more operations', async () => {
    await using opened = await open();
    const { core, c, begin, insert, transactions } = opened;
    const transaction = await begin();
    await insert({ _key: 'k' }, transaction);
    const committing = transaction.commit();
    expect(() => transaction.abort()).toThrow(refusal('transactionDisallowed'));
    expect(transaction.status).toBe('running');
    await expect(insert({ _key: 'l' }, transaction)).rejects.toEqual(
      refusal('transactionDisallowed'),
    );
    // Others already see what it wrote, and are not kept from it.
    await expect(insert({ _key: 'k' })).rejects.toEqual(refusal('uniqueConstraintViolated'));
    await transactions.abortAll(core.system);
    await committing;
    expect(transaction.status).toBe('committed');
    expect(c.stats.count).toBe(1);
  });

  test('is as if it had been sent later when operations are on their way', async () => {
    await using opened = await open();
    const { c, begin, insert } = opened;
    const transaction = await begin();
    const inserting = insert({ _key: 'k' }, transaction);
    await Promise.all([inserting, transaction.commit()]);
    expect(c.stats.count).toBe(1);
  });

  test('fails with the store, and then the transaction holds nothing', async () => {
    await using opened = await open();
    const { core, begin, insert, transactions } = opened;
    const transaction = await begin();
    await insert({ _key: 'k' }, transaction);
    failNextWrite(core.store);
    await expect(transaction.commit()).rejects.toEqual(refusal('filesystemFull'));
    expect(transaction.status).toBe('aborted');
    expect(core.system.locks.isEmpty).toBe(true);
    expect(transactions.usedBytes).toBe(0);
  });

  test('is one batch whose last tick is that of its 2201, also with the largest documents', async () => {
    await using opened = await open();
    const { core, begin, insert } = opened;
    const transaction = await begin();
    for (let n = 0; n < 8; n++) await insert({ _key: `k${n}`, s: 'ü'.repeat(50_000) }, transaction);
    const seen = new Set<number>();
    const from = core.store.lastCommitted;
    const watching = setInterval(() => seen.add(opened.c.stats.count), 0);
    await transaction.commit();
    clearInterval(watching);
    for (const count of seen) expect([0, 8]).toContain(count);
    const lines = await logLines(core.system.changelog, { from });
    expect(lines.map(({ type }) => type)).toEqual([2200, ...Array<number>(8).fill(2300), 2201]);
    expect(lines.at(-1)?.tick).toBe(core.store.lastCommitted);
    const { text } = core.documents.read(opened.c, 'k7');
    expect((JSON.parse(text) as { s: string }).s).toBe('ü'.repeat(50_000));
  });

  test('asks for an fsync when the transaction or a collection it wrote to says so, operations do not', async () => {
    await using opened = await open();
    const { core, c, begin, insert, transactions } = opened;
    const other = await core.collections.create(core.system, { name: 'd', waitForSync: true });
    const access = new Map<Collection, CollectionAccess>([
      [c, 'write'],
      [other, 'write'],
    ]);
    const wanted = { access, waitForSync: false, allowImplicit: true, lockTimeoutMs: 0 };
    const plain = await begin();
    const told = await transactions.begin(core.system, { ...wanted, waitForSync: true }, NEVER);
    const untouched = await transactions.begin(core.system, wanted, NEVER);
    const touched = await transactions.begin(core.system, wanted, NEVER);
    await insert({ _key: 'plain' }, plain);
    await insert({ _key: 'told' }, told);
    await insert({ _key: 'untouched' }, untouched);
    const synced = watchSync(core.store);
    await core.documents.insert(core.system, other, '{}', { transaction: touched });
    for (const transaction of [plain, told, untouched, touched]) await transaction.commit();
    expect(synced).toEqual([false, false, true, false, true]);
  });

  test('with the logger stopped it is stored, and the hole in the log is noted', async () => {
    await using core = await TestCore.open();
    const c = await core.collections.create(core.system, { name: 'c' });
    const transactions = new StreamTransactions(
      { store: core.store, clock: new ManualClock() },
      LIMITS,
    );
    const wanted = {
      access: new Map<Collection, CollectionAccess>([[c, 'write']]),
      ...{ waitForSync: true, allowImplicit: true, lockTimeoutMs: 0 },
    };
    const transaction = await transactions.begin(core.system, wanted, NEVER);
    const before = core.system.changelog.holeAt;
    await core.documents.insert(core.system, c, '{"_key":"k"}', { transaction });
    await transaction.commit();
    await transactions.close();
    expect(c.stats.count).toBe(1);
    expect(core.system.changelog.holeAt).toBeGreaterThan(before);
    expect(await logLines(core.system.changelog)).toEqual([]);
  });
});

describe('what is kept of those that have ended', () => {
  test('the last thousand can still be asked for', async () => {
    await using opened = await open();
    const { core, begin, transactions } = opened;
    const ids: string[] = [];
    for (let n = 0; n < 1002; n++) {
      const transaction = await begin('read');
      ids.push(transaction.id);
      transaction.abort();
    }
    for (const id of ids.slice(0, 2)) {
      expect(() => transactions.get(core.system, id)).toThrow(refusal('transactionNotFound'));
    }
    expect(transactions.get(core.system, ids[2] ?? '').status).toBe('aborted');
  });
});
