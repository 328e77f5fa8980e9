import { describe, expect, test } from 'vitest';
import type { Origin } from '../../../src/changelog/changelog.ts';
import { DocumentTx } from '../../../src/documents/document-tx.ts';
import { startLogger, stopLogger } from '../../../src/documents/databases.ts';
import type { Tick } from '../../../src/model/tick.ts';
import { logLines } from '../../support/log-lines.ts';
import { TestCore } from '../../support/store.ts';

/** Writes a document as a client or as an applier does; returns the tick of its journal entry. */
function write(core: TestCore, key: string, origin: Origin = 'local'): Promise<Tick> {
  const database = core.system;
  return core.store.commit((tx) => {
    const writes = new DocumentTx({ tx, database }, { origin, grouped: false });
    const collection = database.get('c');
    const rev = writes.upsert(collection, key, { value: {}, rest: '' }, undefined);
    writes.finish();
    return BigInt(rev);
  });
}

async function open(
  config: { logRemoteChanges?: boolean; autoStart?: boolean } = {},
): Promise<TestCore> {
  const core = await TestCore.open({ loggerConfig: config });
  await core.collections.create(core.system, { name: 'c' });
  return core;
}

describe('rule 8: the hole before which a log is incomplete', () => {
  test('a reader from before the logger first ran is told to copy anew', async () => {
    await using core = await open();
    const unlogged = await write(core, 'a');
    await startLogger(core.store, core.system);
    const logged = await write(core, 'b');
    const { changelog } = core.system;
    expect(changelog.holds(0n)).toBe(false);
    expect(changelog.holds(unlogged - 1n)).toBe(false);
    expect(changelog.holds(unlogged)).toBe(true);
    expect(changelog.holds(logged)).toBe(true);
  });

  test('a database that never had an unlogged change holds everything from the start', async () => {
    await using core = await TestCore.open();
    await startLogger(core.store, core.system);
    await core.collections.create(core.system, { name: 'c' });
    await write(core, 'a');
    expect(core.system.changelog.holeAt).toBe(0n);
    expect(core.system.changelog.holds(0n)).toBe(true);
  });

  test('stopping the logger makes no hole, the first unlogged write does, and further ones move it', async () => {
    await using core = await open();
    await startLogger(core.store, core.system);
    const logged = await write(core, 'a');
    await stopLogger(core.store, core.system);
    const { changelog } = core.system;
    expect(changelog.holds(logged)).toBe(true);
    const first = await write(core, 'b');
    expect(changelog.holds(logged)).toBe(false);
    expect(changelog.holds(first - 1n)).toBe(false);
    expect(changelog.holds(first)).toBe(true);
    const second = await write(core, 'c');
    expect(changelog.holds(first)).toBe(false);
    expect(changelog.holds(second)).toBe(true);
  });

  test('a hole stays where it was when the logger starts again', async () => {
    await using core = await open();
    await startLogger(core.store, core.system);
    await stopLogger(core.store, core.system);
    await write(core, 'a');
    const last = await write(core, 'b');
    await startLogger(core.store, core.system);
    await write(core, 'c');
    const { changelog } = core.system;
    expect(changelog.holeAt).toBe(last);
    expect(changelog.holds(last)).toBe(true);
    expect(changelog.holds(last - 1n)).toBe(false);
    await core.reopen();
    expect(core.system.changelog.holeAt).toBe(last);
  });

  test('a change of a collection or an index that goes unlogged makes a hole too', async () => {
    await using core = await open();
    await startLogger(core.store, core.system);
    await stopLogger(core.store, core.system);
    const { changelog } = core.system;
    const collection = core.system.get('c');
    const changes = [
      () => core.collections.create(core.system, { name: 'd' }),
      () => core.collections.rename(core.system, collection, 'e'),
      () => core.collections.changeProperties(core.system, collection, { waitForSync: true }),
      () => core.collections.createIndex(core.system, collection, { type: 'hash', fields: ['a'] }),
      () => core.collections.drop(core.system, collection),
    ];
    for (const change of changes) {
      const before = core.store.lastCommitted;
      expect(changelog.holds(before)).toBe(true);
      await change();
      expect(changelog.holds(before)).toBe(false);
    }
  });

  test('excluded collections are neither logged nor missed', async () => {
    await using core = await open();
    await startLogger(core.store, core.system);
    const jobs = await core.collections.create(core.system, { name: '_jobs' });
    await core.documents.insert(core.system, jobs, '{}');
    await stopLogger(core.store, core.system);
    const { holeAt } = core.system.changelog;
    await core.documents.insert(core.system, jobs, '{}');
    await core.collections.drop(core.system, jobs);
    expect(core.system.changelog.holeAt).toBe(holeAt);
    const lines = await logLines(core.system.changelog);
    expect(lines.map(({ type }) => type)).toEqual([1001, 1000]);
  });

  test('remote changes make no hole while they are not to be logged', async () => {
    await using core = await open();
    await startLogger(core.store, core.system);
    const { holeAt } = core.system.changelog;
    await write(core, 'a', 'remote');
    await stopLogger(core.store, core.system);
    await write(core, 'b', 'remote');
    expect(core.system.changelog.holeAt).toBe(holeAt);
    expect(await logLines(core.system.changelog)).toHaveLength(2);
  });

  test('where remote changes begin to be logged, those before are a hole, and none is made without them', async () => {
    for (const remoteChanges of [false, true]) {
      await using core = await open();
      await startLogger(core.store, core.system);
      const before = await write(core, 'a');
      if (remoteChanges) await write(core, 'b', 'remote');
      await core.reopen();
      await startLogger(core.store, core.system);
      const { changelog } = core.system;
      expect(changelog.holds(before)).toBe(true);
      const last = core.store.lastCommitted;
      const configure = (logRemoteChanges: boolean): Promise<void> =>
        core.store.commit(
          (tx) => changelog.configure(tx, { ...changelog.config, logRemoteChanges }),
          { exclusive: true },
        );
      await configure(true);
      expect(changelog.holds(before)).toBe(!remoteChanges);
      expect(changelog.holds(last)).toBe(true);
      await configure(false);
      await configure(true);
      expect(changelog.holds(last)).toBe(true);
    }
  });

  test('a position in an earlier database of the same name does not hold in the new one', async () => {
    await using core = await open();
    const first = await core.databases.create('other');
    await startLogger(core.store, first);
    const position = first.changelog.state.lastTick;
    await core.databases.drop('other');
    const second = await core.databases.create('other');
    await startLogger(core.store, second);
    expect(second.changelog.holds(position)).toBe(false);
    expect(second.changelog.holds(second.changelog.state.lastTick)).toBe(true);
    expect(second.changelog.holds(0n)).toBe(true);
    await core.reopen();
    expect(core.catalogue.get('other').changelog.holds(position)).toBe(false);
  });

  test('with logRemoteChanges they are logged, and make a hole when the logger is stopped', async () => {
    await using core = await open({ logRemoteChanges: true });
    await startLogger(core.store, core.system);
    await write(core, 'a', 'remote');
    const lines = await logLines(core.system.changelog);
    expect(lines.map(({ type }) => type)).toEqual([1001, 2300]);
    await stopLogger(core.store, core.system);
    const tick = await write(core, 'b', 'remote');
    expect(core.system.changelog.holeAt).toBe(tick);
  });

  test('a restart without the logger makes a hole at the first write, not before', async () => {
    await using core = await open();
    await startLogger(core.store, core.system);
    const logged = await write(core, 'a');
    await core.reopen();
    const { changelog } = core.system;
    expect(changelog.running).toBe(false);
    expect(changelog.holds(logged)).toBe(true);
    const unlogged = await write(core, 'b');
    expect(changelog.holds(logged)).toBe(false);
    expect(changelog.holds(unlogged)).toBe(true);
  });

  test('unlogged writes of an earlier run are not forgotten, even those after the first', async () => {
    await using core = await open();
    await startLogger(core.store, core.system);
    await stopLogger(core.store, core.system);
    await write(core, 'a');
    const last = await write(core, 'b');
    await core.reopen();
    const { changelog } = core.system;
    expect(changelog.holds(last - 1n)).toBe(false);
    expect(changelog.holds(core.store.lastCommitted)).toBe(true);
    await startLogger(core.store, core.system);
    expect(changelog.holds(last - 1n)).toBe(false);
  });

  test('a logger that starts by itself leaves no hole across a restart', async () => {
    await using core = await TestCore.open({ loggerConfig: { autoStart: true } });
    expect(core.system.changelog.running).toBe(true);
    await core.collections.create(core.system, { name: 'c' });
    const tick = await write(core, 'a');
    await core.reopen();
    await write(core, 'b');
    expect(core.system.changelog.holds(tick)).toBe(true);
    expect(core.system.changelog.holds(0n)).toBe(true);
    const lines = await logLines(core.system.changelog);
    expect(lines.map(({ type }) => type)).toEqual([1001, 2000, 2300, 1001, 2300]);
    expect(lines[3]!['lastTick']).toBe(tick.toString());
  });

  test('P6: a noted hole only moves forward', async () => {
    await using core = await TestCore.open();
    await startLogger(core.store, core.system);
    const { changelog } = core.system;
    const hole = core.store.lastCommitted + 500n;
    await core.store.commit((tx) => {
      tx.observeTick(hole);
      tx.drawTick();
      changelog.noteHole(tx, hole);
    });
    expect([changelog.holds(hole - 1n), changelog.holds(hole)]).toEqual([false, true]);
    await core.store.commit((tx) => changelog.noteHole(tx, hole - 100n));
    expect(changelog.holeAt).toBe(hole);
  });

  test('an unlogged write that is refused makes no hole', async () => {
    await using core = await open();
    await startLogger(core.store, core.system);
    await stopLogger(core.store, core.system);
    const { holeAt } = core.system.changelog;
    await expect(
      core.documents.insert(core.system, core.system.get('c'), '{"_key":"no good"}'),
    ).rejects.toMatchObject({ kind: 'illegalDocumentKey' });
    expect(core.system.changelog.holeAt).toBe(holeAt);
  });
});

