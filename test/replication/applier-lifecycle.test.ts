import { describe, expect, test } from 'vitest';
import { EndingRecord } from '../../src/follower/applier-ending.ts';
import { isServiceError } from '../../src/model/errors.ts';
import { documentsOf } from '../support/sync-follower.ts';
import { ApplierFollower, expectEqual, openPair } from './applier-follower.ts';

describe('start and stop', () => {
  test('without state and from: it says running first, then stops with 1413', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.applier.configure({ endpoint: pair.endpoint });
    const { state } = await follower.applier.start();
    expect(state.running).toBe(true);
    expect(await follower.stopped()).toMatchObject({
      lastError: { errorNum: 1413, errorMessage: 'no start tick' },
      lastAppliedContinuousTick: null,
    });
  });

  test('a stop keeps 1412 until the next start, and a second stop changes nothing', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, pair.beginning);
    await pair.caughtUp();
    const stopped = (await follower.applier.stop()).state;
    expect(stopped).toMatchObject({
      running: false,
      phase: 'stopped',
      lastError: { errorNum: 1412, errorMessage: 'replication stopped' },
      progress: { message: 'applier stopped' },
    });
    const again = (await follower.applier.stop()).state;
    expect({ ...again, time: '' }).toEqual({ ...stopped, time: '' });
    const started = (await follower.applier.start()).state;
    expect(started).toMatchObject({ running: true, lastError: { errorNum: 0 } });
  });

  test('a place to begin is kept from the start on, also when the leader cannot be asked', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow('tcp://127.0.0.1:1', pair.beginning, { maxConnectRetries: 0 });
    await follower.restart();
    await pair.create('c');
    await follower.follow(pair.endpoint, undefined);
    await pair.caughtUp();
    await expectEqual(pair);
  });

  test('a tick to begin at that no server can have is refused', async () => {
    await using pair = await openPair();
    await expect(pair.follower.follow(pair.endpoint, 2n ** 63n)).rejects.toThrow(
      expect.objectContaining({ errorNum: 10 }) as Error,
    );
  });

  test('a start while it runs changes nothing, not even with another tick', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, pair.beginning);
    const { lastAppliedContinuousTick } = await pair.caughtUp();
    await follower.applier.start({ from: 5n });
    await pair.caughtUp();
    expect(follower.state.lastAppliedContinuousTick).toBe(lastAppliedContinuousTick);
  });

  test('a held request does not hold up a stop', async () => {
    await using pair = await openPair();
    await pair.follower.follow(pair.endpoint, pair.beginning);
    await pair.caughtUp();
    const beganMs = performance.now();
    await pair.follower.applier.stop();
    expect(performance.now() - beganMs).toBeLessThan(2000);
  });

  test('many starts, stops and configurations at once take effect one after another', async () => {
    await using pair = await openPair();
    const { applier } = pair.follower;
    await pair.follower.follow(pair.endpoint, pair.beginning);
    const calls = Array.from({ length: 30 }, async (_, i) => {
      if (i % 3 === 0) return applier.stop();
      if (i % 3 === 1) return applier.start();
      try {
        return await applier.configure({ chunkSize: i });
      } catch (error) {
        if (!isServiceError(error, 'applierRunning')) throw error;
        return 'running';
      }
    });
    const results = await Promise.all(calls);
    expect(results.filter((result) => result === 'running')).toHaveLength(10);
    await pair.create('c');
    await applier.start();
    await pair.caughtUp();
    await expectEqual(pair);
  });

  test('forgetting the state stops it and leaves nothing: no position, no configuration', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, pair.beginning, { autoStart: true });
    await pair.caughtUp();
    const document = await follower.applier.forget();
    expect(document).not.toHaveProperty('endpoint');
    expect(document.state).toMatchObject({
      running: false,
      lastAppliedContinuousTick: null,
      lastProcessedContinuousTick: null,
      lastAvailableContinuousTick: null,
      progress: { time: '', failedConnects: 0 },
      totalRequests: 0,
      totalEvents: 0,
      lastError: { errorNum: 0 },
    });
    await follower.restart();
    expect(follower.applier.isRunning).toBe(false);
    await expect(follower.applier.start()).rejects.toThrow(
      expect.objectContaining({ errorNum: 1410 }) as Error,
    );
    expect(follower.state.lastError).toMatchObject({ errorNum: 1410 });
  });

  test('after a restart only those start that are to, at the place where they were', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, pair.beginning);
    await pair.caughtUp();
    await follower.restart();
    expect(follower.applier.isRunning).toBe(false);
    await follower.applier.configure({ autoStart: true });
    await follower.restart();
    expect(follower.applier.isRunning).toBe(true);
    await pair.create('c');
    await pair.caughtUp();
    expect(follower.state.totalEvents).toBe(1);
  });

  test('why it stopped, and at which line, is still told after a restart, until it is started', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    const c = await pair.create('c');
    const from = pair.lastTick();
    await pair.put(c, 'a', 1);
    await follower.follow(pair.endpoint, from);
    const failed = await follower.stopped();
    expect(failed).toMatchObject({
      phase: 'failed',
      whyStopped: { errorNum: 1203 },
      lastProcessedContinuousTick: pair.lastTick().toString(),
    });
    const told = (state: object): object => {
      const { phase, since, whyStopped, lastError, lastProcessedContinuousTick } = state as Record<
        string,
        unknown
      >;
      return { phase, since, whyStopped, lastError, lastProcessedContinuousTick };
    };
    for (let i = 0; i < 2; i++) {
      await follower.restart();
      expect(told(follower.state)).toEqual(told(failed));
      expect(follower.state.lastErrors).toEqual(failed.lastErrors);
    }
    const { lastErrors } = failed;
    expect(lastErrors).toMatchObject([{ errorNum: 1203, tick: pair.lastTick().toString() }]);
    await follower.applier.start();
    await follower.applier.stop();
    // What was wrong before stays to be read.
    expect(follower.state.lastErrors).toMatchObject([{ errorNum: 1203 }]);
    await follower.restart();
    expect(follower.state).toMatchObject({ phase: 'stopped', whyStopped: { errorNum: 1412 } });
    await follower.applier.forget();
    await follower.restart();
    expect(follower.state).not.toHaveProperty('whyStopped');
    expect(follower.state.lastError).toEqual({ errorNum: 0 });
    expect(follower.state.lastErrors).toEqual([]);
  });

  test('documents that were removed for ones of the leader, by an index made here, are told of', async () => {
    await using pair = await openPair();
    const { follower, put, leader } = pair;
    const c = await pair.create('c');
    await follower.follow(pair.endpoint, pair.lastTick() - 1n);
    await pair.caughtUp();
    await follower.applier.stop();
    const index = { type: 'hash', unique: true, fields: ['v'] };
    await follower.core.collections.createIndex(
      follower.database,
      follower.database.get('c'),
      index,
    );
    for (const key of ['a', 'b', 'c']) await put(c, key, 1);
    await follower.applier.start();
    await pair.caughtUp();
    expect(follower.database.get('c').stats.count).toBe(1);
    expect(follower.state).toMatchObject({ phase: 'tailing', totalIgnoredErrors: 0 });
    const [told, ...others] = follower.state.lastErrors;
    expect(told).toMatchObject({ errorNum: 1210, count: 2, tick: pair.lastTick().toString() });
    expect(told).toHaveProperty('errorMessage', expect.stringContaining("collection 'c'"));
    expect(others).toEqual([]);
    // What the leader itself has put out of the way comes again, and is no reason to say anything.
    await leader.documents.remove(leader.database, c, 'c');
    await pair.caughtUp();
    expect(follower.state.lastErrors).toHaveLength(1);
  });

  test('a run that was not ended in good order does not leave the reason of the one before', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, pair.beginning);
    await follower.applier.stop();
    await follower.applier.start();
    await pair.caughtUp();
    // As a process that is killed leaves it.
    const { store } = follower.core;
    const { ending } = new EndingRecord({ store, database: follower.database });
    expect(ending).toBeUndefined();
  });

  test('the applier of a database that is dropped is stopped first', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    const other = await follower.core.databases.create('other');
    const applier = follower.appliers.of(other);
    await applier.configure({ endpoint: pair.endpoint, database: '_system' });
    await applier.start({ from: pair.beginning });
    await follower.appliers.release(other);
    expect(applier.isRunning).toBe(false);
    await follower.core.databases.drop('other');
    expect(() => follower.appliers.of(other)).toThrow(
      expect.objectContaining({ errorNum: 1228 }) as Error,
    );
  });
});

