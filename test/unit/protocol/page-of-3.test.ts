import { describe, expect, test } from 'vitest';
import { MarkerType } from '../../../src/model/marker.ts';
import { ddlTail, documentTail, tickHead, transactionTail } from '../../../src/protocol/line.ts';
import { parseLine } from '../../../src/protocol/line-parser.ts';
import { type PageOf3, indexOf3, pageOf3, parametersOf3 } from '../../../src/protocol/page-of-3.ts';

const LOG: PageOf3 = { kind: 'log', databaseId: '9' };
const WAL: PageOf3 = { kind: 'wal', database: '_system', serverId: '43' };
const DUMP: PageOf3 = { kind: 'dump', collection: 'boats', ticks: true, compat28: false };
const BOATS = { cid: '77', cname: 'boats' };
const PARAMETERS = {
  ...{ version: 4, type: 2 as const, cid: '77', deleted: false, doCompact: true },
  ...{ maximalSize: 1_048_576, name: 'boats', isVolatile: false, waitForSync: true },
};

/** The lines of a page with ticks from 100 on, printed as 3.x has them. */
function printed(shape: PageOf3, ...tails: readonly string[]): string[] {
  const page = tails.map((tail, i) => tickHead(BigInt(100 + i)) + tail).join('');
  const text = pageOf3(Buffer.from(page), shape).toString();
  expect(text.endsWith('\n')).toBe(true);
  return text.slice(0, -1).split('\n');
}

const document = (type: 2300 | 2301, data: string, tid?: string): string =>
  documentTail({ ...BOATS, type, tid, key: 'argo', rev: '5', oldRev: '4', data });

