import { expect, test } from 'vitest';
import { CollectionWorks } from '../../../src/documents/collection-works.ts';
import { SyncGauge } from '../../../src/follower/sync-gauge.ts';
import type { CollectionParameters } from '../../../src/model/collection.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('while indexes are made a sync tells how many documents are in them, and promises no end', () => {
  const clock = new ManualClock();
  const gauge = new SyncGauge({ clock });
  const parameters = { cid: '7', name: 'people' } as CollectionParameters;
  gauge.plan([{ parameters, count: 100, bytes: 1000 }]);
  gauge.begin('7', 'copying');
  gauge.add(50, 500);
  clock.advance(2000);
  expect(gauge.numbers.collections[0]).not.toHaveProperty('indexing');
  expect(gauge.numbers.secondsLeft).toBeGreaterThan(0);
  gauge.add(50, 500);
  const works = new CollectionWorks();
  gauge.indexes({ cid: '7', works });
  const work = works.begin({ kind: 'index', documentsExpected: 200 });
  work.add(120);
  expect(gauge.numbers).toMatchObject({
    ...{ phase: 'indexing', documentsDone: 100, secondsLeft: null },
    collections: [{ status: 'indexing', indexing: { documentsDone: 120, documentsExpected: 200 } }],
  });
  work[Symbol.dispose]();
  gauge.done('7', 'done');
  expect(gauge.numbers.collections[0]).not.toHaveProperty('indexing');
});
