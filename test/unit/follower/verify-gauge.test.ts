import { expect, test } from 'vitest';
import { VerifyGauge } from '../../../src/follower/verify-gauge.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('a comparison counts what is read on both sides, half for each, and tells where it reads', () => {
  const gauge = new VerifyGauge({ clock: new ManualClock() });
  expect(gauge.numbers).toEqual({
    phase: 'preparing',
    ...{ collectionsDone: 0, collectionsExpected: 0, documentsDone: 0, documentsExpected: 0 },
    ...{ documentsPerSecond: 0, secondsLeft: null, collection: null },
  });
  gauge.plan([
    { name: 'a', documents: 100 },
    { name: 'b', documents: 50 },
  ]);
  gauge.begin('a', 'leader', () => undefined);
  expect(gauge.numbers).toMatchObject({
    phase: 'comparing',
    ...{ collectionsDone: 0, collectionsExpected: 2, documentsDone: 0, documentsExpected: 150 },
    collection: { name: 'a', side: 'leader', documentsDone: null, documentsExpected: null },
  });
  const read = { documentsDone: 45, documentsExpected: 90 };
  gauge.begin('a', 'leader', () => read);
  expect(gauge.numbers).toMatchObject({ documentsDone: 25, collection: read });
  gauge.begin('a', 'here', () => undefined);
  expect(gauge.numbers).toMatchObject({ documentsDone: 50 });
  gauge.begin('a', 'here', () => read);
  expect(gauge.numbers).toMatchObject({ documentsDone: 75, collection: { side: 'here', ...read } });
  gauge.done();
  expect(gauge.numbers).toMatchObject({
    ...{ collectionsDone: 1, documentsDone: 100, collection: null },
  });
  gauge.begin('b', 'here', () => ({ documentsDone: 71, documentsExpected: 70 }));
  expect(gauge.numbers.documentsDone).toBe(150);
});

test('a comparison tells how fast it is, and how long it takes until all is compared', () => {
  const clock = new ManualClock();
  const gauge = new VerifyGauge({ clock });
  gauge.plan([
    { name: 'a', documents: 1000 },
    { name: 'b', documents: 3000 },
  ]);
  expect(gauge.numbers).toMatchObject({ documentsPerSecond: 0, secondsLeft: null });
  gauge.begin('a', 'leader', () => ({ documentsDone: 800, documentsExpected: 1000 }));
  clock.advance(2000);
  expect(gauge.numbers).toMatchObject({
    ...{ documentsDone: 400, documentsPerSecond: 200, secondsLeft: 18 },
  });
  gauge.done();
  gauge.done();
  clock.advance(2000);
  expect(gauge.numbers).toMatchObject({ documentsPerSecond: 1000, secondsLeft: 0 });
});

test('what is compared again does not count twice, and is said', () => {
  const clock = new ManualClock();
  const gauge = new VerifyGauge({ clock });
  gauge.plan([
    { name: 'a', documents: 100 },
    { name: 'b', documents: 100 },
  ]);
  gauge.begin('a', 'here', () => ({ documentsDone: 100, documentsExpected: 100 }));
  expect(gauge.numbers).toMatchObject({ documentsDone: 100 });
  gauge.again();
  gauge.begin('a', 'leader', () => ({ documentsDone: 10, documentsExpected: 100 }));
  clock.advance(1000);
  expect(gauge.numbers).toMatchObject({ phase: 'rechecking', documentsDone: 100 });
  gauge.done();
  expect(gauge.numbers).toMatchObject({ phase: 'comparing', documentsDone: 100 });
});
