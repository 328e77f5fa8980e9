import { describe, expect, onTestFinished, test } from 'vitest';
import type { InventoryEntry } from '../support/leader-script.ts';
import {
  type Exchange,
  LeaderScript,
  inventoriesOf,
  joinJobs,
  readExchanges,
  readWireCapture,
  replay,
} from '../support/leader-script.ts';
import { documentsOf } from '../support/sync-follower.ts';
import { modelOf } from '../support/wire-model.ts';
import { ApplierFollower } from './applier-follower.ts';
import { applied } from './applier-scene.ts';

/** A stretch of a capture: a whole copy, and what was followed after it. */
interface Stretch {
  readonly name: string;
  readonly file: string;
  /** Connections of the real follower: one for the copy, the others for the following. */
  readonly connections: readonly number[];
  /** Tick of the last line that the leader sent. */
  readonly lastTick: number;
  readonly events: number;
  /** Ids of collections that came with the log. */
  readonly created: readonly string[];
  readonly config?: Record<string, unknown>;
}

const STRETCHES: readonly Stretch[] = [
  {
    name: '1.4.3: changes, a transaction, a rename',
    file: 'arangodb-1.4.3/wire/follower-to-leader.raw',
    connections: [4, 5, 7, 9],
    lastTick: 65_626_534,
    events: 9,
    created: ['62349734'],
  },
  {
    name: '1.4.3: small pages',
    file: 'arangodb-1.4.3/wire/follower-to-leader-small-chunks.raw',
    connections: [1, 2],
    lastTick: 76_898_726,
    events: 30,
    created: [],
    config: { chunkSize: 1000 },
  },
  {
    name: '3.0.3: changes and a transaction',
    file: 'arangodb-3.0.3/wire/follower-to-leader.raw',
    connections: [4, 5, 6],
    lastTick: 557,
    events: 7,
    created: [],
  },
  {
    name: '3.0.3: small pages',
    file: 'arangodb-3.0.3/wire/follower-to-leader-small-chunks.raw',
    connections: [1, 2],
    lastTick: 724,
    events: 30,
    created: [],
    config: { chunkSize: 1000, includeSystem: true },
  },
  {
    name: '3.0.3: make-slave without system collections',
    file: 'arangodb-3.0.3/wire/follower-to-leader.raw',
    connections: [12, 13],
    lastTick: 753,
    events: 0,
    created: [],
    config: { includeSystem: false },
  },
];

/** Leaves out the answers without news before one with news, each of which costs an idle pause. */
function withoutIdling(exchanges: readonly Exchange[]): Exchange[] {
  const fromOf = ({ url }: Exchange): string | null => url.searchParams.get('from');
  const isPage = ({ url }: Exchange): boolean => url.pathname.endsWith('logger-follow');
  const news = new Set(
    exchanges.filter((each) => isPage(each) && each.answer.status === 200).map(fromOf),
  );
  return exchanges.filter(
    (each) => !isPage(each) || each.answer.status === 200 || !news.has(fromOf(each)),
  );
}

describe.each(STRETCHES)('the answers of a real leader, $name', (stretch) => {
  const capture = readWireCapture(stretch.file);
  if (!capture) console.warn(`skipped: ${stretch.file} is not at hand`);

  test.skipIf(!capture)(
    'make a follower equal to it, by the copy and then by the log',
    async () => {
      const script = await LeaderScript.open();
      const follower = await ApplierFollower.open();
      onTestFinished(async () => {
        await follower[Symbol.asyncDispose]();
        await script[Symbol.asyncDispose]();
      });
      const captured = joinJobs(readExchanges(capture ?? Buffer.alloc(0)));
      const exchanges = captured.filter(({ connection }) =>
        stretch.connections.includes(connection),
      );
      replay(script, withoutIdling(exchanges), ['chunkSize']);
      await follower.applier.follow(
        { endpoint: script.endpoint, connectionRetryWaitTime: 0.05, ...stretch.config },
        new AbortController().signal,
      );
      const state = await follower.until(applied(stretch.lastTick));
      expect(state).toMatchObject({
        running: true,
        totalEvents: stretch.events,
        lastError: { errorNum: 0 },
        openTransactions: [],
      });
      await follower.applier.stop();
      // What was not captured is what the real follower did not ask, as it stopped there.
      const beyond = new RegExp(`logger-follow from=${stretch.lastTick}$`);
      expect(script.surprises.filter((each) => !beyond.test(each))).toEqual([]);

      const { store } = follower.core;
      const model = modelOf(exchanges);
      const all = inventoriesOf(exchanges).at(0) ?? [];
      const listed = all.filter((each) => isReplicated(each, stretch));
      expect(listed.length).toBeGreaterThan(5);
      const known = new Set([
        ...listed.map(({ parameters }) => parameters.cid),
        ...stretch.created,
      ]);
      expect(new Set([...follower.database.collections].map(({ cid }) => cid))).toEqual(known);
      for (const { parameters, indexes } of listed) {
        const collection = follower.database.byCid(parameters.cid);
        const context = parameters.name;
        expect(collection?.type, context).toBe(parameters.type);
        expect(collection?.indexDefinitions, context).toMatchObject(indexes);
        const documents = collection && (await documentsOf(store, collection));
        const wanted = Object.fromEntries(model.get(parameters.cid) ?? []);
        expect(documents, context).toEqual(wanted);
      }
    },
  );
});

/** Others are on that leader's list, and not to be replicated here. */
function isReplicated({ parameters: { name } }: InventoryEntry, { config }: Stretch): boolean {
  if (['_users', '_modules', '_routing'].includes(name)) return false;
  return config?.['includeSystem'] !== false || !name.startsWith('_');
}
