import { expect, test } from 'vitest';
import {
  type CollectionParameters,
  DEFAULT_JOURNAL_SIZE,
  parametersFromWire,
  parametersToWire,
} from '../../../src/model/collection.ts';

const PARAMETERS: CollectionParameters = {
  version: 4,
  type: 3,
  cid: '12',
  deleted: false,
  doCompact: false,
  maximalSize: 1_048_576,
  name: 'links',
  isVolatile: true,
  waitForSync: true,
  keyOptions: { type: 'autoincrement', allowUserKeys: false, offset: 1, increment: 5 },
};

test('parameters are printed in the order of 1.4, without what is default', () => {
  expect(JSON.stringify(parametersToWire(PARAMETERS))).toBe(
    '{"version":4,"type":3,"cid":"12","deleted":false,"doCompact":false,"maximalSize":1048576,' +
      '"name":"links","isVolatile":true,"waitForSync":true,"keyOptions":{"type":"autoincrement",' +
      '"allowUserKeys":false,"offset":1,"increment":5}}',
  );
  const { keyOptions, ...plain } = PARAMETERS;
  expect(keyOptions).toBeDefined();
  expect(Object.keys(parametersToWire(plain))).not.toContain('keyOptions');
});

test('reading what was printed gives the same parameters, unknown attributes included', () => {
  const parameters = { ...PARAMETERS, extra: { indexBuckets: 8, isSystem: false } };
  expect(parametersFromWire(parametersToWire(parameters))).toEqual(parameters);
  expect(parametersFromWire(JSON.parse(JSON.stringify(parametersToWire(PARAMETERS))))).toEqual(
    PARAMETERS,
  );
});

test('what is absent gets its default, other spellings are understood', () => {
  expect(parametersFromWire({ name: 'a', type: 2, id: '7', journalSize: 2_097_152 })).toEqual({
    version: 4,
    type: 2,
    cid: '7',
    deleted: false,
    doCompact: true,
    maximalSize: 2_097_152,
    name: 'a',
    isVolatile: false,
    waitForSync: false,
  });
  expect(parametersFromWire({ name: 'a', type: 2, cid: '7' })?.maximalSize).toBe(
    DEFAULT_JOURNAL_SIZE,
  );
});

test.each([
  null,
  [],
  'a',
  {},
  { name: 'a', type: 2 },
  { name: 'a', cid: '1' },
  { type: 2, cid: '1' },
  { name: '', type: 2, cid: '1' },
  { name: 'a', type: 4, cid: '1' },
  { name: 'a', type: 2, cid: 'x' },
])('%j are no parameters', (value) => {
  expect(parametersFromWire(value)).toBeUndefined();
});