describe('lines of the log in the shape of 3.x', () => {
  test('have key and revision in the document only, with _id, and the source of the rest', () => {
    const data = '{"_key":"argo","_rev":"5","n":12345678901234567890,"x":1.50,"t":"ä\\u00e4"}';
    expect(printed(LOG, document(2300, data))).toEqual([
      '{"tick":"100","type":2300,"tid":"0","database":"9","cid":"77","cname":"boats",' +
        '"data":{"_id":"boats/argo","_key":"argo","_rev":"5","n":12345678901234567890,"x":1.50,"t":"ä\\u00e4"}}',
    ]);
  });

  test('make edges documents, and say of removals what was removed', () => {
    const data = '{"_key":"argo","_rev":"5","_from":"a/b","_to":"c/d"}';
    const remove = documentTail({ ...BOATS, type: 2302, tid: '99', key: 'argo', rev: '6' });
    expect(
      printed(LOG, document(2301, data, '99'), remove).map((line) => JSON.parse(line) as object),
    ).toEqual([
      {
        ...{ tick: '100', type: 2300, tid: '99', database: '9', ...BOATS },
        data: { _id: 'boats/argo', _key: 'argo', _rev: '5', _from: 'a/b', _to: 'c/d' },
      },
      {
        ...{ tick: '101', type: 2302, tid: '99', database: '9', ...BOATS },
        data: { _key: 'argo', _rev: '6' },
      },
    ]);
  });

  test('have their attributes in the order of 3.0, where some readers look for them', () => {
    const remove = documentTail({ ...BOATS, type: 2302, tid: '99', key: 'argo', rev: '6' });
    expect(printed(LOG, remove)).toEqual([
      '{"tick":"100","type":2302,"tid":"99","database":"9","cid":"77","cname":"boats",' +
        '"data":{"_key":"argo","_rev":"6"}}',
    ]);
  });

  test('frame transactions with their id alone', () => {
    const collections = [{ cid: '77', name: 'boats', operations: 2 }];
    const frames = [2200, 2201] as const;
    const lines = printed(LOG, ...frames.map((type) => transactionTail(type, '99', collections)));
    expect(lines).toEqual([
      '{"tick":"100","type":2200,"tid":"99","database":"9"}',
      '{"tick":"101","type":2201,"tid":"99","database":"9"}',
    ]);
  });

  test('carry what happened to collections and indexes where 1.4 has it, and in data', () => {
    const { collectionCreate, collectionDrop, collectionRename, indexCreate, indexDrop } =
      MarkerType;
    const index = { id: '80', type: 'hash', unique: true, fields: ['n'] };
    const lines = printed(
      LOG,
      ddlTail({ ...BOATS, type: collectionCreate, collection: PARAMETERS }),
      ddlTail({ ...BOATS, type: collectionDrop }),
      ddlTail({ ...BOATS, type: collectionRename, newName: 'ships' }),
      ddlTail({ ...BOATS, type: indexCreate, index }),
      ddlTail({ ...BOATS, type: indexDrop, id: '80' }),
    );
    const parameters = { ...PARAMETERS, version: 5, isSystem: false, indexBuckets: 8 };
    const shown = { ...index, sparse: false };
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual(
      [
        { type: 2000, collection: parameters, data: parameters },
        { type: 2001, data: { id: '77', name: 'boats' } },
        {
          type: 2002,
          collection: { name: 'ships' },
          data: { id: '77', name: 'ships', oldName: 'boats' },
        },
        { type: 2100, index: shown, data: shown },
        { type: 2101, id: '80', data: { id: '80' } },
      ].map((line, i) => ({ tick: String(100 + i), database: '9', ...BOATS, ...line })),
    );
  });

  test('mean the same as those that are stored, whoever reads them', () => {
    const tails = [
      document(2300, '{"_key":"argo","_rev":"5","oars":50}'),
      document(2301, '{"_key":"argo","_rev":"5","_from":"a/b","_to":"c/d","w":[1]}', '99'),
      documentTail({ ...BOATS, type: 2302, key: 'argo', rev: '6', oldRev: '5' }),
    ];
    const lines = printed(LOG, ...tails);
    for (const [i, tail] of tails.entries()) {
      const stored = parseLine(`${tickHead(BigInt(100 + i))}${tail}`);
      const { tick, tid, cid, cname, key, rev, from, to, rest } = parseLine(lines[i] ?? '');
      expect({ tick, tid, cid, cname, key, rev, from, to, rest }).toEqual({
        ...{ tick: stored.tick, tid: stored.tid, cid: stored.cid, cname: stored.cname },
        ...{
          key: stored.key,
          rev: stored.rev,
          from: stored.from,
          to: stored.to,
          rest: stored.rest,
        },
      });
    }
  });

  test('are printed also of what is not stored byte by byte as usual', () => {
    const rev = 'ä"b';
    const data = `{"_key":"argo","_rev":${JSON.stringify(rev)},"_from":"a/b","_to":"c/d","n":1}`;
    const tail = documentTail({ ...BOATS, type: 2301, key: 'argo', rev, data });
    expect(JSON.parse(printed(LOG, tail)[0] ?? '')).toMatchObject({
      type: 2300,
      data: { _id: 'boats/argo', _key: 'argo', _rev: rev, _from: 'a/b', _to: 'c/d', n: 1 },
    });
  });
});

describe('lines of a dump in the shape of 3.x', () => {
  const tails = [
    documentTail({
      type: 2301,
      key: 'e',
      rev: '5',
      data: '{"_key":"e","_rev":"5","_from":"a/b","_to":"c/d"}',
    }),
    documentTail({ type: 2302, key: 'argo', rev: '6' }),
  ];
  const edge = '"data":{"_id":"boats/e","_key":"e","_rev":"5","_from":"a/b","_to":"c/d"}}';
  const removal = '"data":{"_key":"argo","_rev":"6"}}';

  test('have the tick, the kind and the document', () => {
    expect(printed(DUMP, ...tails)).toEqual([
      `{"tick":"100","type":2300,${edge}`,
      `{"tick":"101","type":2302,${removal}`,
    ]);
  });

  test('do without ticks', () => {
    expect(printed({ ...DUMP, ticks: false }, ...tails)).toEqual([
      `{"type":2300,${edge}`,
      `{"type":2302,${removal}`,
    ]);
  });

  test('have key and revision also on top for 2.8, where edges are 2301', () => {
    expect(printed({ ...DUMP, compat28: true }, ...tails)).toEqual([
      `{"tick":"100","type":2301,"key":"e","rev":"5",${edge}`,
      `{"tick":"101","type":2302,"key":"argo","rev":"6",${removal}`,
    ]);
  });
});

