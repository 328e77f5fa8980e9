import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MarkerType } from '../../../src/model/marker.ts';
import { buildData, parseDocument } from '../../../src/protocol/json-text.ts';
import {
  ddlTail,
  documentTail,
  loggerTail,
  tickHead,
  transactionTail,
} from '../../../src/protocol/line.ts';
import { objectSource } from './json-source.ts';

const PARAMETERS = {
  version: 4,
  type: 2,
  cid: '88',
  deleted: false,
  doCompact: true,
  maximalSize: 1_048_576,
  name: 'orders',
  isVolatile: false,
  waitForSync: true,
} as const;
const COLLECTION =
  '{"version":4,"type":2,"cid":"88","deleted":false,"doCompact":true,"maximalSize":1048576,' +
  '"name":"orders","isVolatile":false,"waitForSync":true}';

test('journal lines have exactly the stored shape', () => {
  const data = buildData('a1', '7', undefined, undefined, '"qty":3');
  expect(
    tickHead(18446744073709551615n) + documentTail({ type: 2300, key: 'a1', rev: '7', data }),
  ).toBe(
    '{"tick":"18446744073709551615","type":2300,"key":"a1","rev":"7","data":{"_key":"a1","_rev":"7","qty":3}}\n',
  );
  expect(tickHead(5n) + documentTail({ type: 2302, key: 'a1', rev: '8' })).toBe(
    '{"tick":"5","type":2302,"key":"a1","rev":"8"}\n',
  );
});

test('changelog lines have exactly the stored shape', () => {
  const data = buildData('e', '7', 'c/a', 'c/b', '');
  expect(
    documentTail({
      type: 2301,
      tid: '3',
      cid: '88',
      cname: 'links',
      key: 'e',
      rev: '7',
      oldRev: '6',
      data,
    }),
  ).toBe(
    '"type":2301,"tid":"3","cid":"88","cname":"links","key":"e","rev":"7","oldRev":"6",' +
      '"data":{"_key":"e","_rev":"7","_from":"c/a","_to":"c/b"}}\n',
  );
  expect(
    documentTail({ type: 2302, cid: '88', cname: 'links', key: 'e', rev: '9', oldRev: '7' }),
  ).toBe('"type":2302,"cid":"88","cname":"links","key":"e","rev":"9","oldRev":"7"}\n');
});

test('collection and index events have the shape of 1.4', () => {
  const of = { cid: '88', cname: 'orders' };
  expect(ddlTail({ ...of, type: MarkerType.collectionCreate, collection: PARAMETERS })).toBe(
    `"type":2000,"cid":"88","cname":"orders","collection":${COLLECTION}}\n`,
  );
  expect(ddlTail({ ...of, type: MarkerType.collectionChange, collection: PARAMETERS })).toBe(
    `"type":2003,"cid":"88","cname":"orders","collection":${COLLECTION}}\n`,
  );
  expect(ddlTail({ ...of, type: MarkerType.collectionDrop })).toBe(
    '"type":2001,"cid":"88","cname":"orders"}\n',
  );
  expect(ddlTail({ ...of, type: MarkerType.collectionRename, newName: 'old' })).toBe(
    '"type":2002,"cid":"88","cname":"orders","collection":{"name":"old"}}\n',
  );
  const index = { id: '50', type: 'hash', unique: true, fields: ['nr'] };
  expect(ddlTail({ ...of, type: MarkerType.indexCreate, index })).toBe(
    '"type":2100,"cid":"88","cname":"orders","index":{"id":"50","type":"hash","unique":true,"fields":["nr"]}}\n',
  );
  expect(ddlTail({ ...of, type: MarkerType.indexDrop, id: '50' })).toBe(
    '"type":2101,"cid":"88","cname":"orders","id":"50"}\n',
  );
});

test('transaction and logger events have the shape of 1.4', () => {
  expect(
    transactionTail(MarkerType.transactionStart, '70', [
      { cid: '1', name: 'orders', operations: 2 },
      { cid: '2', name: 'links', operations: 1 },
    ]),
  ).toBe(
    '"type":2200,"tid":"70","collections":[{"cid":"1","name":"orders","operations":2},' +
      '{"cid":"2","name":"links","operations":1}]}\n',
  );
  expect(transactionTail(MarkerType.transactionCommit, '70', [])).toBe(
    '"type":2201,"tid":"70","collections":[]}\n',
  );
  expect(loggerTail(MarkerType.loggerStop, 99n)).toBe('"type":1000,"lastTick":"99"}\n');
  expect(loggerTail(MarkerType.loggerStart, 0n)).toBe('"type":1001,"lastTick":"0"}\n');
});

test('whatever the document, its line is one line of JSON', () => {
  fc.assert(
    fc.property(objectSource, fc.string(), fc.string(), (source, key, rev) => {
      const { rest } = parseDocument(source);
      const data = buildData(key, rev, undefined, undefined, rest);
      const line = tickHead(1n) + documentTail({ type: 2300, key, rev, data });
      expect(line.indexOf('\n')).toBe(line.length - 1);
      expect(JSON.parse(line)).toEqual({
        tick: '1',
        type: 2300,
        key,
        rev,
        data: JSON.parse(data) as unknown,
      });
    }),
    { numRuns: 1000 },
  );
});