describe('a leader that cannot be followed', () => {
  test('that is unreachable is tried maxConnectRetries times, then 1400 (contract 9.6, 12)', async () => {
    await using follower = await ApplierFollower.open();
    await follower.follow('tcp://127.0.0.1:1', 1n, {
      maxConnectRetries: 1,
      connectionRetryWaitTime: 1,
    });
    const waiting = await follower.until(({ phase }) => phase !== 'starting');
    expect(waiting).toMatchObject({
      running: true,
      phase: 'backoff',
      whyWaiting: { errorNum: 1400 },
      nextAttempt: expect.stringMatching(/^\d{4}-.*Z$/) as unknown,
    });
    const state = await follower.stopped();
    expect(state).not.toHaveProperty('nextAttempt');
    expect(state).toMatchObject({
      phase: 'failed',
      lastError: { errorNum: 1400 },
      totalRequests: 2,
    });
    expect(state.totalFailedConnects).toBe(2);
    expect(state.progress.failedConnects).toBe(2);
    expect(state.lastError.errorMessage).toMatch(/tcp:\/\/127\.0\.0\.1:1: .*Connection refused/);
  });

  test('with no limit to the retries is tried until somebody stops it', async () => {
    await using follower = await ApplierFollower.open();
    await follower.follow('tcp://127.0.0.1:1', 1n, {
      maxConnectRetries: 0,
      connectionRetryWaitTime: 0.001,
    });
    const state = await follower.until(({ totalFailedConnects }) => totalFailedConnects > 20);
    expect(state.running).toBe(true);
    const [lost, ...others] = state.lastErrors;
    expect(others).toEqual([]);
    expect(lost).toMatchObject({ errorNum: 1400 });
    expect(lost?.count).toBeGreaterThan(20);
    await follower.applier.stop();
    expect(follower.state.phase).toBe('stopped');
  });

  test('that is this server itself is refused with 1405', async () => {
    await using pair = await openPair();
    const { leader } = pair;
    await using follower = await ApplierFollower.open();
    Object.defineProperty(follower.core.store.server, 'serverId', {
      value: leader.store.server.serverId,
    });
    await follower.follow(pair.endpoint, pair.beginning);
    expect((await follower.stopped()).lastError.errorNum).toBe(1405);
  });

  test('whose database does not exist is refused with 1402', async () => {
    await using pair = await openPair();
    await pair.follower.follow(pair.endpoint, pair.beginning, { database: 'nosuchdb' });
    expect((await pair.follower.stopped()).lastError).toMatchObject({
      errorNum: 1402,
      errorMessage: expect.stringContaining('HTTP 404: Not Found') as string,
    });
  });

  test('that is another server than before is refused with 1404', async () => {
    await using first = await openPair();
    await using second = await openPair();
    const { follower } = first;
    await follower.follow(first.endpoint, first.beginning);
    await first.caughtUp();
    await follower.applier.stop();
    await follower.follow(second.endpoint, undefined);
    expect((await follower.stopped()).lastError.errorNum).toBe(1404);
    await follower.applier.start({ from: second.lastTick() });
    await second.create('c');
    await follower.caughtUp(second.lastTick());
  });

  test('that is another server than before is copied where autoResync says so', async () => {
    await using first = await openPair();
    await using second = await openPair();
    const { follower } = first;
    await follower.follow(first.endpoint, first.beginning, { autoResync: true });
    await first.create('c');
    await first.caughtUp();
    await follower.applier.stop();
    const theirs = await second.create('c');
    await second.put(theirs, 'a', 1);
    await follower.follow(second.endpoint, undefined);
    await follower.until(({ totalResyncs }) => totalResyncs === 1);
    await second.put(theirs, 'b', 2);
    await follower.caughtUp(second.lastTick());
    expect(follower.database.get('c').cid).toBe(theirs.cid);
    const documents = await documentsOf(follower.core.store, follower.database.get('c'));
    expect(Object.keys(documents)).toEqual(['a', 'b']);
  });
});