describe('lines of the log in the shape of wal/tail', () => {
  test('have names that are good on all servers, and the source of the rest', () => {
    const data = '{"_key":"argo","_rev":"5","n":12345678901234567890}';
    expect(printed(WAL, document(2301, data))).toEqual([
      '{"tick":"100","type":2300,"tid":"0","db":"_system","cuid":"h2B/77","cid":"77","cname":"boats",' +
        '"data":{"_id":"boats/argo","_key":"argo","_rev":"5","n":12345678901234567890}}',
    ]);
  });

  test('are understood by our own reader of such lines', () => {
    const data = '{"_key":"argo","_rev":"5"}';
    const index = { id: '9', type: 'hash', unique: false, fields: ['a'] };
    const parsed = printed(
      WAL,
      ddlTail({ type: 2000, ...BOATS, collection: PARAMETERS }),
      transactionTail(2200, '99', [{ cid: '77', name: 'boats', operations: 1 }]),
      document(2300, data, '99'),
      transactionTail(2201, '99', [{ cid: '77', name: 'boats', operations: 1 }]),
      ddlTail({ type: 2100, ...BOATS, index }),
      ddlTail({ type: 2101, ...BOATS, id: '9' }),
      ddlTail({ type: 2002, ...BOATS, newName: 'ships' }),
      ddlTail({ type: 2001, ...BOATS }),
    ).map((line) => parseLine(line));
    expect(parsed).toMatchObject([
      { type: 2000, cid: '77', payload: { name: 'boats', globallyUniqueId: 'h2B/77' } },
      { type: 2200, tid: '99' },
      { type: 2300, tid: '99', key: 'argo', rev: '5' },
      { type: 2201, tid: '99' },
      { type: 2100, payload: index },
      { type: 2101, payload: { id: '9' } },
      { type: 2002, payload: { name: 'ships' } },
      { type: 2001, cid: '77' },
    ]);
  });
});

test('a page that grows much when it is printed is whole', () => {
  const tail = documentTail({ type: 2300, key: 'k', rev: '1', data: '{"_key":"k","_rev":"1"}' });
  const shape = { ...DUMP, collection: 'c'.repeat(64) };
  const lines = printed(shape, ...Array.from({ length: 1000 }, () => tail));
  expect(lines).toHaveLength(1000);
  for (const line of lines) expect(parseLine(line).key).toBe('k');
});

test('an empty page stays empty', () => {
  expect(pageOf3(Buffer.alloc(0), LOG)).toHaveLength(0);
});

test('parameters say who they belong to, and keep a newer version', () => {
  expect(parametersOf3({ ...PARAMETERS, name: '_graphs' })).toMatchObject({ isSystem: true });
  expect(parametersOf3({ ...PARAMETERS, version: 7, indexBuckets: 16 })).toMatchObject({
    ...{ version: 7, indexBuckets: 16 },
  });
});

test.each([
  [{ type: 'skiplist' }, { type: 'skiplist', sparse: false }],
  [
    { type: 'hash', sparse: true },
    { type: 'hash', sparse: true },
  ],
  [{ type: 'geo1' }, { type: 'geo1', ignoreNull: true, sparse: true }],
  [
    { type: 'geo2', ignoreNull: false },
    { type: 'geo2', ignoreNull: false, sparse: true },
  ],
  [{ type: 'fulltext' }, { type: 'fulltext', sparse: true }],
  [
    { type: 'cap', size: 5 },
    { type: 'cap', size: 5 },
  ],
])('an index %j is shown as %j', (definition, shown) => {
  expect(indexOf3(definition)).toEqual(shown);
});
