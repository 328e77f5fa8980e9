import { expect, test } from 'vitest';
import type { Database } from '../../../src/documents/database.ts';
import { DocumentTx } from '../../../src/documents/document-tx.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import { TestCore } from '../../support/store.ts';

function applyRemote(core: TestCore, database: Database, key: string): Promise<void> {
  return core.store.commit((tx) => {
    const writes = new DocumentTx({ tx, database }, { origin: 'remote', grouped: false });
    writes.upsert(database.get('c'), key, { value: {}, rest: '' }, undefined);
    writes.finish();
  });
}

function logRemoteChanges(core: TestCore, database: Database, on: boolean): Promise<void> {
  const { changelog } = database;
  return core.store.commit(
    (tx) => {
      changelog.configure(tx, { ...changelog.config, logRemoteChanges: on });
    },
    { exclusive: true },
  );
}

test('a position in a dropped database is not one in the new database of that name', async () => {
  await using core = await TestCore.open();
  const before = await core.databases.create('d');
  await startLogger(core.store, before);
  await core.collections.create(before, { name: 'c' });
  const position = before.changelog.state.lastTick;
  expect(before.changelog.holds(position)).toBe(true);
  await core.databases.drop('d');
  const after = await core.databases.create('d');
  await startLogger(core.store, after);
  expect(after.changelog.holds(position)).toBe(false);
  expect(after.changelog.holds(0n)).toBe(true);
  expect(after.changelog.holds(1n)).toBe(true);
  expect(after.changelog.holds(after.changelog.state.lastTick)).toBe(true);
  await core.reopen();
  expect(core.catalogue.get('d').changelog.holds(position)).toBe(false);
});

test('remote changes that went unlogged are a hole once remote changes are logged', async () => {
  await using core = await TestCore.open();
  await startLogger(core.store, core.system);
  await core.collections.create(core.system, { name: 'c' });
  const position = core.system.changelog.state.lastTick;
  await applyRemote(core, core.system, 'a');
  expect(core.system.changelog.holds(position)).toBe(true);
  await core.reopen();
  await logRemoteChanges(core, core.system, true);
  const { changelog } = core.system;
  expect(changelog.holds(position)).toBe(false);
  expect(changelog.holds(core.store.lastCommitted)).toBe(true);
});

test('logging remote changes from the start on makes no hole', async () => {
  await using core = await TestCore.open();
  await startLogger(core.store, core.system);
  await core.collections.create(core.system, { name: 'c' });
  const position = core.system.changelog.state.lastTick;
  await logRemoteChanges(core, core.system, true);
  await applyRemote(core, core.system, 'a');
  expect(core.system.changelog.holds(position)).toBe(true);
});

test('a restart makes no hole where nothing went unlogged since', async () => {
  await using core = await TestCore.open();
  await core.collections.create(core.system, { name: 'c' });
  await core.documents.insert(core.system, core.system.get('c'), '{"_key":"a"}');
  const position = core.store.lastCommitted;
  expect(core.system.changelog.holds(position)).toBe(true);
  await core.reopen();
  expect(core.system.changelog.holds(position)).toBe(true);
});

test('a position above everything that was ever committed is none of this log', async () => {
  await using core = await TestCore.open();
  await startLogger(core.store, core.system);
  expect(core.system.changelog.holds(core.store.lastCommitted)).toBe(true);
  expect(core.system.changelog.holds(core.store.lastCommitted + 1n)).toBe(false);
});
