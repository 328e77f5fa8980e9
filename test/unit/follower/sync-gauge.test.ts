import { expect, test } from 'vitest';
import { CollectionWorks } from '../../../src/documents/collection-works.ts';
import { SyncGauge } from '../../../src/follower/sync-gauge.ts';
import type { CollectionParameters } from '../../../src/model/collection.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('while indexes are made a sync tells how many documents are in them, and says how long the last of them take', () => {
  const clock = new ManualClock();
  const gauge = new SyncGauge({ clock });
  const parameters = { cid: '7', name: 'people' } as CollectionParameters;
  gauge.plan([{ parameters, count: 100, bytes: 1000 }]);
  gauge.begin('7', 'copying');
  gauge.add('7', 50, 500);
  clock.advance(2000);
  expect(gauge.numbers.collections[0]).not.toHaveProperty('indexing');
  expect(gauge.numbers.secondsLeft).toBeGreaterThan(0);
  gauge.add('7', 50, 500);
  const works = new CollectionWorks({ clock });
  gauge.indexes({ cid: '7', works });
  expect(gauge.numbers.secondsLeft).toBeNull();
  const work = works.begin({ kind: 'index', documentsExpected: 200 });
  work.add(120);
  clock.advance(2000);
  const indexing = {
    documentsDone: 120,
    documentsExpected: 200,
    secondsLeft: work.numbers.secondsLeft,
  };
  expect(indexing.secondsLeft).toBeGreaterThan(0);
  expect(gauge.numbers).toMatchObject({
    ...{ phase: 'indexing', documentsDone: 100, secondsLeft: indexing.secondsLeft },
    collections: [{ status: 'indexing', indexing }],
  });
  work[Symbol.dispose]();
  gauge.done('7', 'done');
  expect(gauge.numbers.collections[0]).not.toHaveProperty('indexing');
});

test('of several in work it shows the first that is copied, and counts for each of them', () => {
  const gauge = new SyncGauge({ clock: new ManualClock() });
  const named = (cid: string): CollectionParameters => ({ cid, name: `c${cid}` }) as never;
  const sizes = { count: 10, bytes: 100 };
  gauge.plan(['1', '2', '3'].map((cid) => ({ parameters: named(cid), ...sizes })));
  gauge.begin('1', 'copying');
  gauge.begin('2', 'copying');
  gauge.add('2', 4, 40);
  expect(gauge.numbers).toMatchObject({ phase: 'copying', collection: { id: '1' } });
  expect(gauge.numbers.collections.map(({ documentsDone }) => documentsDone)).toEqual([0, 4, 0]);
  gauge.indexes({ cid: '1', works: new CollectionWorks() });
  expect(gauge.numbers).toMatchObject({ phase: 'copying', collection: { id: '2' } });
  gauge.done('2', 'done');
  expect(gauge.numbers).toMatchObject({ phase: 'indexing', collection: { id: '1' } });
  gauge.done('1', 'done');
  expect(gauge.numbers).toMatchObject({ collection: null, documentsDone: 20, collectionsDone: 2 });
});
