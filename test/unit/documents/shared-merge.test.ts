import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { Collection } from '../../../src/documents/collection.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import { DocumentTx } from '../../../src/documents/document-tx.ts';
import { compactJournal } from '../../../src/documents/journal-compaction.ts';
import { dataOfLine } from '../../../src/documents/stored-document.ts';
import { PlainLines } from '../../../src/protocol/plain-lines.ts';
import { Space, numberRange } from '../../../src/storage/keys.ts';
import { holdNextWrite } from '../../support/batch-control.ts';
import { JournalModel, expectWhole } from '../../support/journal-model.ts';
import { TestCore } from '../../support/store.ts';
import { verifyCore } from '../../support/verify-core.ts';

const COUNT = 100;
const SMALL = 'x'.repeat(50);

/** Documents k0 to k99, each in a block of its own. */
async function fill(core: TestCore): Promise<Collection> {
  await startLogger(core.store, core.system);
  const c = await core.collections.create(core.system, { name: 'c' });
  for (let i = 0; i < COUNT; i++) await insert(core, c, `k${i}`);
  return c;
}

function insert(core: TestCore, c: Collection, key: string): Promise<unknown> {
  return core.documents.insert(core.system, c, `{"_key":"${key}","pad":"${SMALL}"}`, {
    overwriteMode: 'replace',
  });
}

function merge({ store }: TestCore, c: Collection): Promise<boolean> {
  const limits = {
    horizon: () => undefined,
    removalAgeMs: 1000,
    nowMs: () => 0,
    lastPass: new WeakMap(),
  };
  return compactJournal(store, c, limits, new AbortController().signal);
}

/** Runs something in the queue on documents, as a request does. */
function request<T>(core: TestCore, run: (writes: DocumentTx) => T): Promise<T> {
  return core.store.commit((tx) => {
    const writes = new DocumentTx(
      { tx, database: core.system },
      { origin: 'local', grouped: false },
    );
    const result = run(writes);
    writes.finish();
    return result;
  });
}

/** The keys of documents that are found within a request, read as its text says. */
function readAll(writes: DocumentTx, c: Collection): string[] {
  const found: string[] = [];
  for (let i = 0; i < COUNT; i++) {
    const pointer = writes.pointer(c, `k${i}`);
    if (!pointer) continue;
    const document = JSON.parse(writes.text(c, `k${i}`, pointer)) as { _key: string; _rev: string };
    expect(document).toMatchObject({ _key: `k${i}`, _rev: pointer.rev });
    found.push(document._key);
  }
  return found;
}

async function blockCount({ store }: TestCore, { number }: Collection): Promise<number> {
  const { start, end } = numberRange(Space.journal, number);
  return (await store.level.keys({ gte: start, lt: end }).all()).length;
}

test('requests in the batch of a merge, and in the next one, read, replace and remove what it moves', async () => {
  await using core = await TestCore.open();
  const c = await fill(core);
  const { store } = core;
  const first = holdNextWrite(store);
  const before = Promise.all([
    insert(core, c, 'k0'),
    request(core, (writes) => writes.remove(c, 'k99', writes.pointer(c, 'k99')!)),
  ]);
  await first.began;
  const commit = vi.spyOn(store, 'commit');
  const early = request(core, (writes) => {
    writes.remove(c, 'k1', writes.pointer(c, 'k1')!);
  });
  const merging = merge(core, c);
  // It has seen what the held batch replaces, and joins the next one, behind the removal.
  while (commit.mock.calls.length < 2) await sleep(1);
  const beside = request(core, (writes) => {
    writes.remove(c, 'k2', writes.pointer(c, 'k2')!);
    const found = readAll(writes, c);
    const old = writes.pointer(c, 'k3')!;
    writes.upsertText(c, 'k3', '77', '{"_key":"k3","_rev":"77"}', old);
    return [...found, ...readAll(writes, c)];
  });
  const refused = request(core, (writes) => {
    writes.remove(c, 'k4', writes.pointer(c, 'k4')!);
    throw new Error('taken back');
  });
  await expect(refused).rejects.toThrow('taken back');
  const second = holdNextWrite(store);
  first.release();
  await second.began;
  const next = request(core, (writes) => {
    const found = readAll(writes, c);
    writes.remove(c, 'k5', writes.pointer(c, 'k5')!);
    return found;
  });
  // In the store nothing has changed yet.
  expect(store.readLine(c.number, 'k1')).toBeDefined();
  second.release();
  const left = ['k0', ...Array.from({ length: COUNT - 4 }, (_, i) => `k${i + 3}`)];
  expect(await beside).toEqual([...left, ...left]);
  expect(await next).toEqual(left);
  await Promise.all([before, early, merging]);
  expect(await blockCount(core, c)).toBeLessThan(6);
  await verifyCore(core);
  await core.reopen();
  await verifyCore(core);
});

test('a merge joins others: it does not wait until nothing is written', async () => {
  await using core = await TestCore.open();
  const c = await fill(core);
  const held = holdNextWrite(core.store);
  const before = insert(core, c, 'before');
  await held.began;
  const commit = vi.spyOn(core.store, 'commit');
  const merging = merge(core, c);
  while (commit.mock.calls.length === 0) await sleep(1);
  let ran = false;
  const behind = core.store.commit(() => (ran = true));
  expect(ran).toBe(true);
  held.release();
  await Promise.all([before, merging, behind]);
  await verifyCore(core);
});

test('lines of a run behind a merge in its batch are newer than what it moves', async () => {
  await using core = await TestCore.open();
  const c = await fill(core);
  const { store } = core;
  const model = new JournalModel();
  for (let i = 0; i < COUNT; i++) {
    const { pointer, line } = store.readLine(c.number, `k${i}`)!;
    model.note({ tick: pointer.tick, key: `k${i}`, data: dataOfLine(line) });
  }
  const data = '{"_key":"k2","_rev":"202"}';
  const run = new PlainLines(
    Buffer.from(
      '{"tick":"101","type":2302,"key":"k1","rev":"201"}\n' +
        `{"tick":"102","type":2300,"key":"k2","rev":"202","data":${data}}\n`,
    ),
  );
  expect(run.next(0, 1000)).toBe(true);
  const commit = vi.spyOn(store, 'commit');
  const held = holdNextWrite(store);
  const before = store.commit(() => undefined);
  await held.began;
  const merging = merge(core, c);
  while (commit.mock.calls.length < 2) await sleep(1);
  const applied = store.commit((tx) => {
    const writes = new DocumentTx(
      { tx, database: core.system },
      { origin: 'remote', grouped: false },
    );
    expect(writes.takesRuns(c)).toBe(true);
    writes.writeRun([c], run);
    writes.finish();
    return [readAll(writes, c).length, writes.pointer(c, 'k1'), writes.pointer(c, 'k2')?.rev];
  });
  held.release();
  expect(await applied).toEqual([COUNT - 1, undefined, '202']);
  await Promise.all([before, merging]);
  model.note({ tick: store.lastCommitted, key: 'k1', data: undefined });
  model.note({ tick: store.lastCommitted, key: 'k2', data });
  await expectWhole(store, c, model);
});
