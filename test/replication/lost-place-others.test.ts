import { describe, expect, onTestFinished, test } from 'vitest';
import { ChunkHash } from '../../src/protocol/key-hash.ts';
import {
  type LeaderScript,
  type ScriptRequest,
  json,
  loggerState,
  page,
  refusal,
} from '../support/leader-script.ts';
import { documentsOf } from '../support/sync-follower.ts';
import {
  type Listed,
  ORDERS,
  PARAMETERS,
  type Scripted,
  inventory,
  line,
  openScripted,
} from '../support/sync-script.ts';

/** Leaders that are not ticklog, which has its journals. */
const LINKS: Listed = { parameters: { ...PARAMETERS, cid: '502', name: 'links' }, indexes: [] };

type Pair = readonly [key: string, rev: string];

const FIRST: readonly Pair[] = [
  ['a', '901'],
  ['b', '902'],
  ['c', '903'],
];
/** `b` is changed, `c` gone, `d` new. */
const NOW: readonly Pair[] = [
  ['a', '901'],
  ['b', '912'],
  ['d', '914'],
];

function pageOf(pairs: readonly Pair[]) {
  return page(pairs.map(([key, rev]) => line(Number(rev), key, `,"of":"dump ${rev}"`)));
}

/** Gives the leader lists of keys: of `orders` what is there now, of all others what was there first. */
function giveKeys(script: LeaderScript): void {
  const listOf = (id: string): readonly Pair[] => (id.endsWith('501') ? NOW : FIRST);
  const pairsOf = ({ command }: ScriptRequest): readonly Pair[] => listOf(command);
  script
    .always('POST keys', ({ query }) => {
      const id = `9${query.get('collection') ?? ''}`;
      return json({ id, count: listOf(id).length });
    })
    .always('GET keys', (request) => {
      const pairs = pairsOf(request);
      const hash = new ChunkHash();
      for (const [key, rev] of pairs) hash.add(key, rev);
      return json([{ low: pairs[0]?.[0], high: pairs.at(-1)?.[0], hash: hash.toString() }]);
    })
    .always('PUT keys', (request) => {
      const pairs = pairsOf(request);
      if (request.query.get('type') === 'keys') return json(pairs);
      const wanted = JSON.parse(request.body) as number[];
      const documents = wanted.map((at) => {
        const [key, rev] = pairs[at] ?? ['', ''];
        return { _id: `orders/${key}`, _key: key, _rev: rev, of: `keys ${rev}` };
      });
      return json(documents);
    })
    .always('DELETE keys', ({ command }) => json({ id: command, error: false, code: 202 }, 202));
}

/** A follower that has copied from a leader of this version, which has changed since. */
async function openCopied(version: string, engine?: string): Promise<Scripted> {
  const scripted = await openScripted(ORDERS, LINKS);
  onTestFinished(() => scripted[Symbol.asyncDispose]());
  const { script, follower } = scripted;
  const state = JSON.parse(String(loggerState({ version }).body)) as { server: object };
  if (engine !== undefined) state.server = { ...state.server, engine };
  script.always('GET logger-state', json(state));
  script.always('POST batch', json({ id: '77', lastTick: '1000' }));
  script.always('GET dump', () => pageOf(FIRST));
  await follower.sync();
  script.always('GET dump', ({ query }) => pageOf(query.get('collection') === '501' ? NOW : FIRST));
  script.requests.length = 0;
  return scripted;
}

async function expectNow({ follower }: Scripted, origin: 'dump' | 'keys'): Promise<void> {
  const { store } = follower.core;
  expect(await documentsOf(store, follower.database.get('orders'))).toEqual({
    a: { _key: 'a', _rev: '901', of: 'dump 901' },
    b: { _key: 'b', _rev: '912', of: `${origin} 912` },
    d: { _key: 'd', _rev: '914', of: `${origin} 914` },
  });
  expect(follower.database.get('orders').stats.count).toBe(3);
  expect(Object.keys(await documentsOf(store, follower.database.get('links')))).toHaveLength(3);
}

describe('of a leader of', () => {
  test.each([
    ['3.0.3', undefined, null],
    ['2.8.9', undefined, null],
    ['3.4.1', 'rocksdb', '77'],
  ])(
    '%s (%s) keys are compared, and only what differs is fetched',
    async (version, engine, batch) => {
      const scripted = await openCopied(version, engine);
      const { script, follower } = scripted;
      giveKeys(script);
      const { number } = follower.database.get('links');
      await follower.sync({ differencesBy: 'journals' });
      await expectNow(scripted, 'keys');
      expect(script.seen('GET dump')).toEqual([]);
      const bodies = script.seen('PUT keys').map(({ body }) => body);
      expect(bodies.filter((body) => body !== '')).toEqual(['[1,2]']);
      const opened = script.seen('POST keys').map(({ query }) => query);
      expect(opened.map((query) => query.get('collection')).sort()).toEqual(['501', '502']);
      for (const query of opened) {
        expect([query.get('to'), query.get('batchId')]).toEqual(['1000', batch]);
      }
      // Nothing differs there, so it stays.
      expect(follower.database.get('links').number).toBe(number);
      expect(script.seen('DELETE keys')).toHaveLength(2);
    },
  );

  test('1.4.3 everything is copied whole', async () => {
    const scripted = await openCopied('1.4.3');
    await scripted.follower.sync({ differencesBy: 'journals' });
    await expectNow(scripted, 'dump');
    expect(scripted.script.seen('POST keys')).toEqual([]);
    expect(scripted.script.seen('GET dump')).toHaveLength(2);
  });

  test('3.0.3 that has no lists after all everything is copied whole', async () => {
    const scripted = await openCopied('3.0.3');
    scripted.script.always('POST keys', refusal(400, 400, 'invalid command'));
    await scripted.follower.sync({ differencesBy: 'keys' });
    await expectNow(scripted, 'dump');
  });

  test('3.0.3 that loses its list again and again everything is copied whole', async () => {
    const scripted = await openCopied('3.0.3');
    giveKeys(scripted.script);
    scripted.script.always('PUT keys', refusal(404, 1600, 'cursor not found'));
    await scripted.follower.sync({ differencesBy: 'keys' });
    await expectNow(scripted, 'dump');
    const { catalogue } = scripted.follower.core;
    expect(catalogue.hiddenOf(scripted.follower.database)).toEqual([]);
  });

  test('3.0.3 with another id nothing of what is here counts', async () => {
    const scripted = await openCopied('3.0.3');
    giveKeys(scripted.script);
    const state = loggerState({ version: '3.0.3', serverId: '4712' });
    scripted.script.always('GET logger-state', state);
    await scripted.follower.sync({ differencesBy: 'keys' });
    await expectNow(scripted, 'dump');
    expect(scripted.script.seen('POST keys')).toEqual([]);
  });

  test('3.0.3 a list that is damaged ends the sync, and the old data stays', async () => {
    const scripted = await openCopied('3.0.3');
    const { script, follower } = scripted;
    giveKeys(script);
    script.always('PUT keys', ({ query }) =>
      query.get('type') === 'keys' ? json(NOW) : json([{ _key: 'b' }]),
    );
    await expect(follower.sync({ differencesBy: 'keys' })).rejects.toMatchObject({
      errorNum: 1401,
    });
    const orders = await documentsOf(follower.core.store, follower.database.get('orders'));
    expect(Object.keys(orders)).toEqual(['a', 'b', 'c']);
    script.always('GET inventory', inventory(ORDERS, LINKS));
    giveKeys(script);
    await follower.sync({ differencesBy: 'keys' });
    await expectNow(scripted, 'keys');
  });
});
