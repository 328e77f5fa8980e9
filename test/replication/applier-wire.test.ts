import { describe, expect, test } from 'vitest';
import { readWireCapture, replay } from '../support/leader-script.ts';
import { documentsOf } from '../support/sync-follower.ts';
import { applied, openScene } from './applier-scene.ts';

const CAPTURE = readWireCapture('arangodb-1.4.3/wire/follower-to-leader.raw');
const SMALL_CHUNKS = readWireCapture('arangodb-1.4.3/wire/follower-to-leader-small-chunks.raw');

// The captures are kept beside the project; without them there is nothing to replay.
if (!CAPTURE || !SMALL_CHUNKS) {
  process.stderr.write('SKIPPED: the captures of real leaders are not here; nothing is replayed\n');
}

/** Leaves out the answers without news before one with news, each of which costs an idle pause. */
function withoutIdling(capture: Buffer | undefined): Buffer {
  const text = (capture ?? '').toString('latin1');
  const exchanges = text.split(/(?=\n=== >>> request )/);
  const targetOf = (exchange: string): string => /GET \S+/.exec(exchange)?.[0] ?? '';
  const news = new Set(exchanges.filter((each) => each.includes('\nHTTP/1.1 200')).map(targetOf));
  const kept = exchanges.filter(
    (each) => !each.includes('\nHTTP/1.1 204') || !news.has(targetOf(each)),
  );
  return Buffer.from(kept.join(''), 'latin1');
}

describe('the wire captured from a real 1.4.3 leader', () => {
  test.skipIf(!CAPTURE)(
    'is followed as the real follower did: changes, transaction, rename',
    async () => {
      const scene = await openScene();
      const { script, follower } = scene;
      replay(script, withoutIdling(CAPTURE), ['chunkSize']);
      const { collections } = follower.core;
      const { parameters } = follower.database.get('c');
      const people = { ...parameters, cid: '13001126', name: 'people' };
      await collections.createWith(follower.database, people);
      await collections.createWith(follower.database, {
        ...parameters,
        type: 3,
        cid: '13787558',
        name: 'knows',
      });
      await scene.start(61_563_302n);
      // Up to where the capture's follower lost a collection; ours still has it, and goes on.
      const state = await follower.until(applied(65_626_534));
      expect(state).toMatchObject({ running: true, lastError: { errorNum: 0 } });
      const { store } = follower.core;
      const { live, l1 } = await documentsOf(store, follower.database.get('people'));
      expect(live).toEqual({ _key: 'live', _rev: '62087590', uid: 1001, serial: 1001 });
      expect(l1).toEqual({ _key: 'l1', _rev: '63201702', uid: 1011, serial: 1011 });
      expect(await documentsOf(store, follower.database.get('knows'))).toEqual({
        le: { _key: 'le', _rev: '63267238', _from: 'people/l1', _to: 'people/l1' },
      });
      expect(follower.database.get('livecol2').cid).toBe('62349734');
      expect(follower.database.byName('livecol')).toBeUndefined();
      expect(await documentsOf(store, follower.database.get('livecol2'))).toHaveProperty('nope');
      await follower.applier.stop();
      expect(script.surprises).toEqual([]);
    },
  );

  test.skipIf(!SMALL_CHUNKS)('in small pages is followed to its end', async () => {
    const scene = await openScene();
    const { script, follower } = scene;
    replay(script, SMALL_CHUNKS ?? Buffer.alloc(0));
    const { parameters } = follower.database.get('c');
    const names = [
      ...(SMALL_CHUNKS ?? '').toString('utf8').matchAll(/"cid":"([0-9]+)","cname":"([a-z0-9]+)"/g),
    ];
    for (const [cid, name] of new Map(names.map(([, cid = '', name = '']) => [cid, name]))) {
      await follower.core.collections.createWith(follower.database, { ...parameters, cid, name });
    }
    await scene.start(66_806_182n, { chunkSize: 1000 });
    const state = await follower.until(applied(76_898_726));
    expect(state.totalEvents).toBe(30);
    await follower.applier.stop();
    expect(script.surprises).toEqual([]);
  });
});
