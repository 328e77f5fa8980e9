import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { CollectionCopies } from '../../src/documents/collection-copy.ts';
import type { Database } from '../../src/documents/database.ts';
import type { Applier } from '../../src/follower/applier.ts';
import { Appliers } from '../../src/follower/appliers.ts';
import { InitialSyncer } from '../../src/follower/initial-syncer.ts';
import { DEFAULT_LOGGER_CONFIG } from '../../src/model/logger-config.ts';
import type { Store } from '../../src/storage/store.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { OpStream } from '../support/op-stream.ts';
import { Random } from '../support/random.ts';
import { contentOf } from '../support/sync-follower.ts';
import { ApplierFollower } from './applier-follower.ts';

const LOGGING = { ...DEFAULT_LOGGER_CONFIG, autoStart: true };

/** A server that follows the one before it, and is followed by the one behind it. */
interface Middle {
  readonly server: LeaderServer;
  readonly applier: Applier;
}

interface Chain {
  readonly leader: LeaderServer;
  readonly middle: Middle;
  readonly last: ApplierFollower;
  /** Waits until all that the leader has logged is applied by both. */
  readonly settled: () => Promise<void>;
}

async function openChain(options: { logRemoteChanges: boolean }): Promise<Chain> {
  const leader = await openLeaderServer({ loggerConfig: LOGGING });
  const server = await openLeaderServer({ loggerConfig: { ...LOGGING, ...options } });
  const deps = { ...server, logger: silentLogger, clock: systemClock };
  const initialSyncer = new InitialSyncer({ ...deps, copies: new CollectionCopies(deps) });
  const appliers = new Appliers(
    { ...deps, initialSyncer },
    { version: '1.4.3', transactionMaxBytes: 64 * 1024 * 1024 },
  );
  const last = await ApplierFollower.open();
  onTestFinished(async () => {
    await last[Symbol.asyncDispose]();
    await appliers.stopAll();
    await server[Symbol.asyncDispose]();
    await leader[Symbol.asyncDispose]();
  });
  const applier = appliers.of(server.database);
  const settled = async (): Promise<void> => {
    const { lastTick } = leader.database.changelog.state;
    await expect
      .poll(() => BigInt(appliedTick(applier)) >= lastTick, { timeout: 20_000 })
      .toBe(true);
    await last.caughtUp(server.database.changelog.state.lastTick);
  };
  return { leader, middle: { server, applier }, last, settled };
}

function appliedTick(applier: Applier): string {
  const { state } = applier.state();
  if (!state.running) throw new Error(`stopped: ${JSON.stringify(state)}`);
  return (state['lastAppliedContinuousTick'] as string | null) ?? '0';
}

function endpointOf({ port }: LeaderServer): string {
  return `tcp://127.0.0.1:${port}`;
}

/** What happened to documents, collections and indexes, in the order of the log. */
async function historyOf({ changelog }: Database): Promise<string[]> {
  const page = await changelog.readPage({ from: 0n, to: 2n ** 63n, limitBytes: 1e9 });
  const lines = page.body.toString().split('\n').slice(0, -1);
  return lines.flatMap((text) => {
    const line = JSON.parse(text) as Record<string, unknown>;
    const type = Number(line['type']);
    if (type < 2000) return [];
    // Ticks and ids of transactions are each server's own; what these frame is not.
    const own = { tick: undefined, tid: undefined, grouped: line['tid'] !== undefined };
    return JSON.stringify({ ...line, ...own });
  });
}

async function contents(sides: readonly [Store, Database][]): Promise<object[]> {
  return Promise.all(sides.map(([store, database]) => contentOf(store, database)));
}

async function expectAllEqual({ leader, middle: { server }, last }: Chain): Promise<void> {
  const [first, second, third] = await contents([
    [leader.store, leader.database],
    [server.store, server.database],
    [last.core.store, last.database],
  ]);
  expect(second).toEqual(first);
  expect(third).toEqual(first);
}

function operations(leader: LeaderServer, seed: number): OpStream {
  return new OpStream(
    {
      core: { ...leader, copies: new CollectionCopies(leader) },
      random: new Random(seed),
      acknowledge: () => undefined,
    },
    { databases: ['_system'] },
  );
}

describe('a follower of a follower', () => {
  test.each([1, 2])(
    'gets every change, in the order of the first log (seed %i)',
    { timeout: 60_000 },
    async (seed) => {
      const chain = await openChain({ logRemoteChanges: true });
      const { leader, middle, last, settled } = chain;
      const { server, applier } = middle;
      await applier.configure({ endpoint: endpointOf(leader) });
      await applier.start({ from: BigInt(leader.database.id) });
      await last.follow(endpointOf(server), BigInt(server.database.id));
      const stream = operations(leader, seed);
      for (let round = 0; round < 4; round++) {
        await stream.run(250, 8);
        if (round === 1) await last.restart();
        if (round === 2) {
          await applier.stop();
          await stream.run(50, 4);
          await applier.start();
        }
        if (last.state.running) continue;
        await last.applier.start();
      }
      await settled();
      await expectAllEqual(chain);
      expect(await historyOf(server.database)).toEqual(await historyOf(leader.database));
    },
  );

  test('is told when the one before it has put a copy in place, and copies that', async () => {
    const chain = await openChain({ logRemoteChanges: true });
    const { leader, middle, last, settled } = chain;
    const { server, applier } = middle;
    const signal = new AbortController().signal;
    await operations(leader, 3).run(100, 4);
    await applier.follow({ endpoint: endpointOf(leader) }, signal);
    await last.applier.follow({ endpoint: endpointOf(server), autoResync: true }, signal);
    await settled();
    await expectAllEqual(chain);
    expect(last.state.totalResyncs).toBe(0);
    // A copy that is not logged: the position of whoever follows is lost.
    await applier.follow({ endpoint: endpointOf(leader) }, signal);
    await last.until(({ totalResyncs, running }) => totalResyncs === 1 && running);
    await operations(leader, 4).run(100, 4);
    await settled();
    await expectAllEqual(chain);
  });

  test('without autoResync stops there with 1414, and is made anew by a copy', async () => {
    const chain = await openChain({ logRemoteChanges: true });
    const { leader, middle, last, settled } = chain;
    const { server, applier } = middle;
    const signal = new AbortController().signal;
    await operations(leader, 5).run(50, 4);
    await applier.follow({ endpoint: endpointOf(leader) }, signal);
    await last.applier.follow({ endpoint: endpointOf(server) }, signal);
    await settled();
    await applier.follow({ endpoint: endpointOf(leader) }, signal);
    expect((await last.stopped()).lastError.errorNum).toBe(1414);
    await last.applier.follow({ endpoint: endpointOf(server) }, signal);
    await settled();
    await expectAllEqual(chain);
  });

  test('is told of what the one before it did not log, once that begins to log it', async () => {
    const chain = await openChain({ logRemoteChanges: false });
    const { leader, middle, last } = chain;
    const { server, applier } = middle;
    const signal = new AbortController().signal;
    await operations(leader, 6).run(50, 4);
    await applier.follow({ endpoint: endpointOf(leader) }, signal);
    await last.applier.follow({ endpoint: endpointOf(server) }, signal);
    await operations(leader, 7).run(50, 4);
    const { lastTick } = leader.database.changelog.state;
    await expect.poll(() => BigInt(appliedTick(applier)) >= lastTick).toBe(true);
    await server.leader.logger.configure(server.database, { logRemoteChanges: true });
    await operations(leader, 8).run(20, 1);
    expect((await last.stopped()).lastError.errorNum).toBe(1414);
  });
});
