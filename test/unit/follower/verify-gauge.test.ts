import { expect, test } from 'vitest';
import { VerifyGauge } from '../../../src/follower/verify-gauge.ts';

test('a comparison counts what is read on both sides, and tells where it reads', () => {
  const gauge = new VerifyGauge();
  expect(gauge.numbers).toEqual({
    ...{ collectionsDone: 0, collectionsExpected: 0, documentsDone: 0, documentsExpected: 0 },
    collection: null,
  });
  gauge.plan([
    { name: 'a', documents: 100 },
    { name: 'b', documents: 50 },
  ]);
  gauge.begin('a', 'leader', () => undefined);
  expect(gauge.numbers).toMatchObject({
    ...{ collectionsDone: 0, collectionsExpected: 2, documentsDone: 0, documentsExpected: 150 },
    collection: { name: 'a', side: 'leader', documentsDone: null, documentsExpected: null },
  });
  const read = { documentsDone: 40, documentsExpected: 90 };
  gauge.begin('a', 'leader', () => read);
  // Half of the work is done, but not one document is compared.
  expect(gauge.numbers).toMatchObject({ documentsDone: 0, collection: read });
  gauge.begin('a', 'here', () => read);
  expect(gauge.numbers).toMatchObject({ documentsDone: 40, collection: { side: 'here', ...read } });
  gauge.done();
  expect(gauge.numbers).toMatchObject({
    ...{ collectionsDone: 1, documentsDone: 100, collection: null },
  });
  gauge.begin('b', 'here', () => ({ documentsDone: 70, documentsExpected: 70 }));
  expect(gauge.numbers.documentsDone).toBe(150);
});