describe('starting and stopping the logger', () => {
  test('each writes one event with the tick before it, and doing it twice does nothing', async () => {
    await using core = await open();
    await startLogger(core.store, core.system);
    await startLogger(core.store, core.system);
    const tick = await write(core, 'a');
    await stopLogger(core.store, core.system);
    await stopLogger(core.store, core.system);
    const lines = await logLines(core.system.changelog);
    expect(lines.map(({ type, lastTick }) => [type, lastTick])).toEqual([
      [1001, '0'],
      [2300, undefined],
      [1000, tick.toString()],
    ]);
    expect(core.system.changelog.totalEvents).toBe(3);
    expect(core.system.changelog.state).toMatchObject({
      firstTick: lines[0]!.tick,
      lastTick: lines[2]!.tick,
      events: 3,
    });
  });

  test('writes beside a start are logged wholly or not at all', async () => {
    await using core = await open();
    const writes = Array.from({ length: 50 }, (_, i) => write(core, `a${i}`));
    const start = startLogger(core.store, core.system);
    const more = Array.from({ length: 50 }, (_, i) => write(core, `b${i}`));
    const ticks = await Promise.all(writes);
    const logged = await Promise.all(more);
    await start;
    const { changelog } = core.system;
    expect(changelog.holeAt).toBe(ticks.at(-1));
    const lines = await logLines(changelog);
    expect(lines.map(({ tick }) => tick).slice(1)).toEqual(logged);
  });

  test('settings stay over a restart', async () => {
    await using core = await TestCore.open();
    const config = {
      ...{ autoStart: true, logRemoteChanges: true, maxEvents: 5000, maxEventsSize: 0 },
      ...{ retainForClients: 60, retainForClientsSize: 0 },
    };
    await core.store.commit((tx) => core.system.changelog.configure(tx, config), {
      exclusive: true,
    });
    expect(core.system.changelog.config).toEqual(config);
    await core.reopen();
    expect(core.system.changelog.config).toEqual(config);
    expect(core.system.changelog.running).toBe(true);
  });
});
